#include "rpc/async_io.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/refcount.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "rpc/descriptor.h"

namespace rpc {
namespace {

using Provider = kj::LowLevelAsyncIoProvider;
constexpr unsigned kOwnedFlags = Provider::TAKE_OWNERSHIP | Provider::ALREADY_CLOEXEC | Provider::ALREADY_NONBLOCK;

/// Buffers for reading ahead. A stream has one only while it holds bytes that nobody asked for yet, so that a connection that
/// is idle costs none.
class SpareBuffers final : public kj::Refcounted {
 public:
  kj::Array<kj::byte> take() {
    if (spare_.empty()) return kj::heapArray<kj::byte>(kReadAheadBytes);
    auto buffer = kj::mv(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  void give_back(kj::Array<kj::byte> buffer) {
    constexpr size_t kKept = 8;
    if (buffer != nullptr && spare_.size() < kKept) spare_.push_back(kj::mv(buffer));
  }

 private:
  std::vector<kj::Array<kj::byte>> spare_;
};

/// What the streams of one provider share.
struct Shared {
  uv_loop_s* loop;
  SpareBuffers& buffers;
};

/// What a stream and its pending reads and writes share, so that either may go first.
class StreamState final : public kj::Refcounted {
 public:
  StreamState(Shared shared, int fd, unsigned flags) : descriptor(shared.loop, fd, flags), buffers_(kj::addRef(shared.buffers)) {}

  /// Reads on into `buffer`, which has `got` bytes already.
  kj::Promise<size_t> read(kj::byte* buffer, size_t min, size_t max, size_t got);
  kj::Promise<void> write(kj::ArrayPtr<const kj::byte> first, kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> rest);

  Descriptor descriptor;

 private:
  size_t take_ahead(kj::byte* to, size_t room);

  kj::Own<SpareBuffers> buffers_;
  kj::Array<kj::byte> ahead_;  // none while it would be empty
  size_t ahead_begin_ = 0, ahead_end_ = 0;
};

size_t StreamState::take_ahead(kj::byte* to, size_t room) {
  size_t taken = std::min(room, ahead_end_ - ahead_begin_);
  if (taken > 0) memcpy(to, ahead_.begin() + ahead_begin_, taken);
  ahead_begin_ += taken;
  if (ahead_begin_ == ahead_end_) buffers_->give_back(kj::mv(ahead_));
  return taken;
}

kj::Promise<size_t> StreamState::read(kj::byte* buffer, size_t min, size_t max, size_t got) {
  if (descriptor.is_closed()) return system_error("read from a stream that was closed", ENOTCONN);
  got += take_ahead(buffer + got, max - got);
  size_t read_now = 0;
  while (got < min && read_now < kReadBytesPerTurn) {
    size_t room = max - got;
    bool read_ahead = room < kReadAheadBytes;
    auto ahead = read_ahead ? buffers_->take() : nullptr;
    std::array<iovec, 2> parts{{{buffer + got, room}, {ahead.begin(), kReadAheadBytes}}};
    ssize_t n = readv(descriptor.fd(), parts.data(), read_ahead ? 2 : 1);
    int error = errno;
    if (n > static_cast<ssize_t>(room)) {
      ahead_begin_ = 0;
      ahead_end_ = static_cast<size_t>(n) - room;
      ahead_ = kj::mv(ahead);
    } else {
      buffers_->give_back(kj::mv(ahead));
    }
    if (n < 0) {
      if (error == EINTR) continue;
      if (error == EAGAIN) break;
      return system_error("read", error);
    }
    if (n == 0) return got;
    got += std::min(static_cast<size_t>(n), room);
    read_now += static_cast<size_t>(n);
  }
  if (got >= min) return got;
  return descriptor.when_readable().then(
      [self = kj::addRef(*this), buffer, min, max, got]() mutable { return self->read(buffer, min, max, got); });
}

kj::Promise<void> StreamState::write(kj::ArrayPtr<const kj::byte> first, kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> rest) {
  if (descriptor.is_closed()) return system_error("write to a stream that was closed", ENOTCONN);
  for (;;) {
    while (first.size() == 0 && rest.size() > 0) {
      first = rest.front();
      rest = rest.slice(1, rest.size());
    }
    if (first.size() == 0) return kj::READY_NOW;

    std::array<iovec, 64> parts;
    size_t count = 1;
    size_t offered = first.size();
    parts[0] = {const_cast<kj::byte*>(first.begin()), first.size()};
    for (auto& piece : rest) {
      if (count == parts.size()) break;
      parts[count++] = {const_cast<kj::byte*>(piece.begin()), piece.size()};
      offered += piece.size();
    }
    ssize_t n = writev(descriptor.fd(), parts.data(), static_cast<int>(count));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) {
      auto error = system_error("write", errno);
      if (error.getType() == kj::Exception::Type::DISCONNECTED) descriptor.note_disconnected();
      return error;
    }
    size_t left = n < 0 ? 0 : static_cast<size_t>(n);
    bool full = left < offered;
    while (left >= first.size() && rest.size() > 0) {
      left -= first.size();
      first = rest.front();
      rest = rest.slice(1, rest.size());
    }
    first = first.slice(left, first.size());
    if (full) break;
  }
  return descriptor.when_writable().then([self = kj::addRef(*this), first, rest]() mutable { return self->write(first, rest); });
}

class Stream final : public kj::AsyncIoStream {
 public:
  Stream(Shared shared, int fd, unsigned flags) : state_(kj::refcounted<StreamState>(shared, fd, flags)) {}
  ~Stream() noexcept(false) { descriptor().close(); }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    if (max == 0) return size_t{0};
    return state_->read(static_cast<kj::byte*>(buffer), std::max<size_t>(min, 1), max, 0);
  }
  kj::Promise<void> write(const void* buffer, size_t size) override {
    return state_->write(kj::arrayPtr(static_cast<const kj::byte*>(buffer), size), nullptr);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return state_->write(nullptr, pieces);
  }
  kj::Promise<void> whenWriteDisconnected() override { return descriptor().when_disconnected(); }

  void shutdownWrite() override {
    // A peer that is gone already needs no goodbye.
    if (::shutdown(descriptor().fd(), SHUT_WR) < 0 && errno != ENOTCONN) fail("shutdown");
  }
  void abortRead() override {
    if (::shutdown(descriptor().fd(), SHUT_RD) < 0 && errno != ENOTCONN) fail("shutdown");
  }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    if (::getsockopt(descriptor().fd(), level, option, value, length) < 0) fail("getsockopt");
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    if (::setsockopt(descriptor().fd(), level, option, value, length) < 0) fail("setsockopt");
  }
  void getsockname(sockaddr* addr, kj::uint* length) override {
    if (::getsockname(descriptor().fd(), addr, length) < 0) fail("getsockname");
  }
  void getpeername(sockaddr* addr, kj::uint* length) override {
    if (::getpeername(descriptor().fd(), addr, length) < 0) fail("getpeername");
  }
  kj::Maybe<int> getFd() const override { return state_->descriptor.fd(); }

  Descriptor& descriptor() { return state_->descriptor; }

 private:
  [[noreturn]] static void fail(kj::StringPtr call) { kj::throwFatalException(system_error(call, errno)); }

  kj::Own<StreamState> state_;
};

/// Small messages at once; and a peer that is gone without a word (its machine died, a router forgot it) is noticed within
/// three minutes, as the kernel asks when nothing else is said. One that takes no byte for as long counts as gone, too.
void set_tcp_options(int fd) {
  constexpr int kOn = 1, kIdleS = 60, kBetweenS = 15, kUnacknowledgedMs = 180'000;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof(kOn));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleS, sizeof(kIdleS));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kBetweenS, sizeof(kBetweenS));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof(kUnacknowledgedMs));
}

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/// Errors of accept() that belong to the one connection that was waiting (accept(2), "Error handling").
bool only_that_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

class AcceptState final : public kj::Refcounted {
 public:
  AcceptState(Shared shared, kj::Timer& timer, int fd, unsigned flags, Provider::NetworkFilter& filter)
      : descriptor(shared.loop, fd, flags),
        loop_(shared.loop),
        buffers_(kj::addRef(shared.buffers)),
        timer_(timer),
        filter_(filter),
        spare_(open_spare()) {}
  ~AcceptState() noexcept(false) {
    if (spare_ >= 0) ::close(spare_);
  }

  kj::Promise<kj::AuthenticatedStream> accept(int pauses = 0);
  Descriptor descriptor;

 private:
  static int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
  kj::Promise<kj::AuthenticatedStream> rest(int pauses, int error);
  void turn_away_who_waits();
  kj::AuthenticatedStream greet(int fd, const sockaddr_storage& address);

  uv_loop_s* loop_;
  kj::Own<SpareBuffers> buffers_;
  kj::Timer& timer_;
  Provider::NetworkFilter& filter_;
  int spare_;  // closed to have one descriptor when the process has none
};

kj::Promise<kj::AuthenticatedStream> AcceptState::accept(int pauses) {
  constexpr int kAttemptsPerTurn = 64;
  for (int attempt = 0; attempt < kAttemptsPerTurn; ++attempt) {
    if (descriptor.is_closed()) return system_error("accept on a listener that was closed", ENOTCONN);
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    int fd = accept4(descriptor.fd(), reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (filter_.shouldAllow(reinterpret_cast<sockaddr*>(&address), length)) return greet(fd, address);
      ::close(fd);
    } else if (errno == EAGAIN) {
      break;
    } else if (out_of_descriptors(errno)) {
      return rest(pauses, errno);
    } else if (!only_that_connection(errno)) {
      return system_error("accept", errno);
    }
  }
  return descriptor.when_readable().then([self = kj::addRef(*this)]() mutable { return self->accept(); });
}

kj::Promise<kj::AuthenticatedStream> AcceptState::rest(int pauses, int error) {
  if (pauses == 0) {
    spdlog::warn("a connection waits: {}; trying again every {} ms, raise the limit on open files (ulimit -n) if this stays",
                 strerror(error), kNoDescriptorPauseMs);
  }
  if (pauses >= kNoDescriptorPauses) turn_away_who_waits();
  return timer_.afterDelay(kNoDescriptorPauseMs * kj::MILLISECONDS).then([self = kj::addRef(*this), pauses]() mutable {
    return self->accept(pauses + 1);
  });
}

/// A client that is told nothing hangs; one whose connection ends can say so.
void AcceptState::turn_away_who_waits() {
  if (spare_ >= 0) ::close(spare_);
  for (;;) {
    int fd = accept4(descriptor.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) break;
    ::close(fd);
  }
  spare_ = open_spare();
}

kj::AuthenticatedStream AcceptState::greet(int fd, const sockaddr_storage& address) {
  kj::AuthenticatedStream accepted;
  accepted.stream = kj::heap<Stream>(Shared{loop_, *buffers_}, fd, kOwnedFlags);
  if (address.ss_family == AF_UNIX) {
    kj::LocalPeerIdentity::Credentials credentials;
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) {
      credentials.pid = peer.pid;
      credentials.uid = peer.uid;
    }
    accepted.peerIdentity = kj::LocalPeerIdentity::newInstance(credentials);
  } else {
    set_tcp_options(fd);
    accepted.peerIdentity = kj::UnknownPeerIdentity::newInstance();
  }
  return accepted;
}

class Receiver final : public kj::ConnectionReceiver {
 public:
  Receiver(Shared shared, kj::Timer& timer, int fd, unsigned flags, Provider::NetworkFilter& filter)
      : state_(kj::refcounted<AcceptState>(shared, timer, fd, flags, filter)) {}
  ~Receiver() noexcept(false) { state_->descriptor.close(); }

  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    return acceptAuthenticated().then([](kj::AuthenticatedStream&& accepted) { return kj::mv(accepted.stream); });
  }
  kj::Promise<kj::AuthenticatedStream> acceptAuthenticated() override { return state_->accept(); }
  kj::uint getPort() override {
    sockaddr_storage address{};
    kj::uint length = sizeof(address);
    getsockname(reinterpret_cast<sockaddr*>(&address), &length);
    if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
    return 0;
  }
  void getsockopt(int level, int option, void* value, kj::uint* length) override {
    if (::getsockopt(fd(), level, option, value, length) < 0) fail("getsockopt");
  }
  void setsockopt(int level, int option, const void* value, kj::uint length) override {
    if (::setsockopt(fd(), level, option, value, length) < 0) fail("setsockopt");
  }
  void getsockname(sockaddr* addr, kj::uint* length) override {
    if (::getsockname(fd(), addr, length) < 0) fail("getsockname");
  }

 private:
  int fd() const { return state_->descriptor.fd(); }
  [[noreturn]] static void fail(kj::StringPtr call) { kj::throwFatalException(system_error(call, errno)); }

  kj::Own<AcceptState> state_;
};

/// One attempt to connect; owns the socket until it is a stream.
class ConnectState final : public kj::Refcounted {
 public:
  ConnectState(Shared shared, kj::Timer& timer, int fd, unsigned flags, const sockaddr* address, kj::uint length)
      : timer_(timer), stream_(kj::heap<Stream>(shared, fd, flags)), length_(length) {
    KJ_REQUIRE(length <= sizeof(address_), "socket address too long", length);
    memcpy(&address_, address, length);
  }

  kj::Promise<kj::Own<kj::AsyncIoStream>> connect(int patience_ms = kConnectPatienceMs);

 private:
  kj::Promise<kj::Own<kj::AsyncIoStream>> finish();

  kj::Timer& timer_;
  kj::Own<Stream> stream_;
  sockaddr_storage address_{};
  kj::uint length_;
};

kj::Promise<kj::Own<kj::AsyncIoStream>> ConnectState::connect(int patience_ms) {
  constexpr int kPauseMs = 10;
  int fd = stream_->descriptor().fd();
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address_), length_) == 0) return finish();
  if (errno == EINPROGRESS || errno == EINTR) {
    return stream_->descriptor().when_writable().then([self = kj::addRef(*this)]() mutable { return self->finish(); });
  }
  // A Unix socket whose queue is full says EAGAIN and never becomes writable: ask again.
  if (errno == EAGAIN && patience_ms > 0) {
    return timer_.afterDelay(kPauseMs * kj::MILLISECONDS).then([self = kj::addRef(*this), patience_ms]() mutable {
      return self->connect(patience_ms - kPauseMs);
    });
  }
  if (errno == EAGAIN) {
    return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                         kj::str("connect: its queue stayed full for ", kConnectPatienceMs / 1000, " s; try again later"));
  }
  return system_error("connect", errno);
}

kj::Promise<kj::Own<kj::AsyncIoStream>> ConnectState::finish() {
  int error = 0;
  int fd = stream_->descriptor().fd();
  kj::uint length = sizeof(error);
  stream_->getsockopt(SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return system_error("connect", error);
  if (address_.ss_family != AF_UNIX) set_tcp_options(fd);
  return kj::Own<kj::AsyncIoStream>(kj::mv(stream_));
}

class UvIoProvider final : public Provider {
 public:
  UvIoProvider(uv_loop_s* loop, kj::Timer& timer) : loop_(loop), timer_(timer) {}

  kj::Own<kj::AsyncInputStream> wrapInputFd(int fd, kj::uint flags) override { return kj::heap<Stream>(shared(), fd, flags); }
  kj::Own<kj::AsyncOutputStream> wrapOutputFd(int fd, kj::uint flags) override { return kj::heap<Stream>(shared(), fd, flags); }
  kj::Own<kj::AsyncIoStream> wrapSocketFd(int fd, kj::uint flags) override { return kj::heap<Stream>(shared(), fd, flags); }
  kj::Promise<kj::Own<kj::AsyncIoStream>> wrapConnectingSocketFd(int fd, const sockaddr* address, kj::uint length,
                                                                 kj::uint flags) override {
    return kj::refcounted<ConnectState>(shared(), timer_, fd, flags, address, length)->connect();
  }
  kj::Own<kj::ConnectionReceiver> wrapListenSocketFd(int fd, NetworkFilter& filter, kj::uint flags) override {
    return kj::heap<Receiver>(shared(), timer_, fd, flags, filter);
  }
  kj::Timer& getTimer() override { return timer_; }

 private:
  Shared shared() { return {loop_, *buffers_}; }

  uv_loop_s* loop_;
  kj::Timer& timer_;
  kj::Own<SpareBuffers> buffers_ = kj::refcounted<SpareBuffers>();
};

}  // namespace

kj::Own<kj::LowLevelAsyncIoProvider> new_async_io(uv_loop_s* loop, kj::Timer& timer) { return kj::heap<UvIoProvider>(loop, timer); }

}  // namespace rpc
