// Write-ahead log files that are written to before they are needed, so that a sync has only data to bring to disk, no new blocks
// and no new size: 1.4 times the rate of small synced writes. Why: docs/adr/0006-prepared-log-files.md.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <string>

namespace ledger {

/// The file system below the engine, but a log file at work that takes small records has zeros behind the last one.
///
/// Owns:    a second descriptor of each such file.
/// Threads: any, as the engine calls.
/// Errors:  none of its own: where zeros cannot be written, the log grows as ever.
class PreparedLogs final : public rocksdb::FileSystemWrapper {
 public:
  static constexpr uint64_t kAheadBytes = 256u << 10;  // at most; one sync in a hundred then takes them to disk
  static constexpr uint64_t kRoomBytes = 1u << 30;   // with less room on the disk than this, none are written

  explicit PreparedLogs(const std::shared_ptr<rocksdb::FileSystem>& below, uint64_t room_bytes = kRoomBytes)
      : FileSystemWrapper(below), room_bytes_(room_bytes) {}
  const char* Name() const override { return "PreparedLogs"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) override;

 private:
  const uint64_t room_bytes_;
};

}  // namespace ledger
