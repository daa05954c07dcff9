// The tree over the log as rows: hashes of leaves by group, and nodes over 256 leaves and more. docs/formats/event_log.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/merkle.h"
#include "ledger/store.h"

namespace ledger {

/// Nodes from this level on have rows of their own; those below are made of the leaves when they are asked for.
inline constexpr int kRowLevel = 8;
/// Leaves below such a node. No row of leaves goes beyond them.
inline constexpr uint64_t kTileLeaves = uint64_t{1} << kRowLevel;

/// Of a node, or of a row of leaves (level 0), whose first leaf is `index`.
std::string tree_key(int level, uint64_t index);

/// What a group adds to the tree.
///
/// Owns:    the leaves that have no row yet. Threads: one at a time. Errors: none.
class TreeRows {
 public:
  /// Adds a leaf; nodes that are complete with it go into the batch.
  void append(TreeEdge& edge, const base::Sha256& leaf, const Cut& cut, Store::Batch& batch);
  /// The rest of the leaves; call once before the batch is written.
  void emit(const Cut& cut, Store::Batch& batch);
  /// Forgets the group.
  void clear() { leaves_.clear(); }

 private:
  uint64_t first_ = 0;
  std::string leaves_;
};

/// Hashes of leaves as they are stored, from index `from`, a multiple of kTileLeaves, to `to`. A row that does not fit there is told to
/// `wrong` and left out; an error of the store ends the reading of what lies behind it, and is the answer.
using StoredLeaves = std::vector<std::optional<base::Sha256>>;
base::Status load_leaves(const Cut& cut, uint64_t from, uint64_t to, StoredLeaves& leaves, const std::function<void(std::string)>& wrong);

/// One complete node. kCorruption where it is not there, or what it is made of.
base::Result<base::Sha256> load_node(const Cut& cut, int level, uint64_t index);
/// The right edge of the tree at a size it has or had.
base::Result<TreeEdge> load_edge(const Cut& cut, uint64_t size);

}  // namespace ledger
