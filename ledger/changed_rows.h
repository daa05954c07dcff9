// Rows of tables as they stand after changes that are not written yet: in groups of events, and in folds.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/store.h"

namespace ledger {

/// A read below failed. Thrown by whoever has rows that are not written yet, caught by those that made these; leaves no folder.
struct StoreFault {
  base::Status status;
};
/// Whether there was such a row. Throws StoreFault.
inline bool found(const base::Result<bool>& read) {
  if (!read.is_ok()) throw StoreFault{read.status()};
  return *read;
}

/// Tables under the rows that were changed; what was read once is not read again.
///
/// Owns:    what was changed or read since begin().
/// Threads: one at a time.
/// Errors:  throws StoreFault; std::logic_error for a scan from nowhere.
class ChangedRows {
 private:
  struct Kind;

 public:
  /// Empty again, over `base`.
  void begin(std::shared_ptr<const Cut> base);
  const Cut& base() const { return *base_; }

  /// Stands until the next change of this row.
  std::optional<std::string_view> get(Table table, std::string_view key) const;
  /// Walks the rows of one kind (the first letter of their keys) from `from` on, in key order, until `visit` returns false.
  void scan(Table table, std::string_view from, const Cut::Visit& visit) const;
  /// nullopt: erased.
  void set(Table table, std::string_view key, std::optional<std::string_view> bytes);

  /// A row as it was before a change.
  struct Before {
    Kind* kind;
    size_t place;
    bool changed, known;
    std::optional<std::string> bytes;
  };
  /// The same as set(), for those who may want it taken back: the last change first.
  Before change(Table table, std::string_view key, std::optional<std::string_view> bytes);
  void restore(Before&& before);

  /// What the rows here take, about.
  size_t bytes() const { return bytes_; }
  /// Changed rows of a table in key order; nullopt = erased.
  void each_changed(Table table, const Store::VisitRow& visit) const;
  /// Of all tables.
  void each_changed(const std::function<void(Table table, std::string_view key, std::optional<std::string_view> row)>& visit) const;

 private:
  struct Row {
    std::string_view key;
    std::optional<std::string_view> bytes = std::nullopt;
    bool known = false;    // else only the table below knows the bytes: a change of them was taken back
    bool changed = false;
    bool is_new = false;   // the table below has no such row
  };
  /// Rows of one table whose keys have the same first letter.
  struct Kind {
    std::vector<Row> rows;                     // as they came
    std::vector<uint64_t> slots;               // hash table of them: half of the hash, place in `rows` + 1; 0 = none
    bool is_ordered = false;                   // since the first scan
    std::map<std::string_view, size_t> order;  // then, places in `rows` by key
    /// As many slots as the rows there were needed.
    void clear();
    /// The place in `rows` of one with this key; as many as there are = not there.
    size_t find(std::string_view key, uint64_t hash) const;
    /// One whose key is not there yet.
    Row& add(std::string_view key, uint64_t hash);

   private:
    void enter(uint64_t hash, size_t place);
  };
  struct Kinds {
    std::array<std::unique_ptr<Kind>, 256> by_letter;
    std::string letters;  // those there are, sorted
  };
  static constexpr size_t kTables = static_cast<size_t>(Table::kFirstView) + 32;

  Kind& kind_of(Table table, std::string_view key) const;
  size_t place_of(Kind& kind, std::string_view key, uint64_t hash) const;
  std::string_view keep(std::string_view bytes) const;
  void write(Row& row, std::optional<std::string_view> bytes);

  std::shared_ptr<const Cut> base_;
  mutable std::pmr::monotonic_buffer_resource memory_;  // keys and bytes
  mutable std::array<Kinds, kTables> tables_;
  mutable size_t bytes_ = 0;
};

}  // namespace ledger
