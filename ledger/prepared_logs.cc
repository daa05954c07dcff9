#include "ledger/prepared_logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace ledger {
namespace {

constexpr size_t kZerosAStep = 256u << 10;
constexpr std::chrono::milliseconds kPause{4};  // 64 MB/s at most: syncs of the log at work come first

bool is_log(std::string_view name) { return name.ends_with(".log"); }

/// A backup shares its files with the database it was made of.
bool is_shared(const std::string& name) {
  struct stat found {};
  return ::stat(name.c_str(), &found) != 0 || found.st_nlink > 1;
}

}  // namespace

PreparedLogs::PreparedLogs(const std::shared_ptr<rocksdb::FileSystem>& below, std::string folder, uint64_t prepared_bytes)
    : FileSystemWrapper(below), spare_(std::move(folder) + "/" + kSpareName), prepared_bytes_(prepared_bytes), thread_([this] { run(); }) {}

PreparedLogs::~PreparedLogs() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  ::unlink(spare_.c_str());
}

rocksdb::IOStatus PreparedLogs::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                                std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* debug) {
  if (is_log(name)) {
    std::unique_lock lock(mutex_);
    if (state_ == State::kReady) {
      // Renames the spare and writes from its beginning; what is behind stays zero, which recovery takes for the end.
      const rocksdb::IOStatus used = target()->ReuseWritableFile(name, spare_, options, file, debug);
      state_ = State::kWanted;
      taken_ += used.ok();
      lock.unlock();
      changed_.notify_all();
      if (used.ok()) return used;
    } else if (state_ == State::kGivenUp) {
      state_ = State::kWanted;  // the reason may have passed
      lock.unlock();
      changed_.notify_all();
    }
  }
  return target()->NewWritableFile(name, options, file, debug);
}

rocksdb::IOStatus PreparedLogs::DeleteFile(const std::string& name, const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) {
  if (is_log(name)) {
    std::unique_lock lock(mutex_);
    // Its blocks are there already; given back and asked for again they would cost more than zeros written over them.
    if (state_ == State::kWanted && !is_shared(name) && ::rename(name.c_str(), spare_.c_str()) == 0) {
      lock.unlock();
      changed_.notify_all();
      return rocksdb::IOStatus::OK();
    }
  }
  return target()->DeleteFile(name, options, debug);
}

void PreparedLogs::begin() {
  {
    std::lock_guard lock(mutex_);
    if (state_ != State::kIdle) return;
    state_ = State::kWanted;
  }
  changed_.notify_all();
}

bool PreparedLogs::wait_for_spare() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stop_ || state_ == State::kReady || state_ == State::kGivenUp; });
  return state_ == State::kReady;
}

uint64_t PreparedLogs::taken() const {
  std::lock_guard lock(mutex_);
  return taken_;
}

void PreparedLogs::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (state_ != State::kWanted) {
      changed_.wait(lock);
      continue;
    }
    state_ = State::kFilling;
    lock.unlock();
    const bool filled = fill();
    lock.lock();
    state_ = filled ? State::kReady : State::kGivenUp;
    changed_.notify_all();
  }
}

/// Zeros from the first byte to the last, on disk when it returns.
bool PreparedLogs::fill() {
  const int file = ::open(spare_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return false;
  struct stat found {};
  struct statvfs disk {};
  const std::vector<char> zeros(kZerosAStep);
  bool good = ::fstatvfs(file, &disk) == 0 && static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize >= kRoomBytes + prepared_bytes_;
  good = good && ::fstat(file, &found) == 0 && (static_cast<uint64_t>(found.st_size) <= prepared_bytes_ || ::ftruncate(file, prepared_bytes_) == 0);
  for (uint64_t at = 0; good && at < prepared_bytes_; at += kZerosAStep) {
    const size_t size = std::min<uint64_t>(kZerosAStep, prepared_bytes_ - at);
    good = ::pwrite(file, zeros.data(), size, static_cast<off_t>(at)) == static_cast<ssize_t>(size) && ::fdatasync(file) == 0;
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kPause, [this] { return stop_; })) good = false;
  }
  ::close(file);
  if (!good) ::unlink(spare_.c_str());
  return good;
}

}  // namespace ledger
