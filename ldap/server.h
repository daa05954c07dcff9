// The directory's servers: how they are named, and which is asked first.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ldap {

struct Server {
  bool tls = true;  // from the first byte (ldaps); otherwise StartTLS
  std::string host;
  uint16_t port = 636;
  std::string text;  // as it was written
};

/// "ldaps://host[:port]" or "ldap://host[:port]"; an IPv6 address stands in brackets.
base::Result<Server> parse_server(std::string_view text);

/// Which server is asked first: the one that answered last, then the others, those that failed last at the end. None is ever left out.
///
/// Owns:    a list of places in the list of servers.
/// Threads: any.
class ServerOrder {
 public:
  explicit ServerOrder(size_t servers);
  std::vector<size_t> now() const;
  void answered(size_t server);
  void failed(size_t server);

 private:
  mutable std::mutex mutex_;
  std::vector<size_t> order_;  // guarded
};

}  // namespace ldap
