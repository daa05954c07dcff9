// Folding views again while the old rows serve (docs/engine.md, "Folding again").
#pragma once

#include "base/status.h"
#include "ledger/fold_board.h"
#include "ledger/store.h"
#include "ledger/view_check.h"
#include "ledger/writer.h"

namespace ledger {

/// Folds into `fresh` what it lacks, batch by batch, each with its own position; the last events between two groups of the writer,
/// which then serves the new rows. False: stopped; what is folded stays folded.
base::Result<bool> rebuild_views(Store& store, Store::Fresh fresh, Writer& writer, FoldBoard& board, const Patience& patience);

}  // namespace ledger
