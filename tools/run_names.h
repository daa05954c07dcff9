// How people name runs: MARI 28001, MARI/28001, MARI28001, MARI/28001/v2, MARI 28001-28010,28020.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tools {

struct RunRange {
  uint64_t first;
  uint64_t last;  // included
  bool operator==(const RunRange&) const = default;
};

/// Runs of one instrument. Ranges are sorted and do not overlap; none = every run.
struct RunSelection {
  std::string instrument;  // upper case
  std::vector<RunRange> ranges;
  uint16_t version = 0;  // 0 = not named

  bool is_one_run() const { return ranges.size() == 1 && ranges[0].first == ranges[0].last; }
};

struct RunName {
  std::string instrument;
  uint64_t run_number = 0;
  uint16_t version = 0;  // 0 = not named: the latest
};

/// What the words of a command line name. `known` are the instruments there are: where name and number are one word
/// (SANS2D22048), the longest of them at its front is the instrument. Lower case is accepted.
/// kInvalidArgument: the message repeats the text and shows how it is written.
base::Result<RunSelection> parse_selection(std::span<const std::string> words, std::span<const std::string> known);
/// The same where exactly one run is meant.
base::Result<RunName> parse_run(std::span<const std::string> words, std::span<const std::string> known);

/// "MARI 28001", "MARI 28001 v2".
std::string run_text(std::string_view instrument, uint64_t run_number, uint16_t version = 0);
/// "28001-28010,28020".
std::string run_ranges_text(std::span<const RunRange> ranges);
/// The same of run numbers in any order, each perhaps several times.
std::string run_ranges_text(std::vector<uint64_t> runs);

}  // namespace tools
