// Differences of two texts, as `diff -u` writes them.
#pragma once

#include <string>
#include <string_view>

namespace tools {

/// Empty when the texts are equal. Names go into the --- and +++ lines. Beyond a bounded effort what differs is shown as replaced as
/// a whole: still a correct diff, no longer the smallest.
std::string unified_diff(std::string_view old_text, std::string_view new_text, std::string_view old_name, std::string_view new_name);

}  // namespace tools
