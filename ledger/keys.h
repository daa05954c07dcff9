// Keys: big-endian numbers and length-safe text, so that byte order is the order people expect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ledger {

inline void append_u64(std::string& key, uint64_t number) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number >> (56 - 8 * i) & 0xFF);
  key.append(bytes, sizeof bytes);
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
  for (size_t nul; (nul = text.find('\0')) != text.npos; text.remove_prefix(nul + 1)) {
    key.append(text.substr(0, nul + 1)).append(1, '\xff');
  }
  key.append(text).append(1, '\0');
}
inline std::string run_key(std::string_view instrument, uint64_t run_number) {
  std::string key;
  key.reserve(instrument.size() + 9);
  append_text(key, instrument);
  append_u64(key, run_number);
  return key;
}

}  // namespace ledger
