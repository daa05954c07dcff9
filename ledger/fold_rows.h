// Rows of views that are folded again, on their way to table files.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/rows.h"
#include "ledger/store.h"

namespace ledger {

/// The tables of a fold, under the rows it has changed: these stay in memory until they are many, and each is then written once.
///
/// Owns:    what was changed or read since begin().
/// Threads: one at a time. Errors: throws StoreFault; std::logic_error for a view that cannot be.
/// A scan walks the rows of one kind (the first letter of their keys) and ends with it.
class FoldRows final : public Rows {
 public:
  /// Empty again, over `base`.
  void begin(std::shared_ptr<const Cut> base);

  std::optional<std::string> get(ViewId view, std::string_view key) const override;
  void scan(ViewId view, std::string_view from, const Visit& visit) const override;
  bool has_blob(std::string_view sha256) const override;
  std::optional<std::string> blob(std::string_view sha256) const override;
  void put(ViewId view, std::string_view key, std::string_view row) override;
  void erase(ViewId view, std::string_view key) override;

  /// What the rows here take, about.
  size_t bytes() const { return bytes_; }
  /// Changed rows of a view in key order; nullopt = erased.
  void each_changed(ViewId view, const Store::VisitRow& visit) const;

 private:
  struct Row {
    std::string_view key;
    std::optional<std::string_view> bytes;
    bool changed = false;
    bool is_new = false;  // the table below has no such row
  };
  /// Rows of one view whose keys have the same first letter.
  struct Kind {
    std::vector<Row> rows;                     // as they came
    std::vector<uint64_t> slots;               // hash table of them: half of the hash, place in `rows` + 1; 0 = none
    bool is_ordered = false;                   // since the first scan
    std::map<std::string_view, size_t> order;  // then, places in `rows` by key
    /// Its place in `rows`; as many as there are = not there.
    size_t find(std::string_view key) const;
    Row& add(std::string_view key);

   private:
    void enter(uint64_t hash, size_t place);
  };
  static constexpr size_t kViews = 32;
  using Kinds = std::array<std::unique_ptr<Kind>, 256>;

  Kind& kind_of(ViewId view, std::string_view key) const;
  Row& add(Kind& kind, std::string_view key) const;
  std::string_view keep(std::string_view bytes) const;
  void write(ViewId view, std::string_view key, std::optional<std::string_view> bytes);

  std::shared_ptr<const Cut> base_;
  mutable std::pmr::monotonic_buffer_resource memory_;  // keys and bytes
  mutable std::array<Kinds, kViews> views_;
  mutable size_t bytes_ = 0;
};

}  // namespace ledger
