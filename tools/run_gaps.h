// Which run numbers have no run: the holes of a list that is walked once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/row.capnp.h"

namespace tools {

/// A run beside a hole.
struct GapSide {
  uint64_t run_number;
  int64_t detected_at_ns;
  uint64_t detected_event;
};

/// A file that was refused under a number without a run.
struct RefusedNumber {
  uint64_t run_number;
  std::string path, reason, code;
  uint64_t event;
};

/// Numbers in a row of which no run was taken.
struct RunGap {
  std::string instrument;
  uint64_t first, last;
  std::optional<GapSide> before, after;  // nullopt: the instrument's list ends here, with a refused file
  std::vector<RefusedNumber> refused;    // what is on record for some of them
};

/// Takes rows in the order of Runs.list and finds what lies between. Owns: what it knows of the hole it is in.
class GapFinder {
 public:
  void add(schema::RunRow::Reader run);
  /// The holes that are complete by now; `at_end` when no row comes any more.
  std::vector<RunGap> take(bool at_end);

 private:
  void close(std::optional<GapSide> after);

  std::string instrument_;
  uint64_t last_seen_ = 0;  // largest number of the instrument so far; 0 = none
  std::optional<GapSide> before_;
  std::optional<RunGap> open_;
  std::vector<RunGap> found_;
};

}  // namespace tools
