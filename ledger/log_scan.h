// Reading many events in order, from the tables.
#pragma once

#include <functional>

#include "base/status.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

namespace ledger {

/// Events from..to in order, past the cache. kCorruption: one is missing.
base::Status scan_events(const Cut& cut, uint64_t from, uint64_t to, const VisitEvent& visit);

/// The same, decoded; ends at the first that cannot be read or is not taken.
using TakeEvent = std::function<base::Status(uint64_t seq, schema::Event::Reader event)>;
base::Status each_event(const Cut& cut, uint64_t from, uint64_t to, const TakeEvent& take);

}  // namespace ledger
