#include "nexus/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "base/text.h"

namespace nexus {
namespace {

constexpr size_t kReadBytes = 1 << 20;

std::string error_name() { return std::strerror(errno); }

std::optional<std::string> resolved_path(int descriptor) {
  char path[PATH_MAX + 1];
  ssize_t size = readlink(fmt::format("/proc/self/fd/{}", descriptor).c_str(), path, sizeof path);
  if (size <= 0 || static_cast<size_t>(size) == sizeof path) return std::nullopt;
  return std::string(path, static_cast<size_t>(size));
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

Verdict open_failed(int error, std::string_view what) {
  std::string cause = std::strerror(error);
  switch (error) {
    case ELOOP:
      return Verdict::refused("not_regular", fmt::format("{} is a symbolic link; put the file itself there", what));
    case ENXIO:
      return Verdict::refused("not_regular", fmt::format("{} is a socket or a device without a driver, not a file", what));
    case ENAMETOOLONG:
      return Verdict::refused("not_regular", fmt::format("{} has too long a path", what));
    default:
      return Verdict::not_yet("unreadable", fmt::format("{} cannot be opened ({}); it is tried again", what, cause));
  }
}

/// A verdict unless `descriptor` lies in the folder `root`.
std::optional<Verdict> outside(int descriptor, const std::string& root) {
  int folder = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return Verdict::not_yet("unreadable", fmt::format("the watched folder {} cannot be opened ({}); it is tried again",
                                                      base::to_utf8(root), error_name()));
  }
  auto root_path = resolved_path(folder);
  close(folder);
  auto file_path = resolved_path(descriptor);
  if (!root_path || !file_path)
    return Verdict::not_yet("unreadable", "the file's real path cannot be read from /proc; it is tried again");
  if (root_path->back() != '/') *root_path += '/';
  if (file_path->starts_with(*root_path)) return std::nullopt;
  return Verdict::refused("outside_archive",
                          fmt::format("the path leads to {}, outside the watched folder {}; files are read from there only",
                                      base::to_utf8(*file_path), base::to_utf8(*root_path)));
}

/// SMB grants a lease only where its server does, and says "open for writing" otherwise.
bool leases_mean_little(int descriptor) {
  struct statfs system {};
  if (fstatfs(descriptor, &system) != 0) return true;
  auto type = static_cast<uint32_t>(system.f_type);
  return type == SMB_SUPER_MAGIC || type == CIFS_SUPER_MAGIC || type == SMB2_SUPER_MAGIC || type == NFS_SUPER_MAGIC;
}

}  // namespace

std::variant<InputFile, Verdict> InputFile::open(std::string_view path, std::string_view root) {
  if (path.empty() || path.front() != '/' || path.find('\0') != path.npos || root.find('\0') != root.npos) {
    return Verdict::refused("not_regular", "the request does not name a file by an absolute path");
  }
  int descriptor = ::open(std::string(path).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return open_failed(errno, "the file");
  struct stat status {};
  std::optional<Verdict> verdict;
  if (fstat(descriptor, &status) != 0) {
    verdict = open_failed(errno, "the file");
  } else if (!S_ISREG(status.st_mode)) {
    verdict = Verdict::refused("not_regular", fmt::format("it is {}, not a file", kind_of(status.st_mode)));
  } else if (!root.empty()) {
    verdict = outside(descriptor, std::string(root));
  }
  if (verdict) {
    close(descriptor);
    return *verdict;
  }
  return InputFile(descriptor, status);
}

InputFile::InputFile(InputFile&& other) noexcept : descriptor_(other.descriptor_), status_(other.status_) {
  other.descriptor_ = -1;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

int64_t InputFile::modified_ns() const {
  return static_cast<int64_t>(status_.st_mtim.tv_sec) * 1'000'000'000 + status_.st_mtim.tv_nsec;
}

int64_t InputFile::arrived_ns() const {
  return std::max(modified_ns(), static_cast<int64_t>(status_.st_ctim.tv_sec) * 1'000'000'000 + status_.st_ctim.tv_nsec);
}

std::string InputFile::descriptor_path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

std::optional<Verdict> InputFile::writer() const {
  // A read lease is granted only while nobody has the file open for writing. While it is held a writer's open() waits for us,
  // so the lock probe under it cannot make a writer fail. SIGURG, ignored by default, stands in for the lease's deadly SIGIO.
  bool leased = fcntl(descriptor_, F_SETSIG, SIGURG) == 0 && fcntl(descriptor_, F_SETLEASE, F_RDLCK) == 0;
  if (!leased && (errno == EAGAIN || errno == EBUSY) && !leases_mean_little(descriptor_)) {
    return Verdict::not_yet("being_written",
                            "another process has the file open for writing; it is looked at again when that has closed it");
  }
  std::optional<Verdict> verdict;
  if (flock(descriptor_, LOCK_SH | LOCK_NB) == 0) {
    flock(descriptor_, LOCK_UN);
  } else if (errno == EWOULDBLOCK) {
    verdict = Verdict::not_yet(
        "locked", "another process has the file locked, as a writer does; it is looked at again when the lock is gone");
  }
  if (leased) fcntl(descriptor_, F_SETLEASE, F_UNLCK);
  return verdict;
}

std::optional<std::string> InputFile::read(uint64_t offset, size_t count) const {
  std::string bytes(count, '\0');
  size_t filled = 0;
  while (filled < count) {
    ssize_t size = pread(descriptor_, bytes.data() + filled, count - filled, static_cast<off_t>(offset + filled));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return std::nullopt;
    if (size == 0) break;
    filled += static_cast<size_t>(size);
  }
  bytes.resize(filled);
  return bytes;
}

std::optional<uint64_t> InputFile::first_nonzero() const {
  off_t data = lseek(descriptor_, 0, SEEK_DATA);  // steps over holes where the file system knows them
  if (data < 0 && errno == ENXIO) return std::nullopt;
  uint64_t offset = data > 0 ? static_cast<uint64_t>(data) : 0;
  while (auto bytes = read(offset, kReadBytes)) {
    if (bytes->empty()) break;
    size_t at = bytes->find_first_not_of('\0');
    if (at != bytes->npos) return offset + at;
    offset += bytes->size();
  }
  return std::nullopt;
}

std::optional<base::Sha256> InputFile::sha256() const {
  base::Sha256Stream stream;
  uint64_t offset = 0;
  while (auto bytes = read(offset, kReadBytes)) {
    if (bytes->empty()) return stream.finish();
    stream.update(bytes->data(), bytes->size());
    offset += bytes->size();
  }
  return std::nullopt;
}

std::optional<Verdict> InputFile::changed() const {
  struct stat now {};
  if (fstat(descriptor_, &now) != 0) return open_failed(errno, "the file");
  if (now.st_size == status_.st_size && now.st_mtim.tv_sec == status_.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == status_.st_mtim.tv_nsec) {
    return std::nullopt;
  }
  return Verdict::not_yet(
      "growing", fmt::format("it changed while it was read ({} bytes before, {} now); it is looked at again when it is still",
                             status_.st_size, now.st_size));
}

}  // namespace nexus
