// Which files of an output say how it was made instead of being it.
#pragma once

#include <string_view>

namespace base {

/// Folder in an output directory for what the script printed and its text as it ran. A manifest lists what lies there; OutputSummary counts
/// the other files only, so that "wrote nothing" can be told.
inline constexpr std::string_view kReductionLogFolder = "reduction_log";

/// `path`: below the output directory.
inline bool is_reduction_log(std::string_view path) {
  return path.size() > kReductionLogFolder.size() && path.starts_with(kReductionLogFolder) && path[kReductionLogFolder.size()] == '/';
}

}  // namespace base
