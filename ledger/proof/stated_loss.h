// A loss the log itself states: what was promised, what was held, and which signed checkpoints went with the rest. Why: docs/engine.md,
// "Proving".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "ledger/proof/checkpoint.h"
#include "schema/event.capnp.h"

namespace ledger {

/// A lossAccepted event that tells the truth about the log it stands in.
///
/// Owns: values. Threads: a value.
class LossOnRecord {
 public:
  /// nullopt: `event` accepts no loss, does not stand right behind what was kept, or names another root than `root_before`, which is that of
  /// the tree over the events before it. It may throw kj::Exception as reading the event does.
  static std::optional<LossOnRecord> read(schema::Event::Reader event, const base::Sha256& root_before);

  const StatedLoss& stated() const { return stated_; }
  /// Whether a checkpoint the log does not lead to is one of what was promised and lost. Not where the event names no promise.
  bool explains(const Checkpoint& checkpoint) const;
  /// "event 61 accepts that events 61 to 100 were lost".
  std::string words() const;

 private:
  StatedLoss stated_;
  std::optional<base::Sha256> promised_root_;
};

/// For each checkpoint the loss that explains why a log does not lead to it; null: none does. `checkpoints` in the order they were signed: what
/// was signed when a loss was stated already is not explained by it.
std::vector<const LossOnRecord*> explained_by(const std::vector<Checkpoint>& checkpoints, const std::vector<LossOnRecord>& losses);

}  // namespace ledger
