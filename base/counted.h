// "1 file", "2 files".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace base {

/// A number and its noun; the plural takes an s.
std::string counted(uint64_t count, std::string_view noun);

}  // namespace base
