// Folding stretches of the log into tables of their own.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/overlay.h"
#include "ledger/store.h"

namespace ledger {

inline constexpr uint64_t kEventsAFold = 1024;  // folded in memory, then written as one batch

using VisitEvent = std::function<base::Status(uint64_t seq, schema::Event::Reader event)>;
/// Events from..to in order; ends at the first that is missing, unreadable or not taken.
base::Status each_event(const Cut& cut, uint64_t from, uint64_t to, const VisitEvent& visit);

/// Events after fresh.folded up to `to`, at most kEventsAFold usually, into `batch`; `fresh.folded` follows.
base::Status fold_into(Store::Fresh& fresh, const Cut& log, uint64_t to, Overlay& rows, Store::Batch& batch);

}  // namespace ledger
