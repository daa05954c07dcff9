// A TCP connection to a server, within a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "ldap/time_limits.h"

namespace ldap {

/// A socket that closes with this.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();
  int get() const { return descriptor_; }
  int release();

 private:
  int descriptor_;
};

/// Looks the name up and connects to the first of its addresses that takes the connection. Blocks until `until` at most, less when `limits`
/// hurry. kTimedOut: nobody answered until then; kUnavailable: refused, or no such host. The message has only the cause.
base::Result<Socket> dial(const std::string& host, uint16_t port, Moment until, TimeLimits& limits);

}  // namespace ldap
