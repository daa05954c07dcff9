// One instrument's part of monitord: its folders, its waiting files, what the ledger has of them.
#pragma once

#include <kj/async.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "daemons/monitor/candidates.h"
#include "daemons/monitor/file_name.h"
#include "daemons/monitor/folder_watch.h"
#include "daemons/monitor/monitor.h"
#include "schema/event.capnp.h"
#include "schema/row.capnp.h"

namespace daemons {

/// What of an instrument's configuration matters here.
struct WatchedInstrument {
  std::string name;
  std::vector<std::string> raw_folders;
  std::vector<std::string> file_patterns;
  std::string run_number_pattern;
  bool by_last_run = false;

  static WatchedInstrument from(schema::InstrumentConfigured::Reader config);
  bool operator==(const WatchedInstrument&) const = default;
};

/// What several instruments share; all outlive them.
struct MonitorServices {
  rpc::Loop& loop;
  const base::Clock& clock;
  const MonitorSettings& settings;
  RawFileReader& reader;
  Submitter& submitter;
  std::function<void()> wake;     // there may be something to examine, or room to do it
  std::function<void()> changed;  // what Monitor::detail() says may read otherwise
};

/// Owns:    its watch, its candidates, its tasks. Threads: loop thread.
/// Errors:  run() is rejected by a fault of ours only; the rest is in troubles().
class InstrumentWatch final : private FolderWatch::Listener, private kj::TaskSet::ErrorHandler {
 public:
  InstrumentWatch(MonitorServices& services, WatchedInstrument instrument);
  ~InstrumentWatch() noexcept(false) override;

  /// What the ledger has on record of a file; before run().
  void record(schema::FileRow::Reader row);
  /// Works until dropped.
  kj::Promise<void> run();

  /// Starts the examination of the next file; nullptr = there is none. `retries` false leaves out those found incomplete before.
  /// The promise ends when the reader is free again, and says so even when this is dropped.
  bool examine_next(bool retries, size_t& readers_busy, size_t& retries_busy);

  const WatchedInstrument& instrument() const { return instrument_; }
  size_t folder_count() const { return folders_.folder_count(); }
  size_t waiting() const { return candidates_.waiting(); }
  std::vector<std::string> troubles() const;

 private:
  struct Record {
    uint64_t seq = 0;
    uint64_t run_number = 0;
    std::string sha256;
    bool refused = false;
  };

  void saw(const std::string& root, const std::string& path, Notice notice, const std::optional<FileStamp>& stamp) override;
  void lost(const std::string& path) override;
  void taskFailed(kj::Exception&& exception) override;

  kj::Promise<void> follow_looks();
  kj::Promise<void> follow_last_run();
  kj::Promise<void> examine(Examination examination);
  void examined(const Examination& examination, kj::Own<capnp::MessageReader> message, const Look& after);
  void refuse_given_up();
  void submit(Command command, const std::string& path, Record record);
  void answered(const std::string& path, Record record, const CommandAnswer& answer);
  std::string root_of(const std::string& path) const;
  Moment now() const;
  void attend();

  MonitorServices& services_;
  const WatchedInstrument instrument_;
  RunNumberRule rule_;
  std::vector<std::string> troubles_;
  Candidates candidates_;
  FolderWatch folders_;
  std::unordered_map<std::string, Record> records_;  // by path as the ledger writes it
  bool last_run_known_ = false;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> sleeper_;
  kj::Own<kj::PromiseFulfiller<void>> fail_;
  kj::TaskSet tasks_;  // last: its tasks use all of the above
};

}  // namespace daemons
