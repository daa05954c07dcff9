// Signing checkpoints, and keeping every one in the witness file, outside of the ledger. Why: docs/engine.md, "Proving".
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ledger/ledger.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/note.h"
#include "ledger/proof/stated_loss.h"
#include "ledger/proof/witness_file.h"

namespace ledger {

/// Signs checkpoints and appends them to the witness file, never two that contradict each other: except behind a loss that an event of the log
/// accepts. The first checkpoint behind it states the loss, and those that went with it stay in the file. In the copy of another ledger nothing is
/// signed: that one's checkpoints take their place, as far as the copy has reached them.
///
/// Owns:    the key. Threads: any; one signs, others wait.
/// Errors:  Status; nothing is written then, and problem() says why until a checkpoint could be signed again.
class Witness {
 public:
  /// `key` may be the reason why there is none.
  Witness(base::Result<SigningKey> key, std::filesystem::path file);
  /// In a copy: `source` has signed.
  Witness(NoteKey source, std::filesystem::path file) : key_(std::move(source)), file_(std::move(file)) {}

  /// The signed checkpoint of all that `snapshot` shows, or the last one of the file when that is as far. Before it signs, the events since
  /// the last one are read back, hashed and led up to the root. Blocks: reads that many events, and syncs the file.
  /// kNotFound: the log is empty. kConflict: a later snapshot was signed before this one. kCorruption: what is stored is not what was appended, or no
  /// continuation of the file's last checkpoint that no loss explains.
  base::Result<std::string> sign(const Snapshot& snapshot, int64_t now_ns);
  /// The same for somebody who keeps it himself: the file is not written, and read before the first one only. It may be of more than
  /// `snapshot` shows, or in a copy of less.
  base::Result<std::string> vouch(const Snapshot& snapshot, int64_t now_ns);
  base::Status problem() const;
  const base::Result<NoteKey>& key() const { return key_; }
  const std::filesystem::path& file() const { return file_; }

  /// What was read since a checkpoint: the tree, and the losses accepted meanwhile.
  struct Grown {
    TreeEdge edge;
    std::vector<LossOnRecord> losses;
  };

 private:
  struct Held {
    std::string note;
    TreeEdge edge;  // of as many events
  };
  base::Result<std::string> sign_next(const Snapshot& snapshot, int64_t now_ns);
  base::Result<std::string> note_of(const Grown& grown, const Snapshot& snapshot) const;
  base::Status not_continued(const Checkpoint& last, uint64_t size, const base::Sha256& root) const;
  base::Status append(std::string_view note, int64_t now_ns) const;

  const std::optional<SigningKey> signer_;  // none in a copy, or where there is none
  const base::Result<NoteKey> key_;         // who signs; or why nobody does
  const std::filesystem::path file_;
  std::mutex signing_;
  uint64_t signed_size_ = 0;  // by this process; guarded by signing_, as all below
  Held last_;                 // the newest, in the file or vouched for
  mutable std::mutex mutex_;
  base::Status problem_;  // guarded by mutex_
};

}  // namespace ledger
