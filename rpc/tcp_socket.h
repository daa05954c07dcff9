// TCP sockets by host and port: names looked up, sockets that listen, and how an address is written. Internal to rpc/.
#pragma once

#include <kj/io.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "rpc/address.h"

namespace rpc {

/// One end of a TCP connection. IPv4 that came in on an IPv6 socket is shown as IPv4.
struct TcpEnd {
  static TcpEnd of(const sockaddr* address, socklen_t size);

  sockaddr_storage address{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  std::string host() const;  // "192.0.2.1", "2001:db8::1"
  std::string text() const;  // "192.0.2.1:4711", "[2001:db8::1]:4711"
  /// What one source of connections is counted by: an IPv4 address, or the 64 bits of an IPv6 address that name a network, as one
  /// machine has all addresses behind them.
  std::string source() const;
};

enum class Purpose { kListen, kConnect };

/// The addresses of a host, in the order to try them. Asks the network: not on the loop. kNotFound: no such host.
/// kUnavailable: whoever knows names did not answer.
base::Result<std::vector<TcpEnd>> look_up_host(const TlsPlace& place, Purpose purpose);

/// Sockets that listen on every address of a host, all on one port.
struct TcpListeners {
  /// kAlreadyExists: the port is taken. kPermissionDenied: it is not for this account.
  static base::Result<TcpListeners> open(TlsPlace place);

  TlsPlace place;  // with the port there is
  std::vector<kj::AutoCloseFd> sockets;
};

}  // namespace rpc
