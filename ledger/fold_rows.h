// Rows of views that are folded again, on their way to table files.
#pragma once

#include <utility>

#include "ledger/changed_rows.h"
#include "ledger/rows.h"

namespace ledger {

/// The tables of a fold, under the rows it has changed: these stay in memory until they are many, and each is then written once.
///
/// Owns:    what was changed or read since begin().
/// Threads: one at a time. Errors: throws StoreFault; std::logic_error for a view that cannot be.
class FoldRows final : public Rows {
 public:
  /// Empty again, over `base`.
  void begin(std::shared_ptr<const Cut> base) { rows_.begin(std::move(base)); }

  std::optional<std::string> get(ViewId view, std::string_view key) const override;
  void scan(ViewId view, std::string_view from, const Visit& visit) const override;
  bool has_blob(std::string_view sha256) const override;
  std::optional<std::string> blob(std::string_view sha256) const override;
  void put(ViewId view, std::string_view key, std::string_view row) override;
  void erase(ViewId view, std::string_view key) override;

  /// What the rows here take, about.
  size_t bytes() const { return rows_.bytes(); }
  /// Changed rows of a view in key order; nullopt = erased.
  void each_changed(ViewId view, const Store::VisitRow& visit) const { rows_.each_changed(view_table(view), visit); }

 private:
  Table table_of(ViewId view) const;

  ChangedRows rows_;
};

}  // namespace ledger
