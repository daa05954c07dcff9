#include "tools/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tools {
namespace {

using base::Code;

constexpr size_t kMaxBytes = 1u << 20;

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const Code code = errno == ENOENT ? Code::kNotFound : errno == EACCES || errno == EPERM ? Code::kPermissionDenied : Code::kUnavailable;
  return {code, fmt::format("{}: {}: {}", path.string(), what, strerror(errno))};
}

struct Descriptor {
  explicit Descriptor(int opened) : value(opened) {}
  ~Descriptor() {
    if (value >= 0) close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int value;
};

base::Status check(const std::filesystem::path& path, const struct stat& file) {
  if (file.st_uid != geteuid()) {
    return {Code::kPermissionDenied, fmt::format("{}: it belongs to another account (uid {}), so what it holds is not used", path.string(), file.st_uid)};
  }
  if ((file.st_mode & 0077) == 0) return {};
  return {Code::kPermissionDenied,
          fmt::format("{}: others may read or write it (mode {:04o}), so what it holds is not used; revoke the token in it, or run 'chmod 0600 {}' if nobody has read it",
                      path.string(), file.st_mode & 07777, path.string())};
}

}  // namespace

base::Result<std::string> read_private_file(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.value < 0) return failed(path, "cannot be opened");
  struct stat about {};
  if (fstat(file.value, &about) != 0) return failed(path, "cannot be looked at");
  if (S_ISDIR(about.st_mode)) return base::Status(Code::kInvalidArgument, fmt::format("{}: is a folder", path.string()));
  if (base::Status status = check(path, about); !status.is_ok()) return status;
  std::string bytes;
  char piece[4096];
  while (true) {
    const ssize_t got = read(file.value, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "cannot be read");
    if (got == 0) return bytes;
    bytes.append(piece, static_cast<size_t>(got));
    if (bytes.size() > kMaxBytes) return base::Status(Code::kInvalidArgument, fmt::format("{}: is larger than {} bytes", path.string(), kMaxBytes));
  }
}

base::Result<NewPrivateFile> NewPrivateFile::create(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor >= 0) return NewPrivateFile(path, descriptor);
  if (errno != EEXIST) return failed(path, "cannot be made");
  return base::Status(Code::kAlreadyExists, fmt::format("{}: is there already; name a new file", path.string()));
}

NewPrivateFile::NewPrivateFile(NewPrivateFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), descriptor_(std::exchange(other.descriptor_, -1)) {}

NewPrivateFile::~NewPrivateFile() {
  if (!path_.empty()) unlink(path_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

base::Status NewPrivateFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path_, "cannot be written");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(descriptor_) == 0 ? base::Status() : failed(path_, "cannot be synced");
}

base::Status NewPrivateFile::keep() {
  path_.clear();
  return {};
}

base::Status NewPrivateFile::keep_as(const std::filesystem::path& path) {
  if (rename(path_.c_str(), path.c_str()) != 0) return failed(path, "cannot be replaced");
  return keep();
}

}  // namespace tools
