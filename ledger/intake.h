// A ledger folder that nothing has open is filled with events recorded elsewhere. For imports and salvage.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "ledger/head_file.h"
#include "ledger/rules.h"
#include "ledger/store.h"
#include "ledger/uptake.h"

namespace ledger {

/// Takes stored events as they are (ledger/uptake.h), in batches.
///
/// Owns:    the folder (locked), and up to one batch that is not written yet. Borrows the views.
/// Threads: one. Errors: Status; after one nothing more is taken. What was written before stays a whole, shorter ledger.
class Intake {
 public:
  /// The ledger `id` of a folder, empty and new where none is. kConflict: it is another ledger. Else as Ledger::open().
  static base::Result<std::unique_ptr<Intake>> open(const std::filesystem::path& folder, std::string_view id, const Rules& rules,
                                                    const base::Clock& clock);
  /// Writes nothing: end with finish().
  ~Intake();

  uint64_t head() const { return uptake_.state().head(); }
  const TreeEdge& edge() const { return uptake_.state().edge; }
  /// The next event, with documents it names. kCorruption: it cannot stand there (seq, time, size, cause).
  base::Status add(std::string_view event, const std::vector<std::string>& blobs);
  /// All of it on disk, and promised in HEAD.
  base::Status finish();

 private:
  Intake(std::shared_ptr<Store> store, const LogState& state, std::unique_ptr<HeadFile> head_file, std::shared_ptr<base::Status> head_fault, const Rules& rules);
  base::Status write();

  const std::shared_ptr<Store> store_;
  Uptake uptake_;
  const std::shared_ptr<base::Status> head_fault_;  // written by its thread; read once that has ended
  std::unique_ptr<HeadFile> head_file_;             // ends first
};

}  // namespace ledger
