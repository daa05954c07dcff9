#include "ledger/folder_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

namespace ledger {
namespace {

constexpr int kLockTries = 50;
constexpr auto kLockPause = std::chrono::milliseconds(20);

}  // namespace

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

base::Status FolderLock::lock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "LOCK";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) return {base::Code::kUnavailable, fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(errno))};
  // A killed process leaves the lock for a moment to a child it was just starting, which lets go when it executes its program.
  bool locked = false;
  for (int tries = 0; !locked && tries < kLockTries; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kLockPause);
    locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) break;
  }
  if (locked) return {};
  if (errno != EWOULDBLOCK)
    return {base::Code::kUnavailable, fmt::format("{}: cannot be locked: {}", path.string(), std::strerror(errno))};
  return {base::Code::kConflict,
          fmt::format("{}: another process has this ledger open; stop it, or connect to it", folder.string())};
}

LockHolder lock_holder(const std::filesystem::path& folder) {
  LockHolder holder;
  struct stat about;
  const int file = ::open((folder / "LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return holder;
  const bool known = ::fstat(file, &about) == 0;
  if (::flock(file, LOCK_SH | LOCK_NB) != 0) holder.held = errno == EWOULDBLOCK;
  ::close(file);
  if (!holder.held || !known) return holder;
  // "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1048602 0 EOF"
  const std::string place = fmt::format("{:02x}:{:02x}:{}", major(about.st_dev), minor(about.st_dev), about.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string number, type, advisory, access, process, where, rest; locks >> number >> type >> advisory >> access >> process >> where;) {
    std::getline(locks, rest);
    if (type == "FLOCK" && where == place) holder.process = std::atoi(process.c_str());
  }
  return holder;
}

}  // namespace ledger
