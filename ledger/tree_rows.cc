#include "ledger/tree_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "ledger/keys.h"

namespace ledger {
namespace {

constexpr size_t kHashBytes = sizeof(base::Sha256);

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

base::Sha256 hash_at(std::string_view hashes, size_t index) {
  base::Sha256 hash;
  std::memcpy(hash.data(), hashes.data() + index * kHashBytes, kHashBytes);
  return hash;
}

/// Puts a row's leaves where they belong. False: it does not fit there.
bool take_row(std::string_view key, std::string_view hashes, uint64_t from, StoredLeaves& leaves) {
  if (key.size() != 9 || hashes.empty() || hashes.size() % kHashBytes != 0) return false;
  const uint64_t first = read_u64(key, 1), count = hashes.size() / kHashBytes;
  if (first / kTileLeaves != (first + count - 1) / kTileLeaves || first - from + count > leaves.size()) return false;
  for (uint64_t i = 0; i < count; ++i) {
    if (leaves[first - from + i]) return false;
  }
  for (uint64_t i = 0; i < count; ++i) leaves[first - from + i] = hash_at(hashes, i);
  return true;
}

/// Leaves [from, to) of one tile, every one of which must be there.
base::Result<std::vector<base::Sha256>> whole_leaves(const Cut& cut, uint64_t from, uint64_t to) {
  const uint64_t begin = from / kTileLeaves * kTileLeaves;
  StoredLeaves leaves;
  std::string wrong;
  const base::Status loaded =
      load_leaves(cut, begin, begin + kTileLeaves, leaves, [&](std::string what) { wrong = "; " + std::move(what); });
  std::vector<base::Sha256> hashes;
  for (uint64_t index = from; index < to; ++index) {
    if (const auto& leaf = leaves[index - begin]) {
      hashes.push_back(*leaf);
    } else if (!loaded.is_ok()) {
      return loaded;
    } else {
      return corrupt(fmt::format("the tree over the log lacks the leaf of event {}{}; restore the ledger from a copy", index + 1, wrong));
    }
  }
  return hashes;
}

/// Root of a complete subtree.
base::Sha256 root_of(std::vector<base::Sha256>::const_iterator leaves, int level) {
  TreeEdge edge;
  for (uint64_t i = 0; i < uint64_t{1} << level; ++i) edge.append(*leaves++, [](int, uint64_t, const base::Sha256&) {});
  return edge.root();
}

}  // namespace

std::string tree_key(int level, uint64_t index) {
  std::string key(1, static_cast<char>(level));
  append_u64(key, index);
  return key;
}

void TreeRows::append(TreeEdge& edge, const base::Sha256& leaf, const Cut& cut, Store::Batch& batch) {
  if (leaves_.empty()) first_ = edge.size();
  leaves_ += base::as_bytes(leaf);
  edge.append(leaf, [&](int level, uint64_t index, const base::Sha256& hash) {
    if (level >= kRowLevel) batch.put(cut, Table::kTree, tree_key(level, index), base::as_bytes(hash));
  });
  if (edge.size() % kTileLeaves == 0) emit(cut, batch);
}

void TreeRows::emit(const Cut& cut, Store::Batch& batch) {
  if (leaves_.empty()) return;
  batch.put(cut, Table::kTree, tree_key(0, first_), leaves_);
  leaves_.clear();
}

base::Status load_leaves(const Cut& cut, uint64_t from, uint64_t to, StoredLeaves& leaves, const std::function<void(std::string)>& wrong) {
  leaves.assign(to - from, std::nullopt);
  return cut.scan(Table::kTree, tree_key(0, from), tree_key(0, to), [&](std::string_view key, std::string_view hashes) {
    if (!take_row(key, hashes, from, leaves)) {
      wrong(fmt::format("the tree has a row {} of {} bytes that holds no leaves of its place", base::hex(key), hashes.size()));
    }
    return true;
  });
}

base::Result<base::Sha256> load_node(const Cut& cut, int level, uint64_t index) {
  if (level < kRowLevel) {
    const auto leaves = whole_leaves(cut, index << level, (index + 1) << level);
    if (!leaves.is_ok()) return leaves.status();
    return root_of(leaves->begin(), level);
  }
  std::string bytes;
  const auto found = cut.get(Table::kTree, tree_key(level, index), bytes);
  if (!found.is_ok()) return found.status();
  if (!*found || bytes.size() != kHashBytes) {
    return corrupt(fmt::format("the tree over the log lacks node {} of level {}; restore the ledger from a copy", index, level));
  }
  return hash_at(bytes, 0);
}

base::Result<TreeEdge> load_edge(const Cut& cut, uint64_t size) {
  const uint64_t begin = size / kTileLeaves * kTileLeaves;
  const auto leaves = whole_leaves(cut, begin, size);
  if (!leaves.is_ok()) return leaves.status();
  base::Status status;
  TreeEdge edge(size, [&](int level, uint64_t index) {
    if (level < kRowLevel) return root_of(leaves->begin() + static_cast<ptrdiff_t>((index << level) - begin), level);
    auto node = load_node(cut, level, index);
    if (node.is_ok()) return *node;
    status = node.status();
    return base::Sha256{};
  });
  if (!status.is_ok()) return status;
  return edge;
}

}  // namespace ledger
