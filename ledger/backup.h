// A ledger folder beside the ledger: made while it runs, put back when it is lost.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/head_file.h"
#include "ledger/import.h"
#include "ledger/store.h"

namespace ledger {

struct HeldLedger {
  std::string ledger_id;
  uint64_t events = 0;
  base::Sha256 root{};
  int64_t time_ns = 0;  // of the last event
};

/// An open ledger, ready to be backed up as it stands. May outlive it.
///
/// Owns:    its share of the store; borrows the views. Threads: one at a time; blocks for as long as reading everything takes.
class Backup {
 public:
  /// `ledger`: its folder. `held`: what there is at least.
  Backup(std::shared_ptr<Store> store, std::filesystem::path ledger, HeadSlot held, std::span<const View* const> views)
      : store_(std::move(store)), ledger_(std::move(ledger)), held_(std::move(held)), views_(views) {}

  /// Links the tables (on the same disk; copies them else) into a new folder, with a HEAD that promises `held` and the key files, and reads
  /// all of it again. The folder appears once it is known to be whole. The writer goes on. kAlreadyExists: there is something at `folder`.
  /// kConflict: it is being made already.
  base::Result<HeldLedger> make(const std::filesystem::path& folder, const LongWork& progress) const;

 private:
  const std::shared_ptr<Store> store_;
  const std::filesystem::path ledger_;
  const HeadSlot held_;
  const std::span<const View* const> views_;
};

/// Reads a folder that nothing has open: events, tree and documents, up to what its HEAD promises.
/// kCorruption: names what is wrong first.
base::Result<HeldLedger> verify_backup(const std::filesystem::path& folder, std::span<const View* const> views, const LongWork& progress);

/// The key pair checkpoints are signed with, as far as it is there.
base::Status copy_key_files(const std::filesystem::path& from, const std::filesystem::path& to);

/// Verifies a backup, copies it, verifies the copy, puts it in place. Errors as Backup::make().
base::Result<HeldLedger> restore(const std::filesystem::path& backup, const std::filesystem::path& folder, std::span<const View* const> views,
                                 const LongWork& progress);

}  // namespace ledger
