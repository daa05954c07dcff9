#include "ledger/prepared_logs.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace ledger {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kFirstAheadBytes = 64u << 10;  // a ledger that takes a few events a day needs no more
constexpr uint64_t kLargeWriteBytes = 8u << 10;  // such writes bring blocks and a size for many events at a time

/// One log file at work. The engine cuts it to its records when it closes it, as it does with what it allocated ahead.
class PreparedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  PreparedLog(std::unique_ptr<rocksdb::FSWritableFile> below, int descriptor, uint64_t room_bytes)
      : FSWritableFileOwnerWrapper(std::move(below)), descriptor_(descriptor), room_bytes_(room_bytes) {}
  ~PreparedLog() override { ::close(descriptor_); }

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    prepare(data.size());
    const rocksdb::IOStatus written = FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (written.ok()) end_ += data.size();
    return written;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options, const rocksdb::DataVerificationInfo& sums,
                           rocksdb::IODebugContext* debug) override {
    prepare(data.size());
    const rocksdb::IOStatus written = FSWritableFileOwnerWrapper::Append(data, options, sums, debug);
    if (written.ok()) end_ += data.size();
    return written;
  }

 private:
  /// Zeros behind the `size` bytes that come next, on disk with the sync that brings these there.
  void prepare(size_t size) {
    const uint64_t next = end_ + size;
    if (size >= kLargeWriteBytes || next <= zeros_end_) return;
    struct statvfs disk {};
    if (::fstatvfs(descriptor_, &disk) != 0 || static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize < room_bytes_) return;
    const uint64_t ahead = std::clamp(next, kFirstAheadBytes, PreparedLogs::kAheadBytes);
    const uint64_t to = (next + ahead) / kPageBytes * kPageBytes;
    static const std::vector<char> zeros(PreparedLogs::kAheadBytes);
    const ssize_t written = ::pwrite(descriptor_, zeros.data(), to - next, static_cast<off_t>(next));
    if (written > 0) zeros_end_ = next + static_cast<uint64_t>(written);
  }

  const int descriptor_;
  const uint64_t room_bytes_;
  uint64_t end_ = 0;        // of the records
  uint64_t zeros_end_ = 0;  // of the zeros behind them; less than end_ when there are none
};

}  // namespace

rocksdb::IOStatus PreparedLogs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) {
  rocksdb::IOStatus made = target()->NewWritableFile(name, options, file, debug);
  if (!made.ok() || !name.ends_with(".log")) return made;
  // A descriptor of its own: the engine's keeps where it writes.
  if (const int descriptor = ::open(name.c_str(), O_WRONLY | O_CLOEXEC); descriptor >= 0) {
    *file = std::make_unique<PreparedLog>(std::move(*file), descriptor, room_bytes_);
  }
  return made;
}

}  // namespace ledger
