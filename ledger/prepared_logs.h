// Write-ahead log files that are written to before they are needed, so that a sync has only data to bring to disk, no new blocks
// and no new size: 1.3 times the rate of synced writes. Why: docs/adr/0006-prepared-log-files.md.
#pragma once

#include <rocksdb/file_system.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace ledger {

/// The file system below the engine, but a new log file is one that was filled with zeros in the background, if one is ready.
///
/// Owns:    one spare file in the database's folder, and a thread that fills it. Only for one database.
/// Threads: any, as the engine calls.
/// Errors:  none of its own: where a spare cannot be made or used, log files are made as ever.
class PreparedLogs final : public rocksdb::FileSystemWrapper {
 public:
  static constexpr const char* kSpareName = "spare-log";
  static constexpr uint64_t kPreparedBytes = 64u << 20;  // max_total_wal_size: a log file hardly ever outgrows it
  static constexpr uint64_t kRoomBytes = 1u << 30;       // with less room on the disk than this, none is made

  PreparedLogs(const std::shared_ptr<rocksdb::FileSystem>& below, std::string folder, uint64_t prepared_bytes = kPreparedBytes);
  ~PreparedLogs() override;
  const char* Name() const override { return "PreparedLogs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;
  /// A log file that is done with becomes the next spare, unless a backup has it too.
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;

  /// From here on there is to be a spare; before, nothing is written. A ledger that takes a few events a day needs none.
  void begin();
  /// Waits until a spare is ready or cannot be made; for tests and benchmarks.
  bool wait_for_spare();
  uint64_t taken() const;  // log files that were prepared ones

 private:
  enum class State { kIdle, kWanted, kFilling, kReady, kGivenUp };
  void run();
  bool fill();

  const std::string spare_;
  const uint64_t prepared_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kIdle;  // guarded by mutex_, as all below
  uint64_t taken_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace ledger
