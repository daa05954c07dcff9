// Any words name runs, as a command line gives them: the selection read from them is sorted, does not overlap, and is the same when
// its own text is read.
#include <cstdlib>
#include <string>
#include <vector>

#include "tools/run_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One word a line.
  std::vector<std::string> words(1);
  for (size_t i = 0; i < size; ++i) {
    if (data[i] == '\n') {
      words.emplace_back();
    } else {
      words.back() += static_cast<char>(data[i]);
    }
  }
  const std::vector<std::string> known = {"MARI", "SANS2D", "SANS2", "LET"};
  const auto run = tools::parse_run(words, known);
  if (run.is_ok()) {
    const std::vector<std::string> again = {run->instrument, std::to_string(run->run_number)};
    const auto same = tools::parse_run(again, known);
    if (!same.is_ok() || same->instrument != run->instrument || same->run_number != run->run_number) std::abort();
  }
  const auto selection = tools::parse_selection(words, known);
  if (!selection.is_ok()) return 0;
  for (size_t i = 0; i < selection->ranges.size(); ++i) {
    const auto& range = selection->ranges[i];
    if (range.first > range.last) std::abort();
    if (i > 0 && selection->ranges[i - 1].last >= range.first) std::abort();
  }
  return 0;
}
