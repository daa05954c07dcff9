#include "ledger/proof/tree_proof.h"

#include <bit>

namespace ledger {
namespace {

/// The largest power of two below `size`, which is at least 2.
uint64_t split(uint64_t size) { return std::bit_floor(size - 1); }

base::Status wrong(const char* what) { return {base::Code::kCorruption, what}; }

class PathMaker {
 public:
  explicit PathMaker(const ReadNode& node) : node_(node) {}
  base::Status inclusion(uint64_t index, uint64_t begin, uint64_t end) {
    if (end - begin == 1) return {};
    const uint64_t middle = begin + split(end - begin);
    const bool left = index < middle;
    if (base::Status below = left ? inclusion(index, begin, middle) : inclusion(index, middle, end); !below.is_ok()) return below;
    return left ? add(middle, end) : add(begin, middle);
  }
  /// `whole`: the old tree so far is this subtree, whose hash the checker knows.
  base::Status consistency(uint64_t old_end, uint64_t begin, uint64_t end, bool whole) {
    if (old_end == end) return whole ? base::Status() : add(begin, end);
    const uint64_t middle = begin + split(end - begin);
    if (old_end <= middle) {
      if (base::Status below = consistency(old_end, begin, middle, whole); !below.is_ok()) return below;
      return add(middle, end);
    }
    if (base::Status below = consistency(old_end, middle, end, false); !below.is_ok()) return below;
    return add(begin, middle);
  }
  std::vector<base::Sha256> take() { return std::move(path_); }

 private:
  base::Status add(uint64_t begin, uint64_t end) {
    auto hash = subtree_root(begin, end, node_);
    if (!hash.is_ok()) return hash.status();
    path_.push_back(*hash);
    return {};
  }
  const ReadNode& node_;
  std::vector<base::Sha256> path_;
};

}  // namespace

base::Result<base::Sha256> subtree_root(uint64_t begin, uint64_t end, const ReadNode& node) {
  base::Status failed;
  const TreeEdge edge(end - begin, [&](int level, uint64_t index) {
    if (!failed.is_ok()) return base::Sha256{};
    auto hash = node(level, (begin >> level) + index);
    if (!hash.is_ok()) {
      failed = hash.status();
      return base::Sha256{};
    }
    return *hash;
  });
  if (!failed.is_ok()) return failed;
  return edge.root();
}

base::Result<std::vector<base::Sha256>> inclusion_path(uint64_t index, uint64_t size, const ReadNode& node) {
  PathMaker maker(node);
  if (base::Status made = maker.inclusion(index, 0, size); !made.is_ok()) return made;
  return maker.take();
}

base::Result<std::vector<base::Sha256>> consistency_path(uint64_t old_size, uint64_t size, const ReadNode& node) {
  PathMaker maker(node);
  if (base::Status made = maker.consistency(old_size, 0, size, true); !made.is_ok()) return made;
  return maker.take();
}

base::Status check_inclusion(const base::Sha256& leaf, uint64_t index, uint64_t size, const std::vector<base::Sha256>& path,
                             const base::Sha256& root) {
  if (index >= size) return wrong("the leaf lies behind the end of the tree");
  base::Sha256 hash = leaf;
  uint64_t last = size - 1;
  for (const base::Sha256& sibling : path) {
    if (last == 0) return wrong("the path is longer than the tree is high");
    if (index & 1 || index == last) {
      hash = node_hash(sibling, hash);
      while (!(index & 1) && index != 0) {  // a subtree without a right half moves up as it is
        index >>= 1;
        last >>= 1;
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    index >>= 1;
    last >>= 1;
  }
  if (last != 0) return wrong("the path is shorter than the tree is high");
  return hash == root ? base::Status() : wrong("the path does not lead to the root");
}

base::Status check_consistency(uint64_t old_size, const base::Sha256& old_root, uint64_t size, const base::Sha256& root,
                               const std::vector<base::Sha256>& path) {
  if (old_size > size) return wrong("the earlier tree is the larger one");
  if (old_size == size) return path.empty() && old_root == root ? base::Status() : wrong("two trees of one size have different roots");
  if (old_size == 0) return path.empty() ? base::Status() : wrong("a proof from the empty tree has no hashes");
  uint64_t index = old_size - 1, last = size - 1;
  while (index & 1) {
    index >>= 1;
    last >>= 1;
  }
  auto next = path.begin();
  if (index != 0 && next == path.end()) return wrong("the proof is too short");
  base::Sha256 old_hash = index == 0 ? old_root : *next++;
  base::Sha256 hash = old_hash;
  for (; next != path.end(); ++next) {
    if (last == 0) return wrong("the proof is too long");
    if (index & 1 || index == last) {
      old_hash = node_hash(*next, old_hash);
      hash = node_hash(*next, hash);
      while (!(index & 1) && index != 0) {
        index >>= 1;
        last >>= 1;
      }
    } else {
      hash = node_hash(hash, *next);
    }
    index >>= 1;
    last >>= 1;
  }
  if (last != 0) return wrong("the proof is too short");
  if (old_hash != old_root) return wrong("the proof does not lead to the earlier root");
  return hash == root ? base::Status() : wrong("the proof does not lead to the later root");
}

}  // namespace ledger
