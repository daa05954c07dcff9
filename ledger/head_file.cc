#include "ledger/head_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "ledger/keys.h"
#include "ledger/limits.h"

namespace ledger {
namespace {

constexpr std::string_view kMagic = "RLHEAD01";
constexpr size_t kNumberAt = 8, kIdAt = 16, kSizeAt = 32, kRootAt = 40, kTimeAt = 72;
constexpr size_t kChecksumAt = kHeadSlotBytes - 32;  // bytes 80 to 479 are zero

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, std::strerror(error))};
}

base::Status sync_directory(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return failed(folder, "cannot be opened");
  const int synced = ::fsync(file);
  base::Status status = synced == 0 ? base::Status::ok() : failed(folder, "cannot be synced");
  ::close(file);
  return status;
}

bool write_all(int file, const char* bytes, size_t size, off_t at) {
  while (size > 0) {
    const ssize_t written = ::pwrite(file, bytes, size, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    size -= written;
    at += written;
  }
  return true;
}

off_t slot_offset(uint64_t number) { return static_cast<off_t>(number % kHeadSlots * kHeadSlotBytes); }

}  // namespace

std::array<char, kHeadSlotBytes> encode_head_slot(const HeadSlot& slot) {
  std::string bytes(kMagic);
  append_u64(bytes, slot.number);
  bytes += base::from_hex(slot.id).value_or("");
  bytes.resize(kSizeAt, '\0');
  append_u64(bytes, slot.size);
  bytes += base::as_bytes(slot.root);
  append_u64(bytes, static_cast<uint64_t>(slot.time_ns));
  bytes.resize(kChecksumAt, '\0');
  bytes += base::as_bytes(base::sha256(bytes));
  std::array<char, kHeadSlotBytes> slot_bytes;
  std::memcpy(slot_bytes.data(), bytes.data(), slot_bytes.size());
  return slot_bytes;
}

std::optional<HeadSlot> decode_head_slot(std::string_view bytes) {
  if (bytes.size() != kHeadSlotBytes || bytes.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  if (base::as_bytes(base::sha256(bytes.substr(0, kChecksumAt))) != bytes.substr(kChecksumAt)) return std::nullopt;
  HeadSlot slot;
  slot.number = read_u64(bytes, kNumberAt);
  slot.id = base::hex(bytes.substr(kIdAt, 16));
  slot.size = read_u64(bytes, kSizeAt);
  std::memcpy(slot.root.data(), bytes.data() + kRootAt, slot.root.size());
  slot.time_ns = static_cast<int64_t>(read_u64(bytes, kTimeAt));
  return slot;
}

base::Result<HeadSlot> read_head_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    return base::Status(base::Code::kNotFound, fmt::format("{}: is missing", path.string()));
  }
  if (file < 0) return failed(path, "cannot be opened");
  std::optional<HeadSlot> newest;
  base::Status status;
  for (uint64_t i = 0; i < kHeadSlots && status.is_ok(); ++i) {
    std::array<char, kHeadSlotBytes> bytes;
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), slot_offset(i));
    if (got < 0) status = failed(path, "cannot be read");
    if (got != static_cast<ssize_t>(bytes.size())) continue;
    const auto slot = decode_head_slot({bytes.data(), bytes.size()});
    if (slot && (!newest || slot->number > newest->number)) newest = slot;
  }
  ::close(file);
  if (!status.is_ok()) return status;
  if (!newest) {
    return base::Status(base::Code::kCorruption,
                        fmt::format("{}: none of its {} slots is whole; put the file back from a copy", path.string(), kHeadSlots));
  }
  return *newest;
}

base::Status create_head_file(const std::filesystem::path& path, const HeadSlot& first) {
  // Whole or not at all: a HEAD without a slot would look like a damaged one.
  const std::filesystem::path fresh = path.string() + ".new";
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failed(fresh, "cannot be created");
  std::vector<char> bytes(kHeadSlots * kHeadSlotBytes, 0);
  const auto slot = encode_head_slot(first);
  std::memcpy(bytes.data() + slot_offset(first.number), slot.data(), slot.size());
  base::Status status;
  if (!write_all(file, bytes.data(), bytes.size(), 0) || ::fsync(file) != 0) status = failed(fresh, "cannot be written");
  ::close(file);
  if (!status.is_ok()) return status;
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(path, "cannot be renamed into place");
  return sync_directory(path.parent_path());
}

base::Result<std::unique_ptr<HeadFile>> HeadFile::open(const std::filesystem::path& path, const HeadSlot& first, OnFault on_fault) {
  auto last = read_head_file(path);
  if (!last.is_ok() && last.status().code() == base::Code::kNotFound) {
    if (base::Status made = create_head_file(path, first); !made.is_ok()) return made;
    last = first;
  }
  if (!last.is_ok()) return last.status();
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return failed(path, "cannot be opened for writing");
  return std::unique_ptr<HeadFile>(new HeadFile(path, file, *last, std::move(on_fault)));
}

HeadFile::HeadFile(std::filesystem::path path, int file, HeadSlot last, OnFault on_fault)
    : file_(file), on_fault_(std::move(on_fault)), slot_(std::move(last)), path_(std::move(path)), thread_([this] { run(); }) {}

HeadFile::~HeadFile() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  ::close(file_);
}

void HeadFile::publish(const TreeEdge& edge, int64_t time_ns) {
  std::lock_guard lock(mutex_);
  edge_ = edge;
  time_ns_ = time_ns;
  if (!pending_) {
    pending_ = true;
    wake_.notify_one();
  }
}

base::Status HeadFile::rename(const std::filesystem::path& path) {
  std::lock_guard lock(mutex_);
  if (::rename(path_.c_str(), path.c_str()) != 0) return failed(path_, "cannot be renamed to " + path.string());
  path_ = path;
  return sync_directory(path.parent_path());
}

void HeadFile::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return pending_ || stop_; });
    if (!pending_) return;
    // A pause first: under load one slot then stands for many groups, and its sync does not follow each of theirs.
    wake_.wait_for(lock, std::chrono::milliseconds(kHeadBehindMs), [this] { return stop_; });
    pending_ = false;
    const TreeEdge edge = edge_;
    slot_.time_ns = time_ns_;
    lock.unlock();
    slot_.number += 1;
    slot_.size = edge.size();
    slot_.root = edge.root();
    const auto bytes = encode_head_slot(slot_);
    if (!write_all(file_, bytes.data(), bytes.size(), slot_offset(slot_.number)) || ::fdatasync(file_) != 0) {
      const int error = errno;
      lock.lock();
      const std::filesystem::path path = path_;
      lock.unlock();
      errno = error;
      on_fault_(failed(path, "cannot be written"));
      return;
    }
    lock.lock();
  }
}

}  // namespace ledger
