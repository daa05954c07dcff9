#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace base {
namespace {

/// Length of the valid UTF-8 sequence at the front of `bytes`, 0 if there is none. Refuses overlong forms and surrogates (RFC 3629).
size_t sequence_length(std::string_view bytes) {
  auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  auto continues = [&](size_t i) { return i < bytes.size() && (at(i) & 0xC0) == 0x80; };
  if (bytes.empty()) return 0;
  uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;
    if (lead == 0xED && at(1) >= 0xA0) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) >= 0x90) return 0;
    return 4;
  }
  return 0;
}

uint32_t code_point(std::string_view sequence) {
  auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(sequence[i])); };
  switch (sequence.size()) {
    case 1: return at(0);
    case 2: return (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
    case 3: return (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
    default: return (at(0) & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F);
  }
}

bool steers_the_display(uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x200E || point == 0x200F ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    text += "0123456789abcdef"[static_cast<uint8_t>(c) >> 4];
    text += "0123456789abcdef"[static_cast<uint8_t>(c) & 0xF];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    if (static_cast<uint8_t>(bytes[0]) < 0x80) {  // most texts are nothing else
      bytes.remove_prefix(1);
      continue;
    }
    size_t length = sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view bytes, size_t limit) {
  constexpr std::string_view kCut = "…";
  if (bytes.size() <= limit && is_utf8(bytes)) return std::string(bytes);
  std::string text;
  size_t cut_at = 0;  // end of the last character after which kCut still fits
  while (!bytes.empty()) {
    size_t length = sequence_length(bytes);
    text += length > 0 ? std::string(bytes.substr(0, length)) : fmt::format("\\x{:02x}", static_cast<uint8_t>(bytes[0]));
    if (text.size() > limit) return limit < kCut.size() ? std::string() : text.substr(0, cut_at).append(kCut);
    if (text.size() + kCut.size() <= limit) cut_at = text.size();
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return text;
}

std::string printable(std::string_view text) {
  const size_t plain = std::find_if(text.begin(), text.end(), [](char c) { return c < 0x20 || c >= 0x7F; }) - text.begin();
  std::string safe(text.substr(0, plain));
  text.remove_prefix(plain);
  while (!text.empty()) {
    size_t length = sequence_length(text);
    if (length == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    uint32_t point = code_point(text.substr(0, length));
    if (!steers_the_display(point)) {
      safe += text.substr(0, length);
    } else if (point == '\n') {
      safe += "\\n";
    } else if (point == '\t') {
      safe += "\\t";
    } else if (point == '\r') {
      safe += "\\r";
    } else {
      safe += point < 0x100 ? fmt::format("\\x{:02x}", point) : fmt::format("\\u{:04x}", point);
    }
    text.remove_prefix(length);
  }
  return safe;
}

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return lower;
}

std::string ascii_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
  }
  return upper;
}

}  // namespace base
