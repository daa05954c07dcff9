// Checkpoints (c2sp.org/tlog-checkpoint): how large the log was and under which root, signed. And the standard proof of one event
// (c2sp.org/tlog-proof).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/note.h"

namespace ledger {

/// Of `promised` events `kept` were left, and event `seq` accepts that.
struct StatedLoss {
  uint64_t seq = 0;
  uint64_t promised = 0;
  uint64_t kept = 0;
  /// Whether a tree of `size` leaves held events that were lost.
  bool covers(uint64_t size) const { return kept < size && size <= promised; }
  bool operator==(const StatedLoss&) const = default;
};

struct Checkpoint {
  std::string origin;
  uint64_t size = 0;
  base::Sha256 root{};
  std::vector<StatedLoss> losses = {};  // among the events since the checkpoint before: mostly none

  std::string text() const;
  /// kInvalidArgument: not the text of a checkpoint. Extension lines of others are passed over.
  static base::Result<Checkpoint> parse(std::string_view text);
  /// The checkpoint of a note, once one of `keys` is known to have signed it. Errors as open_note().
  static base::Result<Checkpoint> open(std::string_view note, const std::vector<NoteKey>& keys);
  bool operator==(const Checkpoint&) const = default;
};

/// Origin, and name of the key, of a ledger.
std::string checkpoint_origin(std::string_view ledger_id);

/// That an event is leaf `index` of the tree of a checkpoint.
struct TlogProof {
  uint64_t index = 0;
  std::vector<base::Sha256> path;
  std::string checkpoint;  // the signed note as it is

  std::string text() const;
  static base::Result<TlogProof> parse(std::string_view text);
};

}  // namespace ledger
