// The tree over the log, compared with the events below and itself, node by node.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ledger/proof/merkle.h"
#include "ledger/verify.h"

namespace ledger {

/// Takes the leaves in order and compares every node that has a row with what its leaves make.
///
/// Owns:    the leaves of 4096 events at a time, and one hash for each 4096 before. Borrows cut and findings.
/// Threads: one. Errors: in the findings. Where event and leaf differ, the node above, or a root that is known, says which of them is wrong; what is wrong is left
///          out of what is above it, so one damage is one finding.
class TreeCheck {
 public:
  /// The first leaf to come is that of event `from`; those before are taken as stored.
  TreeCheck(const Cut& cut, uint64_t from, uint64_t head, Findings& findings);

  /// False: the event is not the one the tree was made of. nullopt: it could not be read.
  bool add(uint64_t seq, std::optional<base::Sha256> leaf);
  /// Call behind the last event: the nodes further up, and those there should not be.
  void finish();

  /// The root at this size is wanted later; call before the first add().
  void want_root(uint64_t size) { roots_[size]; }
  /// The root at this size as HEAD or a checkpoint has it; where no node stands above a leaf it tells a changed leaf from a changed event.
  void know_root(uint64_t size, const base::Sha256& root) { known_[size] = root; }
  /// nullopt: a size that was not passed.
  std::optional<base::Sha256> root(uint64_t size) const;

 private:
  static constexpr int kChunkLevels = 12;
  static constexpr uint64_t kChunk = uint64_t{1} << kChunkLevels;
  using Nodes = std::vector<std::optional<base::Sha256>>;

  void begin_chunk(uint64_t chunk);
  void end_chunk();
  Nodes stored_leaves(uint64_t from, uint64_t to);
  Nodes stored_nodes(int level, uint64_t from, uint64_t to);
  bool events_fit(uint64_t index);
  void compare(int level, uint64_t index, const base::Sha256& made, const std::optional<base::Sha256>& found);

  const Cut& cut_;
  const uint64_t head_;
  Findings& findings_;
  uint64_t chunk_ = 0;
  Nodes stored_;                      // leaves of this chunk
  std::vector<base::Sha256> leaves_;  // of this chunk, as far as they came
  std::optional<uint64_t> judged_;    // the tile events_fit() looked at last
  uint64_t judged_until_ = 0;         // and up to which size
  bool events_fit_ = false;
  std::map<uint64_t, base::Sha256> known_;
  std::vector<base::Sha256> tops_;              // of the complete chunks before
  TreeEdge edge_;
  std::map<uint64_t, std::optional<base::Sha256>> roots_;
};

}  // namespace ledger
