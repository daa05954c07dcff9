// Folding stretches of the log into tables of their own.
#pragma once

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/fold_rows.h"
#include "ledger/store.h"

namespace ledger {

inline constexpr uint64_t kEventsAFold = 1024;           // folded without looking up
inline constexpr size_t kRowBytesAWrite = 32u << 20;     // of changed rows in memory; then they are written

/// Events after fresh.folded up to `to` into `rows`, which begin with the tables of `fresh`; fresh.folded follows. After an error the rows
/// are those of half an event.
base::Status fold_events(Store::Fresh& fresh, const Cut& log, uint64_t to, FoldRows& rows);
/// Writes what is in `rows`, which begin anew.
base::Status write_rows(Store& store, const Store::Fresh& fresh, Store::Keep keep, FoldRows& rows);

}  // namespace ledger
