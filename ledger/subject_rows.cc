#include "ledger/subject_rows.h"

#include <algorithm>

#include "ledger/keys.h"

namespace ledger {

std::string subject_row_key(std::string_view subject, uint64_t last) {
  std::string key;
  key.reserve(subject.size() + 8);
  key += subject;
  append_u64(key, last);
  return key;
}

// From the last seq backwards, each as its distance to the one after it: seven bits a byte, the lowest first, the top bit set where more
// follow. A distance of 0 is none.
std::string encode_seqs(const std::vector<uint64_t>& seqs) {
  std::string row;
  for (size_t i = seqs.size() - 1; i > 0; --i) {
    uint64_t distance = seqs[i] - seqs[i - 1];
    for (; distance >= 0x80; distance >>= 7) row += static_cast<char>(distance | 0x80);
    row += static_cast<char>(distance);
  }
  return row;
}

std::optional<std::vector<uint64_t>> decode_seqs(uint64_t last, std::string_view row) {
  std::vector<uint64_t> seqs{last};
  uint64_t distance = 0;
  int shift = 0;
  for (const char c : row) {
    if (shift > 56) return std::nullopt;
    distance |= static_cast<uint64_t>(c & 0x7F) << shift;
    shift += 7;
    if (c & 0x80) continue;
    if (distance == 0 || distance >= seqs.back()) return std::nullopt;
    seqs.push_back(seqs.back() - distance);
    distance = 0;
    shift = 0;
  }
  if (shift != 0) return std::nullopt;
  std::reverse(seqs.begin(), seqs.end());
  return seqs;
}

std::string link_key(std::string_view subject) { return '\x01' + std::string(subject); }

std::string encode_link(const std::vector<std::string>& to) {
  std::string ends;
  for (const std::string& end : to) {
    append_u64(ends, end.size());
    ends += end;
  }
  return ends;
}

std::optional<std::vector<std::string>> decode_link(std::string_view ends) {
  std::vector<std::string> to;
  while (!ends.empty()) {
    if (ends.size() < 8 || read_u64(ends) > ends.size() - 8) return std::nullopt;
    const uint64_t size = read_u64(ends);
    to.emplace_back(ends.substr(8, size));
    ends.remove_prefix(8 + size);
  }
  return to;
}

}  // namespace ledger
