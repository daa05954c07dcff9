// Comparing the rows of views with what the log leads to (promise P3).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/store.h"

namespace ledger {

/// What long work needs of those who wait for it.
struct Patience {
  /// So much is done. False: stop, the process ends.
  std::function<bool(const std::string& what, uint64_t done, uint64_t total)> go_on;
};

/// Folds events 1 to `head` into scratch tables and compares every row's bytes with those of `cut`. One sentence for each view that
/// differs: its first row that does, how, and the first event that makes a difference. Holds no view in memory.
base::Result<std::vector<std::string>> check_views(Store& store, const Cut& cut, uint64_t head, std::span<const View* const> views,
                                                   const Patience& patience);

/// Follows one row through its history: which event made it part from the bytes that are stored.
class RowHistory {
 public:
  /// What is stored, and what the log leads to; nullopt = no row.
  RowHistory(std::optional<std::string> stored, std::optional<std::string> folded);
  /// The row after event `seq`, which wrote or erased it.
  void add(uint64_t seq, const std::optional<std::string>& row);
  /// The first event that the stored bytes lack; or, where they never were the row, the one that wrote the byte they first differ in.
  /// 0: no event wrote the row.
  uint64_t first_difference() const { return was_stored_ ? lacking_ : parted_; }

 private:
  bool has_folded_byte(const std::optional<std::string>& row) const;

  const std::optional<std::string> stored_, folded_;
  size_t differs_at_ = 0;
  bool is_stored_;   // after the events so far
  bool was_stored_;
  uint64_t lacking_ = 0;
  uint64_t parted_ = 0;
};

}  // namespace ledger
