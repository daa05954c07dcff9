#include "ldap/escape.h"

namespace ldap {
namespace {

void append_hex(std::string& text, char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text += '\\';
  text += kDigits[static_cast<unsigned char>(byte) >> 4];
  text += kDigits[static_cast<unsigned char>(byte) & 15];
}

bool is_control(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

}  // namespace

std::string filter_value(std::string_view value) {
  std::string text;
  for (char byte : value) {
    if (is_control(byte) || std::string_view("*()\\").find(byte) != std::string_view::npos) {
      append_hex(text, byte);
    } else {
      text += byte;
    }
  }
  return text;
}

std::string dn_value(std::string_view value) {
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    char byte = value[i];
    bool outer_space = byte == ' ' && (i == 0 || i + 1 == value.size());
    if (is_control(byte) || outer_space || (byte == '#' && i == 0) || std::string_view(",+\"\\<>;=").find(byte) != std::string_view::npos) {
      append_hex(text, byte);
    } else {
      text += byte;
    }
  }
  return text;
}

}  // namespace ldap
