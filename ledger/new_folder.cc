#include "ledger/new_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ledger {

base::Status require_vacant(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(folder, error))) return {};
  if (std::filesystem::is_directory(folder, error) && std::filesystem::is_empty(folder, error) && !error) return {};
  return {base::Code::kAlreadyExists, fmt::format("{}: there is something already; nothing was changed, name a new folder", folder.string())};
}

base::Status put_in_place(const std::filesystem::path& made, const std::filesystem::path& folder) {
  // An empty folder is replaced, anything else is not.
  if (::rename(made.c_str(), folder.c_str()) != 0) {
    return {base::Code::kUnavailable, fmt::format("{}: cannot be renamed to {}: {}", made.string(), folder.string(), std::strerror(errno))};
  }
  const std::filesystem::path parent = std::filesystem::absolute(folder).lexically_normal().parent_path();
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  if (directory >= 0) ::close(directory);
  if (!synced) return {base::Code::kUnavailable, fmt::format("{}: cannot be synced: {}", parent.string(), std::strerror(errno))};
  return {};
}

base::Result<std::unique_ptr<NewFolder>> NewFolder::begin(const std::filesystem::path& folder) {
  if (base::Status vacant = require_vacant(folder); !vacant.is_ok()) return vacant;
  std::unique_ptr<NewFolder> made(new NewFolder(folder.has_filename() ? folder : folder.parent_path()));
  if (base::Status locked = made->lock(); !locked.is_ok()) return locked;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(made->path_, error)) {
    std::filesystem::remove_all(entry.path(), error);
    if (error) break;
  }
  if (error) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be emptied: {}", made->path_.string(), error.message()));
  return made;
}

NewFolder::NewFolder(std::filesystem::path folder) : folder_(std::move(folder)), path_(folder_.string() + ".runledger-part") {}

NewFolder::~NewFolder() {
  if (locked_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  ::close(locked_);
}

base::Status NewFolder::lock() {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) return {base::Code::kUnavailable, fmt::format("{}: cannot be made: {}", path_.string(), error.message())};
  const int file = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool locked = file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0;
  bool taken = !locked && (errno == EWOULDBLOCK || errno == ENOENT);
  const int cause = errno;
  if (locked) {  // another maker may have put it in place, or removed it, before it let go of it
    struct stat held, there;
    taken = ::fstat(file, &held) != 0 || ::stat(path_.c_str(), &there) != 0 || held.st_dev != there.st_dev || held.st_ino != there.st_ino;
    locked = !taken;
  }
  if (locked) {
    locked_ = file;
    return {};
  }
  if (file >= 0) ::close(file);
  if (!taken) return {base::Code::kUnavailable, fmt::format("{}: cannot be locked: {}", path_.string(), std::strerror(cause))};
  return {base::Code::kConflict, fmt::format("{}: is being made already; wait until that has ended, or name another folder", folder_.string())};
}

base::Status NewFolder::put_in_place() {
  base::Status placed = ledger::put_in_place(path_, folder_);
  std::error_code error;
  if (!std::filesystem::exists(path_, error) && !error) {
    ::close(locked_);
    locked_ = -1;
  }
  return placed;
}

}  // namespace ledger
