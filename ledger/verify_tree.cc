#include "ledger/verify_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/counted.h"
#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"
#include "ledger/tree_rows.h"

namespace ledger {

TreeCheck::TreeCheck(const Cut& cut, uint64_t from, uint64_t head, Findings& findings) : cut_(cut), head_(head), findings_(findings) {
  const uint64_t begin = from - 1;
  const Nodes tops = stored_nodes(kChunkLevels, 0, begin / kChunk);
  for (uint64_t chunk = 0; chunk < tops.size(); ++chunk) {
    tops_.push_back(tops[chunk].value_or(base::Sha256{}));
    if (!tops[chunk]) findings_.add(0, fmt::format("the tree lacks node {} of level {}", chunk, kChunkLevels));
  }
  const uint64_t first = begin / kChunk * kChunk;
  auto edge = load_edge(cut_, first);
  if (edge.is_ok()) {
    edge_ = *edge;
  } else {
    findings_.add(0, edge.status().message());
  }
  if (head_ == 0) return;
  begin_chunk(begin / kChunk);
  for (uint64_t index = first; index < begin; ++index) {
    leaves_.push_back(stored_[index - first].value_or(base::Sha256{}));
    edge_.append(leaves_.back(), [](int, uint64_t, const base::Sha256&) {});
  }
}

TreeCheck::Nodes TreeCheck::stored_leaves(uint64_t from, uint64_t to) {
  Nodes leaves;
  const base::Status loaded = load_leaves(cut_, from, to, leaves, [&](std::string wrong) { findings_.add(0, std::move(wrong)); });
  if (loaded.is_ok()) return leaves;
  findings_.add(0, fmt::format("leaves of the tree of events {} to {} cannot all be read: {}", from + 1, to, loaded.message()));
  for (uint64_t index = from; index < to; ++index) {
    if (leaves[index - from]) continue;
    if (auto leaf = load_node(cut_, 0, index); leaf.is_ok()) leaves[index - from] = *leaf;
  }
  return leaves;
}

TreeCheck::Nodes TreeCheck::stored_nodes(int level, uint64_t from, uint64_t to) {
  Nodes nodes(to - from);
  const base::Status scanned = cut_.sweep(Table::kTree, tree_key(level, from), tree_key(level, to), [&](std::string_view key, std::string_view bytes) {
    if (key.size() != 9 || bytes.size() != sizeof(base::Sha256)) {
      findings_.add(0, fmt::format("the tree has a row {} of {} bytes that is no node", base::hex(key), bytes.size()));
      return true;
    }
    auto& node = nodes[read_u64(key, 1) - from].emplace();
    std::memcpy(node.data(), bytes.data(), node.size());
    return true;
  });
  if (scanned.is_ok()) return nodes;
  findings_.add(0, fmt::format("nodes {} to {} of level {} of the tree cannot all be read: {}", from, to - 1, level, scanned.message()));
  for (uint64_t index = from; index < to; ++index) {
    if (nodes[index - from]) continue;
    if (auto node = load_node(cut_, level, index); node.is_ok()) nodes[index - from] = *node;
  }
  return nodes;
}

void TreeCheck::begin_chunk(uint64_t chunk) {
  chunk_ = chunk;
  leaves_.clear();
  stored_ = stored_leaves(chunk << kChunkLevels, std::min((chunk + 1) << kChunkLevels, head_));
}

/// Whether what is above the leaf is made of the events as they are now, so that it is leaves that were changed: the node over its tile, or
/// where the tile is not full a root that is known.
bool TreeCheck::events_fit(uint64_t index) {
  const uint64_t tile = index / kTileLeaves, begin = tile * kTileLeaves;
  if (judged_ == tile && index < judged_until_) return events_fit_;
  judged_ = tile;
  judged_until_ = begin + kTileLeaves;
  events_fit_ = false;
  TreeEdge made;
  std::optional<base::Sha256> above;
  if (judged_until_ <= head_) {
    if (const auto node = load_node(cut_, kRowLevel, tile); node.is_ok()) above = *node;
  } else {
    const auto behind = known_.upper_bound(head_);
    if (behind == known_.begin() || std::prev(behind)->first <= index) return false;
    judged_until_ = std::prev(behind)->first;
    above = std::prev(behind)->second;
    const auto before = load_edge(cut_, begin);
    if (!before.is_ok()) return false;
    made = *before;
  }
  for (uint64_t i = begin; i < judged_until_; ++i) {
    const auto words = load_event(cut_, i + 1);
    const auto& leaf = stored_[i % kChunk];
    if (!words.is_ok() && !leaf) return false;
    made.append(words.is_ok() ? leaf_hash(as_bytes(*words)) : *leaf, [](int, uint64_t, const base::Sha256&) {});
  }
  return events_fit_ = above == made.root();
}

bool TreeCheck::add(uint64_t seq, std::optional<base::Sha256> leaf) {
  const uint64_t index = seq - 1;
  if (leaves_.size() == kChunk) {
    end_chunk();
    begin_chunk(index / kChunk);
  }
  const std::optional<base::Sha256>& stored = stored_[leaves_.size()];
  bool whole = leaf.has_value();
  base::Sha256 counts = leaf ? *leaf : stored.value_or(base::Sha256{});
  if (leaf && !stored) {
    findings_.add(0, fmt::format("the tree lacks the leaf of event {}", seq));
  } else if (leaf && *leaf != *stored) {
    if (events_fit(index)) {
      findings_.add(0, fmt::format("the leaf of event {} in the tree was changed; the event itself is whole", seq));
    } else {
      findings_.add(seq, fmt::format("event {} does not have the bytes its tree was made of", seq));
      counts = *stored;
      whole = false;
    }
  }
  leaves_.push_back(counts);
  edge_.append(counts, [](int, uint64_t, const base::Sha256&) {});
  if (const auto wanted = roots_.find(edge_.size()); wanted != roots_.end()) wanted->second = edge_.root();
  return whole;
}

void TreeCheck::compare(int level, uint64_t index, const base::Sha256& made, const std::optional<base::Sha256>& found) {
  const uint64_t first = (index << level) + 1, last = (index + 1) << level;
  if (!found) {
    findings_.add(0, fmt::format("the tree lacks node {} of level {}, over events {} to {}", index, level, first, last));
  } else if (*found != made) {
    findings_.add(0, fmt::format("node {} of level {} of the tree, over events {} to {}, is not made of the leaves below it", index, level, first, last));
  }
}

void TreeCheck::end_chunk() {
  std::vector<base::Sha256> below = leaves_;
  for (int level = 1; level <= kChunkLevels && below.size() > 1; ++level) {
    const uint64_t first = (chunk_ << kChunkLevels) >> level;
    std::vector<base::Sha256> made;
    for (size_t i = 0; 2 * i + 1 < below.size(); ++i) made.push_back(node_hash(below[2 * i], below[2 * i + 1]));
    if (level >= kRowLevel) {
      const Nodes found = stored_nodes(level, first, first + made.size());
      for (size_t i = 0; i < made.size(); ++i) compare(level, first + i, made[i], found[i]);
    }
    below = std::move(made);
  }
  if (leaves_.size() == kChunk) tops_.push_back(below[0]);
}

void TreeCheck::finish() {
  if (!leaves_.empty()) end_chunk();
  std::vector<base::Sha256> below = tops_;
  for (int level = kChunkLevels + 1; level < 64 && below.size() > 1; ++level) {
    const Nodes found = stored_nodes(level, 0, below.size() / 2);
    std::vector<base::Sha256> made;
    for (size_t i = 0; 2 * i + 1 < below.size(); ++i) {
      made.push_back(node_hash(below[2 * i], below[2 * i + 1]));
      compare(level, i, made[i], found[i]);
    }
    below = std::move(made);
  }
  for (int level = 0; level < 256; ++level) {
    const bool has_rows = level == 0 || (level >= kRowLevel && level < 64);
    const uint64_t nodes = has_rows ? head_ >> level : 0;
    uint64_t too_many = 0;
    const std::string end = level < 255 ? tree_key(level + 1, 0) : std::string();
    const base::Status scanned = cut_.scan(Table::kTree, tree_key(level, nodes), end, [&](std::string_view, std::string_view) {
      too_many += 1;
      return true;
    });
    if (too_many > 0) findings_.add(0, fmt::format("the tree has {} too many of level {}, from node {} on", base::counted(too_many, "row"), level, nodes));
    if (!scanned.is_ok()) findings_.add(0, fmt::format("the tree cannot be read behind node {} of level {}: {}", nodes, level, scanned.message()));
  }
}

std::optional<base::Sha256> TreeCheck::root(uint64_t size) const {
  if (size == edge_.size()) return edge_.root();
  const auto known = roots_.find(size);
  return known == roots_.end() ? std::nullopt : known->second;
}

}  // namespace ledger
