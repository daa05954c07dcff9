// Signing checkpoints, and keeping every one in the witness file, outside of the ledger. Why: docs/engine.md, "Proving".
#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ledger/ledger.h"
#include "ledger/proof/note.h"
#include "ledger/proof/witness_file.h"

namespace ledger {

/// Signs checkpoints and appends them to the witness file, never two that contradict each other: except behind a loss that an event of the log
/// accepts. The first checkpoint behind it states the loss, and those that went with it stay in the file.
///
/// Owns:    the key. Threads: any; one signs, others wait.
/// Errors:  Status; nothing is written then, and problem() says why until a checkpoint could be signed again.
class Witness {
 public:
  /// `key` may be the reason why there is none.
  Witness(base::Result<SigningKey> key, std::filesystem::path file) : key_(std::move(key)), file_(std::move(file)) {}

  /// The signed checkpoint of all that `snapshot` shows, or the last one of the file when that is as far. Before it signs, the events since
  /// the last one are read back, hashed and led up to the root. Blocks: reads that many events, and syncs the file.
  /// kNotFound: the log is empty. kConflict: a later snapshot was signed before this one. kCorruption: what is stored is not what was appended, or no
  /// continuation of the file's last checkpoint that no loss explains.
  base::Result<std::string> sign(const Snapshot& snapshot, int64_t now_ns);
  base::Status problem() const;
  const base::Result<SigningKey>& key() const { return key_; }
  const std::filesystem::path& file() const { return file_; }

 private:
  base::Result<std::string> sign_next(const Snapshot& snapshot, int64_t now_ns);
  base::Status not_continued(const Checkpoint& last, uint64_t size, const base::Sha256& root) const;
  base::Status append(std::string_view note, int64_t now_ns) const;

  const base::Result<SigningKey> key_;
  const std::filesystem::path file_;
  std::mutex signing_;
  uint64_t signed_size_ = 0;  // by this process; guarded by signing_
  mutable std::mutex mutex_;
  base::Status problem_;  // guarded by mutex_
};

}  // namespace ledger
