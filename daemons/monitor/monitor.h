// monitord: finds finished runs in the raw folders of every instrument and tells the ledger.
#pragma once

#include <kj/async.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"
#include "daemons/monitor/candidates.h"
#include "daemons/monitor/folder_watch.h"
#include "daemons/monitor/raw_file_reader.h"
#include "daemons/port.h"
#include "schema/api.capnp.h"

namespace rpc {
class Loop;
}

namespace daemons {

struct MonitorSettings {
  std::string name = "monitord";
  CompletenessPolicy completeness;
  FolderWatchSettings folders;
  ReaderPoolSettings reader;  // program empty = runledger-read-raw beside this program
  SubmitterSettings submitter;
  int64_t alive_ms = 5'000;            // between signs of life
  int64_t last_run_ms = 1'000;         // between readings of lastrun.txt
  int64_t list_patience_ms = 10'000;   // what is found is not held back longer than this for the sake of order
  size_t waiting_commands = 256;       // no more files are examined while so many wait for the ledger
  // For a simulation or a test; empty = inotify, and child processes. The watch may be null: then folders are listed.
  std::function<std::unique_ptr<FileWatch>(rpc::Loop&)> make_watch;
  std::function<std::unique_ptr<RawFileReader>(rpc::Loop&)> make_reader;
};

/// Watches every configured instrument's folders, decides when a file is complete, has it read, and submits detectRun or
/// refuseFile. What the ledger already has is not examined again; what appeared while nobody watched is found by the first listing.
///
/// Owns:    its readers and watches. Borrows the loop, the launcher and the clock, which must outlive it.
/// Threads: loop thread.
/// Errors:  trouble with a file or a folder is logged, told in alive() and leaves the others alone. run() is rejected when the
///          connection breaks: drop the Monitor, connect again, make a new one.
class Monitor {
 public:
  Monitor(rpc::Loop& loop, schema::Session::Client session, MonitorSettings settings, ProcessLauncher& launcher,
          const base::Clock& clock);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Works until dropped; call once. Drop the promise before the Monitor.
  kj::Promise<void> run();

  /// As told to the ledger: "2 instruments, 3 folders, 1 file waiting; MARI: /archive/NDXMARI: missing".
  std::string detail() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace daemons
