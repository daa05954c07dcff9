// Being told at once what changes in a folder.
#pragma once

#include <kj/async.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace rpc {
class Loop;
}

namespace daemons {

struct FileChange {
  enum class Kind {
    kCreated,         // a name appeared; its writer has yet to close it
    kClosed,          // a writer closed it
    kMovedIn,         // renamed into the folder
    kGone,            // renamed away or deleted
    kAttributes,
    kFolderAppeared,  // a sub-folder was made or moved in
    kFolderGone,      // the watched folder itself was deleted, moved or unmounted; `name` is empty
    kLost,            // more happened than could be told; `folder` and `name` are empty
  };
  Kind kind;
  std::string folder;  // as given to watch()
  std::string name;
};

/// What the operating system tells about changes in folders.
///
/// Owns:    its watches. Threads: loop thread. A simulation has its own.
/// Errors:  Status of watch(); a folder that cannot be watched must be listed from time to time.
class FileWatch {
 public:
  virtual ~FileWatch() noexcept(false) = default;
  /// Changes directly in `folder`, not below, from when this is fulfilled. Again is harmless. kUnavailable: the system's limit on
  /// watches is reached.
  virtual kj::Promise<base::Status> watch(const std::string& folder) = 0;
  virtual void forget(const std::string& folder) = 0;
  /// The next changes, at least one, in order. One waiter at a time.
  virtual kj::Promise<std::vector<FileChange>> changes() = 0;
};

/// inotify on `loop`. kUnavailable: the system's limit on inotify instances is reached.
base::Result<std::unique_ptr<FileWatch>> make_inotify_watch(rpc::Loop& loop);

}  // namespace daemons
