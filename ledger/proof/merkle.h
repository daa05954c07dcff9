// The Merkle tree over the log, as RFC 6962 (section 2.1) defines it; leaf i is event i + 1.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/sha256.h"

namespace ledger {

base::Sha256 leaf_hash(std::string_view event_bytes);                         // SHA-256(0x00 || bytes)
base::Sha256 node_hash(const base::Sha256& left, const base::Sha256& right);  // SHA-256(0x01 || left || right)

/// The right edge of the tree: the roots of its complete subtrees, largest first. Enough to append and to know the root.
///
/// Owns: a few hashes, copied cheaply. Threads: a value. Errors: none.
class TreeEdge {
 public:
  // Node (level, index) covers leaves [index << level, (index + 1) << level) and, once complete, never changes.

  TreeEdge() = default;
  /// The edge of a tree of `size` leaves whose complete nodes `node` returns.
  template <typename Node>
  TreeEdge(uint64_t size, Node&& node) : size_(size) {
    for (int level = 63; level >= 0; --level) {
      if (size >> level & 1) peaks_[level] = node(level, (size >> level) - 1);
    }
  }

  uint64_t size() const { return size_; }
  /// Root of the complete subtree of 2^level leaves; there is one where bit `level` of size() is set.
  const base::Sha256& peak(int level) const { return peaks_[level]; }
  /// Adds a leaf and reports every node it completes, the leaf first.
  template <typename Report>
  void append(const base::Sha256& leaf, Report&& complete) {
    base::Sha256 hash = leaf;
    uint64_t index = size_++;
    int level = 0;
    complete(level, index, hash);
    for (; index & 1; index >>= 1) {
      hash = node_hash(peaks_[level], hash);
      complete(++level, index >> 1, hash);
    }
    peaks_[level] = hash;
  }
  /// Hash of the whole tree; SHA-256 of nothing when it is empty.
  base::Sha256 root() const;

 private:
  uint64_t size_ = 0;
  std::array<base::Sha256, 64> peaks_{};  // peaks_[level] counts where bit `level` of size_ is set
};

}  // namespace ledger
