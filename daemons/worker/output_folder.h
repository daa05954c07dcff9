// The directory of a version's output while it is made, and how it appears: whole, by rename, or not at all (promise P7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "daemons/worker/file_bytes.h"

namespace daemons {

// Every function here blocks: run it on the pool. Paths are bytes as the file system has them; messages are UTF-8.

/// Where attempt `attempt` writes: hidden, beside the final directory, so that the rename stays in one file system.
std::string staging_path(const std::string& output_directory, uint16_t attempt, uint64_t fence);
/// Makes `path` and what is missing above it; what was made is durable.
base::Status make_folders(const std::string& path);
/// Makes the staging directory and what is missing above it. The message names path and cause.
base::Status make_staging(const std::string& staging);

enum class FolderState { kMissing, kEmpty, kFilled, kOther /* a file, a symlink, ... */ };
FolderState folder_state(const std::string& path);

struct OutputEntry {
  std::string path;  // relative to the directory
  uint64_t size_bytes = 0;
  base::Sha256 sha256{};
  bool declared = false;  // the script named it as a result
};
struct OutputListing {
  std::vector<OutputEntry> files;     // sorted by path
  std::vector<std::string> problems;  // what is no regular file, one sentence each
  uint64_t total_bytes = 0;
};

/// Every regular file below `directory` with its hash; symlinks are not followed. With `sync`, files and directories are on disk
/// when it returns. kUnavailable when `stop` was set meanwhile.
base::Result<OutputListing> list_output(const std::string& directory, bool sync, const StopFlag& stop);

/// Paths of the regular files below `directory`, relative to it and sorted; none where it cannot be listed.
std::vector<std::string> names_below(const std::string& directory);

/// Renames `staging` to `final`, never over anything, and makes the new name durable. kAlreadyExists, kNotFound (no staging).
base::Status publish_folder(const std::string& staging, const std::string& final);
/// Moves what a failed attempt wrote to a free name that begins with `wanted`; empty or missing folders are removed instead.
/// The value is the new path, empty when there was nothing to keep.
base::Result<std::string> keep_folder(const std::string& staging, const std::string& wanted, uint64_t fence);
/// Removes a directory and all below it, also where a script took away its own permissions. Missing is fine.
base::Status remove_folder(const std::string& path);

}  // namespace daemons
