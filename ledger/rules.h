// What a ledger decides by and folds into; given to it, so that a test or a simulation can bring its own.
#pragma once

#include <functional>
#include <span>

#include "ledger/decide.h"
#include "ledger/fold.h"

namespace ledger {

/// Borrowed views must outlive the ledger.
struct Rules {
  std::function<base::Result<EventDrafts>(const RowReader& rows, const DecideContext& context, schema::Command::Reader command)>
      decide;
  std::span<const View* const> views;
};

/// decide() of ledger/decide.h and views() of ledger/fold.h.
Rules standard_rules();

}  // namespace ledger
