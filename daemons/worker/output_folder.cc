#include "daemons/worker/output_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;
namespace fs = std::filesystem;

constexpr size_t kMaxDepth = 64;      // directories within directories
constexpr size_t kMaxFiles = 50'000;  // of one version
constexpr size_t kHashBytes = 1u << 20;

Code code_of(int error) {
  switch (error) {
    case ENOENT:
      return Code::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case ESTALE:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

Status trouble(const std::string& path, std::string_view what) {
  int error = errno;
  return {code_of(error), fmt::format("{}: {}: {}", base::to_utf8(path), what, strerror(error))};
}

std::string parent_of(const std::string& path) {
  std::string parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

Status sync_folder(const std::string& path) {
  OpenFile folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return trouble(path, "cannot be opened");
  // EINVAL: a file system that has no such thing for directories.
  if (fsync(folder.get()) != 0 && errno != EINVAL) return trouble(path, "cannot be synced to disk");
  return {};
}

class Walk {
 public:
  Walk(bool sync, const StopFlag& stop) : sync_(sync), stop_(stop), buffer_(kHashBytes) {}

  Status folder(int fd, const std::string& shown, const std::string& prefix, size_t depth) {
    if (depth > kMaxDepth) return {Code::kInvalidArgument, fmt::format("{}: more than {} directories deep", shown, kMaxDepth)};
    DIR* listing = fdopendir(fd);
    if (listing == nullptr) {
      ::close(fd);
      return trouble(shown, "cannot be listed");
    }
    Status status;
    errno = 0;
    while (dirent* entry = readdir(listing)) {
      std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      status = this->entry(dirfd(listing), name, shown + "/" + name, prefix + name, depth);
      if (!status.is_ok()) break;
      errno = 0;
    }
    if (status.is_ok() && errno != 0) status = trouble(shown, "cannot be listed");
    if (status.is_ok() && sync_ && fsync(dirfd(listing)) != 0 && errno != EINVAL)
      status = trouble(shown, "cannot be synced to disk");
    closedir(listing);
    return status;
  }

  OutputListing take() {
    std::sort(found_.files.begin(), found_.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(found_);
  }

 private:
  Status entry(int parent, const std::string& name, const std::string& shown, const std::string& relative, size_t depth) {
    if (stop_ && *stop_) return {Code::kUnavailable, fmt::format("{}: stopped", shown)};
    struct stat info {};
    if (fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return trouble(shown, "cannot be looked at");
    if (S_ISDIR(info.st_mode)) {
      int below = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below < 0) return trouble(shown, "cannot be opened");
      return folder(below, shown, relative + "/", depth + 1);
    }
    if (!S_ISREG(info.st_mode)) {
      const char* what = S_ISLNK(info.st_mode) ? "a symbolic link, which is not followed" : "no regular file";
      found_.problems.push_back(
          fmt::format("{} is {}; its content is not in the record", base::printable(base::to_utf8(relative)), what));
      return {};
    }
    if (found_.files.size() == kMaxFiles) {
      return {Code::kInvalidArgument, fmt::format("{}: more than {} files in one version's output", shown, kMaxFiles)};
    }
    return regular(parent, name, shown, relative);
  }

  Status regular(int parent, const std::string& name, const std::string& shown, const std::string& relative) {
    OpenFile file(openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file.get() < 0) return trouble(shown, "cannot be opened");
    if (sync_ && fsync(file.get()) != 0) return trouble(shown, "cannot be synced to disk");
    OutputEntry entry{relative, 0, {}, false};
    base::Sha256Stream hash;
    for (;;) {
      if (stop_ && *stop_) return {Code::kUnavailable, fmt::format("{}: stopped", shown)};
      ssize_t size = ::read(file.get(), buffer_.data(), buffer_.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return trouble(shown, "cannot be read");
      if (size == 0) break;
      hash.update(buffer_.data(), static_cast<size_t>(size));
      entry.size_bytes += static_cast<uint64_t>(size);
    }
    entry.sha256 = hash.finish();
    found_.total_bytes += entry.size_bytes;
    found_.files.push_back(std::move(entry));
    return {};
  }

  bool sync_;
  StopFlag stop_;
  std::vector<char> buffer_;
  OutputListing found_;
};

/// rename that refuses to replace anything.
int rename_new(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  // A file system without RENAME_NOREPLACE (NFS): a directory may be renamed onto an empty one, and only onto an empty one. One that
  // is there and empty may be what another worker, or one that was killed here, has just made for the same output.
  int error = mkdir(to.c_str(), 0777) == 0 ? 0 : errno;
  bool made = error == 0;
  if (!made && (error != EEXIST || folder_state(to) != FolderState::kEmpty)) {
    errno = error;
    return -1;
  }
  if (rename(from.c_str(), to.c_str()) == 0) return 0;
  error = errno;
  if (made && error != ENOENT) rmdir(to.c_str());  // without `from`, what is there is the output
  errno = error;
  return -1;
}

}  // namespace

Status make_folders(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    errno = ENOTDIR;
    return trouble(path, "is in the way of an output directory");
  }
  if (std::string parent = parent_of(path); parent != path) {
    if (Status made = make_folders(parent); !made.is_ok()) return made;
  }
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return trouble(path, "cannot be made");
  return sync_folder(parent_of(path));
}

std::string staging_path(const std::string& output_directory, uint16_t attempt, uint64_t fence) {
  std::string final = output_directory;
  while (final.size() > 1 && final.back() == '/') final.pop_back();
  fs::path path(final);
  return path.parent_path() / fmt::format(".{}.attempt-{}.{}", path.filename().string(), attempt, fence);
}

Status make_staging(const std::string& staging) {
  if (Status made = make_folders(parent_of(staging)); !made.is_ok()) return made;
  if (mkdir(staging.c_str(), 0777) != 0) return trouble(staging, "cannot be made");
  return {};
}

FolderState folder_state(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return errno == ENOENT || errno == ENOTDIR ? FolderState::kMissing : FolderState::kOther;
  if (!S_ISDIR(info.st_mode)) return FolderState::kOther;
  std::error_code error;
  return fs::is_empty(path, error) ? FolderState::kEmpty : FolderState::kFilled;
}

Result<OutputListing> list_output(const std::string& directory, bool sync, const StopFlag& stop) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return trouble(directory, "the output directory cannot be opened");
  Walk walk(sync, stop);
  Status walked = walk.folder(fd, base::to_utf8(directory), "", 0);
  if (!walked.is_ok()) return walked;
  return walk.take();
}

std::vector<std::string> names_below(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator() && names.size() < kMaxFiles; entry.increment(error)) {
    std::error_code kind;
    if (entry->symlink_status(kind).type() != fs::file_type::regular) continue;
    names.push_back(entry->path().lexically_relative(directory));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status publish_folder(const std::string& staging, const std::string& final) {
  if (rename_new(staging, final) != 0) {
    if (errno == EEXIST || errno == ENOTEMPTY) {
      return {Code::kAlreadyExists,
              fmt::format("{}: already exists, and output is never overwritten; look at what made it, then reduce the run again",
                          base::to_utf8(final))};
    }
    return trouble(final, "the output could not be moved there");
  }
  return sync_folder(parent_of(final));
}

Result<std::string> keep_folder(const std::string& staging, const std::string& wanted, uint64_t fence) {
  if (folder_state(staging) != FolderState::kFilled) {
    Status removed = remove_folder(staging);
    if (!removed.is_ok()) return removed;
    return std::string();
  }
  for (const std::string& name : {wanted, fmt::format("{}.{}", wanted, fence)}) {
    if (rename_new(staging, name) == 0) return name;
    if (errno != EEXIST && errno != ENOTEMPTY) break;
  }
  return trouble(staging, "what the attempt wrote could not be moved aside");
}

Status remove_folder(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return {};
  // A script may have taken its own permissions away.
  std::error_code ignored;
  fs::permissions(path, fs::perms::owner_all, fs::perm_options::add | fs::perm_options::nofollow, ignored);
  for (auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, ignored);
       !ignored && entry != fs::recursive_directory_iterator(); entry.increment(ignored)) {
    std::error_code kind;
    if (entry->symlink_status(kind).type() != fs::file_type::directory) continue;
    fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add | fs::perm_options::nofollow, kind);
  }
  fs::remove_all(path, error);
  if (!error) return {};
  return {Code::kInternal, fmt::format("{}: could not be removed: {}", base::to_utf8(path), error.message())};
}

}  // namespace daemons
