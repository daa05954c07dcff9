// The files of one instrument's raw folders, noticed as they come, on local disks and file servers, whatever happens to the folders.
#pragma once

#include <kj/async.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemons/monitor/file_name.h"
#include "daemons/monitor/file_watch.h"
#include "daemons/monitor/folder_listing.h"
#include "daemons/monitor/sighting.h"

namespace daemons {

/// Units: milliseconds.
struct FolderWatchSettings {
  int64_t sweep_ms = 60'000;       // every folder listed again: finds what no event tells
  int64_t quick_sweep_ms = 5'000;  // folders without events: those whose time changed are listed
  int64_t retry_ms = 2'000;        // a missing raw folder is looked for again
};

/// Watches raw folders and everything below them, but not through links to folders.
///
/// Owns:    the FileWatch and its memory of folders. Borrows the loop and the listener, which must outlive it.
/// Threads: loop thread; folders are watched and read on the pool, one at a time for each FolderWatch, so that a file server that does not
///          answer holds up one thread of the pool and no other instrument.
/// Errors:  run() ends only with a fault; troubles() says what is missing or cannot be read.
class FolderWatch {
 public:
  class Listener {
   public:
    virtual ~Listener() noexcept(false) = default;
    /// A file with an accepted name. `stamp` comes with Notice::kScanned.
    virtual void saw(const std::string& root, const std::string& path, Notice notice, const std::optional<FileStamp>& stamp) = 0;
    virtual void lost(const std::string& path) = 0;
  };

  /// `watch` null: folders are only listed.
  FolderWatch(rpc::Loop& loop, std::unique_ptr<FileWatch> watch, FolderWatchSettings settings, std::vector<std::string> roots,
              NameFilter filter, Listener& listener);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Watches until dropped; call once.
  kj::Promise<void> run();
  /// Fulfilled when every raw folder that is there has been listed once.
  kj::Promise<void> first_sweep();
  /// Lists everything again now.
  void sweep();

  std::vector<std::string> troubles() const;
  size_t folder_count() const { return folders_.size(); }

 private:
  struct Root {
    std::string path;
    bool missing = false;
    bool listen_only = false;  // no events: quick sweeps instead
    FolderState state;
    std::string trouble;
  };
  struct Task {
    std::string folder;
    size_t root;
    bool deep;  // list every sub-folder too, not only new ones
  };
  struct Known {
    size_t root;
    int64_t modified_ns;
  };

  kj::Promise<void> follow_changes();
  void take(const FileChange& change);
  kj::Promise<void> work();
  kj::Promise<void> rest();
  kj::Promise<void> list(Task task);
  void listed(const Task& task, const FolderListing& listing);
  bool root_listed(const Task& task, const FolderListing& listing);
  kj::Promise<void> deliver(std::string root, std::string folder, std::shared_ptr<FolderListing> listing, size_t from);
  kj::Promise<void> quick_sweep();
  void add(std::string folder, size_t root, bool deep);
  void forget_below(const std::string& folder);
  kj::Promise<void> watch_folder(const std::string& folder, size_t root);
  int64_t now_ms() const;
  void wake();

  rpc::Loop& loop_;
  std::unique_ptr<FileWatch> watch_;
  const FolderWatchSettings settings_;
  const NameFilter filter_;
  Listener& listener_;
  std::vector<Root> roots_;
  std::map<std::string, Known> folders_;
  std::map<std::string, std::string> unreadable_;  // sub-folders, with why
  std::deque<Task> tasks_;
  std::set<std::string> queued_;
  int64_t next_sweep_ms_ = 0, next_quick_ms_ = 0, next_retry_ms_ = 0;
  bool first_done_ = false;
  kj::Own<kj::PromiseFulfiller<void>> first_fulfiller_;
  kj::ForkedPromise<void> first_;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> sleeper_;
};

}  // namespace daemons
