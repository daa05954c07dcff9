// Base 64 as RFC 4648 section 4 has it: with padding, on one line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

std::string base64(std::string_view bytes);
/// nullopt unless `text` is exactly what base64() makes of some bytes.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace base
