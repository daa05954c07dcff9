// One folder's files and sub-folders, read in one go.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemons/monitor/file_name.h"
#include "daemons/monitor/sighting.h"

namespace daemons {

/// Which folder a path leads to, and when it was last changed; zeros = it is not there.
struct FolderState {
  uint64_t device = 0, inode = 0;
  int64_t modified_ns = 0;
};

struct FolderListing {
  std::string failure;   // why it could not be read, or not to its end
  bool missing = false;
  bool network = false;  // on a file server: changes made elsewhere cause no inotify event here
  FolderState state;
  std::vector<std::pair<std::string, FileStamp>> files;  // names, with their state
  std::vector<std::string> folders;                      // names; hidden ones are left out, links to folders too
};

/// Reads one folder. May block on a file server: call it on the pool.
FolderListing list_folder(const std::string& folder, const NameFilter& filter);

/// May block on a file server: call it on the pool.
std::vector<FolderState> folder_states(const std::vector<std::string>& folders);

/// Text for people that names `folder`, with bytes that are not UTF-8 written \xHH.
std::string shown(const std::string& path);

}  // namespace daemons
