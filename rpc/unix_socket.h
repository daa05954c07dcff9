// Unix sockets by path: an address for any length of path, and the claim to listen on one. Internal to rpc/.
#pragma once

#include <kj/io.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <string>

#include "base/status.h"

namespace rpc {

/// The address of a path. One that is too long for the kernel's field is reached through its directory's descriptor.
///
/// Owns:    that descriptor; the address is valid as long as this.
struct UnixAddress {
  /// kNotFound: no such directory. kInvalidArgument: the name itself is too long, or no path.
  static base::Result<UnixAddress> of(const std::string& path);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  socklen_t size() const { return sizeof(address); }

  sockaddr_un address{};
  kj::AutoCloseFd directory;
};

/// A socket that listens on a path, and the right to do so.
///
/// Owns:    the lock on PATH.lock, which the kernel gives back when the process dies; the socket; its file, removed at the end.
/// Errors:  kAlreadyExists when somebody listens there or the path is something else than a socket.
class ListeningSocket {
 public:
  /// Makes missing directories with mode 0700. A socket file is replaced only after a try to connect was refused.
  static base::Result<std::unique_ptr<ListeningSocket>> open(const std::string& path, mode_t mode);
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  int fd() const { return socket_; }
  /// Stops listening: closes the socket and removes its file, if it still is ours.
  void close();

 private:
  explicit ListeningSocket(std::string path) : path_(std::move(path)) {}
  base::Status make_directory();
  base::Status lock();
  base::Status remove_stale();
  base::Status bind(mode_t mode);

  const std::string path_;
  kj::AutoCloseFd lock_;
  kj::AutoCloseFd socket_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace rpc
