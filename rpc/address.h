// Where a ledger is reached, as people write it: "unix:PATH" or "tls:HOST:PORT".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace rpc {

/// A socket file.
struct UnixPlace {
  std::string path;
};

/// A TCP port of a host by name, IPv4 or IPv6 address; the brackets around the latter ("tls:[::1]:4433") are not part of `host`.
struct TlsPlace {
  std::string host;
  uint16_t port = 0;  // 0, when listening: one that is free
};

using Place = std::variant<UnixPlace, TlsPlace>;

/// kInvalidArgument names the forms there are.
base::Result<Place> place_of(std::string_view address);
std::string address_of(const TlsPlace& place);

}  // namespace rpc
