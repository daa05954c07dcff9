// Which sources are one: whoever has one IPv6 address has the 2^64 beside it.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <string>

namespace rpc {

/// "2001:db8:0:1::/64" of an IPv6 address; anything else is itself.
inline std::string source_key(const std::string& source) {
  in6_addr address{};
  if (inet_pton(AF_INET6, source.c_str(), &address) != 1) return source;
  std::memset(address.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return std::string(text) + "/64";
}

}  // namespace rpc
