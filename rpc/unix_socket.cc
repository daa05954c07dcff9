#include "rpc/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/text.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;

Status failed(const std::string& path, std::string_view doing, int error) {
  Code code = error == EACCES || error == EPERM || error == EROFS ? Code::kPermissionDenied : Code::kInternal;
  return {code, fmt::format("{}: cannot {}: {}", path, doing, strerror(error))};
}

bool copy_name(sockaddr_un& address, const std::string& name) {
  if (name.size() >= sizeof(address.sun_path)) return false;
  memcpy(address.sun_path, name.c_str(), name.size() + 1);
  return true;
}

std::string directory_of(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status check_name(const std::string& path) {
  auto name = std::filesystem::path(path).filename().string();
  if (!name.empty() && name != "." && name != ".." && path.find('\0') == std::string::npos) return {};
  return {Code::kInvalidArgument, fmt::format("unix:{} names no socket file; write unix:PATH", base::printable(path))};
}

/// The process that wrote its id into a lock file, "" if none did.
std::string holder(int lock) {
  char text[24];
  ssize_t n = pread(lock, text, sizeof(text), 0);
  long pid = 0;
  if (n <= 0 || std::from_chars(text, text + n, pid).ec != std::errc{}) return "";
  return fmt::format(" (process {})", pid);
}

}  // namespace

base::Result<UnixAddress> UnixAddress::of(const std::string& path) {
  if (auto status = check_name(path); !status.is_ok()) return status;
  UnixAddress result;
  result.address.sun_family = AF_UNIX;
  if (copy_name(result.address, path)) return result;

  result.directory = kj::AutoCloseFd(::open(directory_of(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (result.directory.get() < 0) {
    int error = errno;
    return error == ENOENT ? Status(Code::kNotFound, fmt::format("{}: no such directory", directory_of(path)))
                           : failed(path, "open its directory", error);
  }
  auto name = std::filesystem::path(path).filename().string();
  auto through = fmt::format("/proc/self/fd/{}/", result.directory.get());
  if (!copy_name(result.address, through + name)) {
    return Status(Code::kInvalidArgument,
                  fmt::format("{}: the socket's name has {} bytes, the system takes at most {}; give it a shorter name", path,
                              name.size(), sizeof(result.address.sun_path) - 1 - through.size()));
  }
  return result;
}

base::Result<std::unique_ptr<ListeningSocket>> ListeningSocket::open(const std::string& path, mode_t mode) {
  std::unique_ptr<ListeningSocket> listening(new ListeningSocket(path));
  if (auto status = check_name(path); !status.is_ok()) return status;
  if (auto status = listening->make_directory(); !status.is_ok()) return status;
  if (auto status = listening->lock(); !status.is_ok()) return status;
  if (auto status = listening->remove_stale(); !status.is_ok()) return status;
  if (auto status = listening->bind(mode); !status.is_ok()) return status;
  return listening;
}

ListeningSocket::~ListeningSocket() { close(); }

void ListeningSocket::close() {
  if (inode_ != 0) {
    struct stat now {};
    if (lstat(path_.c_str(), &now) == 0 && now.st_dev == device_ && now.st_ino == inode_) unlink(path_.c_str());
    inode_ = 0;
  }
  socket_ = nullptr;
  lock_ = nullptr;
}

Status ListeningSocket::make_directory() {
  std::filesystem::path made;
  for (auto& part : std::filesystem::path(directory_of(path_))) {
    made /= part;
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) {
      int error = errno;
      // A directory that is there may be one we cannot write into or, as a root, read-only.
      if (std::error_code ignored; !std::filesystem::is_directory(made, ignored)) {
        return failed(path_, fmt::format("make directory {}", made.string()), error);
      }
    }
  }
  return {};
}

Status ListeningSocket::lock() {
  auto name = path_ + ".lock";
  lock_ = kj::AutoCloseFd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock_.get() < 0) return failed(name, "open the lock file", errno);
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(name, "lock it", errno);
    return {Code::kAlreadyExists,
            fmt::format("{}: another ledger listens there{}; stop it first, or listen elsewhere", path_, holder(lock_))};
  }
  auto pid = fmt::format("{}\n", getpid());
  // Only for the message above, so a full disk does not matter.
  if (ftruncate(lock_, 0) != 0 || pwrite(lock_, pid.data(), pid.size(), 0) < 0) errno = 0;
  return {};
}

Status ListeningSocket::remove_stale() {
  struct stat there {};
  if (lstat(path_.c_str(), &there) != 0) return errno == ENOENT ? Status() : failed(path_, "look at it", errno);
  if (!S_ISSOCK(there.st_mode)) {
    return {Code::kAlreadyExists, fmt::format("{}: is not a socket; move it away, or listen elsewhere", path_)};
  }
  auto address = UnixAddress::of(path_);
  if (!address.is_ok()) return address.status();
  kj::AutoCloseFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return failed(path_, "make a socket", errno);
  if (::connect(probe, address->get(), address->size()) == 0 || errno == EAGAIN) {
    return {Code::kAlreadyExists, fmt::format("{}: somebody listens there; stop it first, or listen elsewhere", path_)};
  }
  if (errno == ENOENT) return {};
  if (errno != ECONNREFUSED) return failed(path_, "find out whether somebody listens there", errno);
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) return failed(path_, "remove the socket file of a ledger that ended", errno);
  return {};
}

Status ListeningSocket::bind(mode_t mode) {
  auto address = UnixAddress::of(path_);
  if (!address.is_ok()) return address.status();
  socket_ = kj::AutoCloseFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket_.get() < 0) return failed(path_, "make a socket", errno);
  // The file takes the mode its socket had, so there is no moment with another one; umask() would change other threads' files.
  if (fchmod(socket_, mode) != 0) return failed(path_, "set the mode of its socket", errno);
  if (::bind(socket_, address->get(), address->size()) != 0) return failed(path_, "bind a socket", errno);
  struct stat bound {};
  if (lstat(path_.c_str(), &bound) != 0) return failed(path_, "look at the new socket", errno);
  device_ = bound.st_dev;
  inode_ = bound.st_ino;
  // The umask has taken bits away at bind(); until listen() nobody can connect.
  if (chmod(path_.c_str(), mode) != 0) return failed(path_, "set its mode", errno);
  if (::listen(socket_, SOMAXCONN) != 0) return failed(path_, "listen", errno);
  return {};
}

}  // namespace rpc
