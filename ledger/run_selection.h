// Which runs somebody means: by what their rows tell, and by what their newest result was made with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ledger/view_rows.h"

namespace ledger {

/// What schema::RunFilter says, without its transport. What is set must all match; script, variables, support file and stale are about the newest
/// version that succeeded, else about the newest.
struct RunPick {
  using Range = std::pair<uint64_t, uint64_t>;  // first and last run, both meant
  struct Value {
    std::string name, json;
  };

  RunSelection runs = {};
  std::vector<Range> ranges = {};     // in any order; empty = all
  std::string reason = {};            // code of the run's reason
  std::string script = {};            // first bytes of a SHA-256: of the script, or of a file captured with it
  std::vector<Value> variables = {};  // all of these; a number is equal to numbers of its own type only, as 1 and 1.0 are two values to a script
  int64_t detected_from = 0;
  int64_t detected_to = 0;            // with this moment; 0 = no end
  std::string support_file = {};      // a path or url, or 8 or more digits of a SHA-256
  bool stale = false;
};

/// Tells which runs a pick means.
///
/// Owns:    what it remembers of documents and instruments, within limits. Borrows the rows.
/// Threads: one at a time. Errors: documents that are no longer stored match nothing.
class RunPicker {
 public:
  RunPicker(const RowReader& rows, RunPick pick);
  ~RunPicker();
  RunPicker(const RunPicker&) = delete;
  RunPicker& operator=(const RunPicker&) = delete;

  /// The runs it may mean, in the order of list_runs, until `visit` returns false; `after` as there.
  void visit(const VisitRun& visit, std::string_view after = {}) const;
  /// Whether it means this one of them.
  bool matches(schema::RunRow::Reader run);
  /// What list_runs takes as `after` to begin with this run.
  static std::string key(schema::RunRow::Reader run);

 private:
  class Made;
  bool matches_row(schema::RunRow::Reader run) const;

  const RowReader& rows_;
  RunPick pick_;
  const std::unique_ptr<Made> made_;
};

/// A page of the runs that match. It ends early when `most_considered` rows were looked at, so it may be empty and yet have a `next`.
struct PickedRuns : Page<schema::RunRow> {
  uint64_t considered = 0;
};
PickedRuns pick_runs(const RowReader& rows, const RunPick& pick, size_t limit, uint64_t most_considered, std::string_view after = {});

}  // namespace ledger
