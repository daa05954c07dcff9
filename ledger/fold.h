// Folding: one event into every view. Views live in ledger/views/, one file each.
#pragma once

#include <cstdint>
#include <span>

#include "ledger/rows.h"
#include "schema/event.capnp.h"

namespace ledger {

/// A view: which events it folds into which rows. Stateless; its rows are its state.
class View {
 public:
  virtual ~View() = default;
  virtual ViewId id() const = 0;
  virtual const char* name() const = 0;
  /// Raised whenever a row's bytes would change; the ledger rebuilds the view when the stored version differs.
  virtual uint32_t version() const = 0;
  /// Events come once each, in seq order. Reads and writes only rows of its own id. Unknown bodies are passed over.
  virtual void fold(schema::Event::Reader event, Rows& rows) const = 0;
};

/// Every view there is, in ViewId order.
std::span<const View* const> views();

}  // namespace ledger
