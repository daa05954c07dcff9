#include "rpc/tcp_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;

const sockaddr_in& as_v4(const TcpEnd& end) { return *reinterpret_cast<const sockaddr_in*>(&end.address); }
const sockaddr_in6& as_v6(const TcpEnd& end) { return *reinterpret_cast<const sockaddr_in6*>(&end.address); }
uint16_t port_of(const TcpEnd& end) { return ntohs(end.address.ss_family == AF_INET ? as_v4(end).sin_port : as_v6(end).sin6_port); }

void set_port(TcpEnd& end, uint16_t port) {
  if (end.address.ss_family == AF_INET) reinterpret_cast<sockaddr_in*>(&end.address)->sin_port = htons(port);
  if (end.address.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6*>(&end.address)->sin6_port = htons(port);
}

Status failed(const TlsPlace& place, std::string_view doing, int error) {
  auto where = address_of(place);
  switch (error) {
    case EADDRINUSE:
      return {Code::kAlreadyExists,
              fmt::format("{}: another program listens at this port; stop it first, or choose another", where)};
    case EADDRNOTAVAIL:
      return {Code::kInvalidArgument, fmt::format("{}: this machine does not have that address; listen at one of its own", where)};
    case EACCES:
    case EPERM:
      return {Code::kPermissionDenied,
              fmt::format("{}: this account may not listen at port {}; choose one above 1023", where, place.port)};
    default:
      return {Code::kInternal, fmt::format("{}: cannot {}: {}", where, doing, strerror(error))};
  }
}

/// 0, or the error. `socket` listens then, and `end` has its port.
int listen_at(TcpEnd& end, kj::AutoCloseFd& socket) {
  const int family = end.address.ss_family;
  socket = kj::AutoCloseFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return errno;
  constexpr int kOn = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof(kOn));
  if (family == AF_INET6) {
    // "[::]" is every address of the machine, IPv4 included.
    const int only_v6 = IN6_IS_ADDR_UNSPECIFIED(&as_v6(end).sin6_addr) ? 0 : 1;
    ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
  }
  if (::bind(socket, end.get(), end.size) != 0 || ::listen(socket, SOMAXCONN) != 0) return errno;
  socklen_t size = sizeof(end.address);
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&end.address), &size) == 0 ? 0 : errno;
}

}  // namespace

TcpEnd TcpEnd::of(const sockaddr* address, socklen_t size) {
  TcpEnd end;
  end.size = std::min<socklen_t>(size, sizeof(end.address));
  std::memcpy(&end.address, address, end.size);
  if (end.address.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&as_v6(end).sin6_addr)) return end;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = as_v6(end).sin6_port;
  std::memcpy(&v4.sin_addr, as_v6(end).sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
  end.address = {};
  std::memcpy(&end.address, &v4, sizeof(v4));
  end.size = sizeof(v4);
  return end;
}

std::string TcpEnd::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool is_v4 = address.ss_family == AF_INET;
  const void* raw = is_v4 ? static_cast<const void*>(&as_v4(*this).sin_addr) : &as_v6(*this).sin6_addr;
  return inet_ntop(address.ss_family, raw, text.data(), text.size()) ? text.data() : "unknown";
}

std::string TcpEnd::text() const { const bool has_colons = address.ss_family == AF_INET6;
  return has_colons ? fmt::format("[{}]:{}", host(), port_of(*this)) : fmt::format("{}:{}", host(), port_of(*this)); }

std::string TcpEnd::source() const {
  if (address.ss_family != AF_INET6) return host();
  auto network = *this;
  std::memset(reinterpret_cast<sockaddr_in6*>(&network.address)->sin6_addr.s6_addr + 8, 0, 8);
  return network.host();
}

base::Result<std::vector<TcpEnd>> look_up_host(const TlsPlace& place, Purpose purpose) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  // A listener takes what is configured; a client only what this machine can reach.
  hints.ai_flags = AI_NUMERICSERV | (purpose == Purpose::kListen ? AI_PASSIVE : AI_ADDRCONFIG);
  addrinfo* found = nullptr;
  int error = getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &found);
  if (error == EAI_FAMILY || error == EAI_ADDRFAMILY) {  // an address of a kind that only loopback has here
    hints.ai_flags &= ~AI_ADDRCONFIG;
    error = getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &found);
  }
  if (error != 0) {
    const char* why = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
    if (error == EAI_AGAIN) {
      return Status(Code::kUnavailable,
                    fmt::format("{}: the host's name cannot be looked up now ({}); try again", address_of(place), why));
    }
    return Status(Code::kNotFound,
                  fmt::format("{}: no host of this name is known ({}); check the address", address_of(place), why));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> held(found, &freeaddrinfo);
  std::vector<TcpEnd> ends;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    auto end = TcpEnd::of(each->ai_addr, each->ai_addrlen);
    const bool again = std::any_of(ends.begin(), ends.end(), [&](const TcpEnd& known) { return known.text() == end.text(); });
    if (!again) ends.push_back(end);
  }
  return ends;
}

base::Result<TcpListeners> TcpListeners::open(TlsPlace place) {
  auto ends = look_up_host(place, Purpose::kListen);
  if (!ends.is_ok()) return ends.status();
  // A port that was free on the first address may be taken on the second: then another one.
  int attempts = place.port == 0 ? 16 : 1;
  for (;;) {
    TcpListeners listeners{place, {}};
    int error = 0;
    for (TcpEnd& end : *ends) {
      set_port(end, listeners.place.port);
      kj::AutoCloseFd socket;
      error = listen_at(end, socket);
      if (error == EAFNOSUPPORT || (error == EADDRNOTAVAIL && ends->size() > 1)) continue;
      if (error != 0) break;
      listeners.place.port = port_of(end);
      listeners.sockets.push_back(kj::mv(socket));
    }
    if (error == EADDRINUSE && --attempts > 0) continue;
    const bool none = listeners.sockets.empty();
    if (none || (error != 0 && error != EAFNOSUPPORT && error != EADDRNOTAVAIL)) return failed(place, "listen", error);
    return listeners;
  }
}

}  // namespace rpc
