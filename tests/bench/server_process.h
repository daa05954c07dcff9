// A server in a process of its own, so that its memory is not that of its clients.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace bench {

/// Ends with this object. Made before this process has threads.
class ServerProcess {
 public:
  /// `serve` runs in the new process: it listens, says so with what a client must know of where, and never returns.
  using Say = std::function<void(const std::string& address)>;
  explicit ServerProcess(const std::function<void(const Say& listens)>& serve);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  double resident_kib() const;

 private:
  pid_t pid_;
  std::string address_;
};

}  // namespace bench
