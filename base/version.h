// The version of this program; CMakeLists.txt is the one place it is written.
#pragma once

#include <cstdint>
#include <string_view>

namespace base {

std::string_view version();

}  // namespace base
