// Bytes and text: hex, UTF-8 repair, escaping for terminals.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

std::string hex(std::string_view bytes);
/// nullopt unless `text` is an even number of hex digits.
std::optional<std::string> from_hex(std::string_view text);

bool is_utf8(std::string_view bytes);
/// UTF-8 with each byte that is not part of valid UTF-8 written as \xHH, cut to at most `limit` bytes at a character (with "…" at the end when cut).
std::string to_utf8(std::string_view bytes, size_t limit = SIZE_MAX);
/// Text that is safe to print: control characters (also C1 and the bidirectional overrides) are written as \n, \t, \x1b, \u202e.
std::string printable(std::string_view text);

/// Lower/upper case of ASCII letters only.
std::string ascii_lower(std::string_view text);
std::string ascii_upper(std::string_view text);

}  // namespace base
