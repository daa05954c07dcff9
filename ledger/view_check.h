// Folding the log again: to replace the rows of views, or to compare them (promise P3).
#pragma once

#include <span>

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/store.h"

namespace ledger {

/// Folds events 1 to `head` into fresh tables beside the live ones and puts them in their place. The writer must stand still.
base::Status rebuild_views(Store& store, uint64_t head, std::span<const View* const> views);

/// Folds events 1 to `head` in memory, one view after the other, and compares every row's bytes with what `cut` holds.
/// kCorruption: names view, key and the last event that wrote the row.
base::Status check_views(const Cut& cut, uint64_t head, std::span<const View* const> views);

}  // namespace ledger
