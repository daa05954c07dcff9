// Keys: big-endian numbers and length-safe text, so that byte order is the order people expect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ledger {

inline void append_u64(std::string& key, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift & 0xFF);
}
inline std::string u64_key(uint64_t number) {
  std::string key;
  append_u64(key, number);
  return key;
}
/// Eight bytes at `offset`, which must be there.
inline uint64_t read_u64(std::string_view key, size_t offset = 0) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<uint8_t>(key[offset + i]);
  return number;
}
/// Text followed by 0x00; 0x00 inside is written 0x00 0xFF. Sorts like the text, and no key is a prefix of another by accident.
inline void append_text(std::string& key, std::string_view text) {
  for (char c : text) {
    key += c;
    if (c == '\0') key += '\xff';
  }
  key += '\0';
}
inline std::string run_key(std::string_view instrument, uint64_t run_number) {
  std::string key;
  append_text(key, instrument);
  append_u64(key, run_number);
  return key;
}

}  // namespace ledger
