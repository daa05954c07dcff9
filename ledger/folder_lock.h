// Keeps a second process out of a ledger's folder.
#pragma once

#include <filesystem>

#include "base/status.h"

namespace ledger {

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
