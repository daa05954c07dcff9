#include "base/counted.h"

#include <fmt/format.h>

namespace base {

std::string counted(uint64_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

}  // namespace base
