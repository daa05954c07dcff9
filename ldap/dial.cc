#include "ldap/dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace ldap {
namespace {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

/// A lookup that nobody can end: the resolver has its own limits. It goes on by itself when it is no longer waited for.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done;
  bool given_up = false;
  std::optional<int> outcome;  // of getaddrinfo
  std::vector<Address> addresses;
};

int look_up(const std::string& host, uint16_t port, int flags, std::vector<Address>& addresses) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int outcome = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (outcome != 0) return outcome;
  for (addrinfo* one = found; one; one = one->ai_next) {
    Address address;
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return 0;
}

base::Result<std::vector<Address>> addresses_of(const std::string& host, uint16_t port, Moment until, TimeLimits& limits) {
  std::vector<Address> addresses;
  if (look_up(host, port, AI_NUMERICHOST, addresses) == 0) return addresses;
  auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, port] {
    std::vector<Address> found;
    int outcome = look_up(host, port, 0, found);
    std::lock_guard lock(lookup->mutex);
    lookup->outcome = outcome;
    lookup->addresses = std::move(found);
    lookup->done.notify_all();
  }).detach();
  TimeLimit limit(limits, until, [lookup] {
    std::lock_guard lock(lookup->mutex);
    lookup->given_up = true;
    lookup->done.notify_all();
  });
  std::unique_lock lock(lookup->mutex);
  lookup->done.wait(lock, [&] { return lookup->outcome || lookup->given_up; });
  if (!lookup->outcome) return base::Status(base::Code::kTimedOut, "its name was not resolved in time");
  if (*lookup->outcome != 0) return base::Status(base::Code::kUnavailable, ::gai_strerror(*lookup->outcome));
  return std::move(lookup->addresses);
}

}  // namespace

Socket::Socket(Socket&& other) noexcept : descriptor_(other.release()) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int Socket::release() {
  int descriptor = descriptor_;
  descriptor_ = -1;
  return descriptor;
}

base::Result<Socket> dial(const std::string& host, uint16_t port, Moment until, TimeLimits& limits) {
  auto addresses = addresses_of(host, port, until, limits);
  if (!addresses.is_ok()) return addresses.status();
  Socket over(::eventfd(0, EFD_CLOEXEC));
  TimeLimit limit(limits, until, [&over] { ::eventfd_write(over.get(), 1); });
  base::Status failure(base::Code::kUnavailable, "it has no address");
  for (size_t i = 0; i < addresses->size(); ++i) {
    const Address& address = addresses->at(i);
    Socket socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return base::Status(base::Code::kUnavailable, std::strerror(errno));
    int error = 0;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0) error = errno;
    if (error == EINPROGRESS) {
      pollfd waits[] = {{socket.get(), POLLOUT, 0}, {over.get(), POLLIN, 0}};
      // Each address gets its share: one that swallows everything leaves time for the next.
      auto share = (until - std::chrono::steady_clock::now()) / static_cast<int>(addresses->size() - i);
      ::poll(waits, 2, static_cast<int>(std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(share).count())));
      if (waits[0].revents == 0) {
        failure = base::Status(base::Code::kTimedOut, "nobody took the connection in time");
        continue;
      }
      socklen_t size = sizeof(error);
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) {
      failure = base::Status(base::Code::kUnavailable, std::strerror(error));
      continue;
    }
    int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
    return socket;
  }
  return failure;
}

}  // namespace ldap
