// Keeps a second process out of a ledger's folder.
#pragma once

#include <filesystem>

#include "base/status.h"

namespace ledger {

struct LockHolder {
  bool held = false;
  int process = 0;  // 0 = not known
};
/// Who has a ledger open, as the kernel says; nothing is written, not even the lock file.
LockHolder lock_holder(const std::filesystem::path& folder);

/// Owns:    the lock, while it lives; it ends with the process at the latest.
/// Threads: one. Errors: kConflict when another process has it, kUnavailable when the file cannot be opened.
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  base::Status lock(const std::filesystem::path& folder);

 private:
  int file_ = -1;
};

}  // namespace ledger
