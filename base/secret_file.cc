#include "base/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace base {
namespace {

constexpr size_t kMostBytes = 4096;

/// Closes it.
struct OpenFile {
  int fd;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

Status check(const struct stat& found, const std::string& path) {
  if (!S_ISREG(found.st_mode)) return {Code::kInvalidArgument, path + ": is no regular file; name the file that holds the secret"};
  if (found.st_uid != geteuid() && found.st_uid != 0) return {Code::kPermissionDenied, path + ": belongs to another account; make a file of your own"};
  if ((found.st_mode & 077) != 0) return {Code::kPermissionDenied, path + ": others may read or change it; chmod 600 " + path};
  if (static_cast<size_t>(found.st_size) > kMostBytes) return {Code::kInvalidArgument, path + ": is longer than a secret can be"};
  return Status::ok();
}

}  // namespace

Result<int> open_secret_file(const std::string& path) {
  OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat found{};
  if (file.fd < 0 || fstat(file.fd, &found) != 0) {
    return Status(errno == ENOENT ? Code::kNotFound : Code::kPermissionDenied, path + ": " + std::strerror(errno));
  }
  if (Status status = check(found, path); !status.is_ok()) return status;
  return std::exchange(file.fd, -1);
}

Result<std::string> read_secret_file(const std::string& path) {
  auto opened = open_secret_file(path);
  if (!opened.is_ok()) return opened.status();
  const OpenFile file{*opened};
  char bytes[kMostBytes];
  size_t size = 0;
  while (size < sizeof bytes) {
    const ssize_t got = ::read(file.fd, bytes + size, sizeof bytes - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status(Code::kUnavailable, path + ": " + std::strerror(errno));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  std::string secret(bytes, size);
  explicit_bzero(bytes, sizeof bytes);
  secret.resize(std::min(secret.find_first_of("\r\n"), secret.size()));
  if (secret.empty()) return Status(Code::kInvalidArgument, path + ": is empty");
  return secret;
}

}  // namespace base
