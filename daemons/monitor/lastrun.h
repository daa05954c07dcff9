// lastrun.txt, by which ISIS instruments say how far they are: three words, PREFIX RUNNUMBER FLAG; flag 0 = that run has ended and
// its file is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace daemons {

struct LastRun {
  std::string prefix;
  uint64_t run_number = 0;
  bool ended = false;
  /// The last run whose file is written.
  uint64_t last_ended() const { return ended || run_number == 0 ? run_number : run_number - 1; }
};

/// nullopt: half written, or something else; read it again later.
std::optional<LastRun> parse_last_run(std::string_view text);

/// The furthest of the lastrun.txt files that belong to the raw folders: FOLDER/../logs/lastrun.txt, else FOLDER/lastrun.txt.
/// May block on a file server: call it on the pool.
std::optional<LastRun> read_last_run(const std::vector<std::string>& raw_folders);

}  // namespace daemons
