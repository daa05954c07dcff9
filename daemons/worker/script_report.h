// What run_script.py says of a script beside how it ended: results it named, files it touched elsewhere, what is odd.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace daemons {

/// A file the script opened for writing, made, renamed or removed outside its output directory.
struct TouchedFile {
  std::string path;      // absolute
  bool existed = false;  // before, with this size and time:
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
};

struct ScriptReport {
  std::vector<std::string> declared;           // results the script named: below the output directory, or absolute
  std::vector<std::string> extra_directories;  // absolute; where it wants a copy of the output
  std::vector<TouchedFile> touched;
  std::vector<std::string> remarks;
};

/// `result` is the content of result.json where there is one; it was written by the script's own process: what has not the form agreed on is
/// passed over, with a remark.
ScriptReport script_report(const std::optional<std::string>& result);

}  // namespace daemons
