#include "ledger/proof/merkle.h"

#include <cstring>

namespace ledger {

base::Sha256 leaf_hash(std::string_view event_bytes) { return base::sha256({"\x00", 1}, event_bytes); }

base::Sha256 node_hash(const base::Sha256& left, const base::Sha256& right) {
  std::array<char, 65> bytes;
  bytes[0] = 0x01;
  std::memcpy(bytes.data() + 1, left.data(), 32);
  std::memcpy(bytes.data() + 33, right.data(), 32);
  return base::sha256({bytes.data(), bytes.size()});
}

base::Sha256 TreeEdge::root() const {
  if (size_ == 0) return base::sha256("");
  int level = 0;
  while (!(size_ >> level & 1)) ++level;
  base::Sha256 hash = peaks_[level];
  for (++level; level < 64; ++level) {
    if (size_ >> level & 1) hash = node_hash(peaks_[level], hash);
  }
  return hash;
}

}  // namespace ledger
