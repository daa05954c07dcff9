#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <kj/refcount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <variant>
#include <vector>

#include "base/text.h"
#include "rpc/account_names.h"
#include "rpc/address.h"
#include "rpc/message_limits.h"
#include "rpc/tcp_socket.h"
#include "rpc/tls_context.h"
#include "rpc/tls_stream.h"
#include "rpc/transport.h"
#include "rpc/unix_socket.h"

namespace rpc {
namespace {

using base::Code;
using VatId = capnp::rpc::twoparty::VatId;
using Side = capnp::rpc::twoparty::Side;
using Type = kj::Exception::Type;

constexpr auto kOwnedFlags = kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                             kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK;

kj::Exception error(Type type, std::string_view text) {
  return {type, __FILE__, __LINE__, kj::heapString(text.data(), text.size())};
}

/// A socket of that family on its way to `target`, which stays alive until it is there.
kj::Promise<kj::Own<kj::AsyncIoStream>> connect_socket(Loop& loop, int family, const sockaddr* target, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return error(Type::OVERLOADED, fmt::format("cannot make a socket: {}", strerror(errno)));
  return loop.low_level_io().wrapConnectingSocketFd(fd, target, size, kOwnedFlags);
}

// ---- on this machine

kj::Exception nobody_listens(const std::string& path) {
  return error(Type::DISCONNECTED,
               fmt::format("no ledger is listening at {}: start it with runledger up, or give --site", base::printable(path)));
}

/// Connecting failed with `failure`; in words, from what is there now.
kj::Exception why_not(const std::string& path, kj::Exception&& failure) {
  if (faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return nobody_listens(path);
  } else if (faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) {
    if (failure.getType() == Type::DISCONNECTED) return nobody_listens(path);
    return error(failure.getType(), fmt::format("{}: {}", base::printable(path), failure.getDescription().cStr()));
  }
  return error(Type::FAILED,
               fmt::format("permission denied: {} is not open to this account ({}); use the account that runs the ledger",
                           base::printable(path), look_up_account(geteuid())));
}

kj::Promise<kj::Own<kj::AsyncIoStream>> connect_local(Loop& loop, const std::string& path) {
  auto target = UnixAddress::of(path);
  if (target.status().code() == Code::kNotFound) return nobody_listens(path);
  if (!target.is_ok()) return error(Type::FAILED, target.status().message());
  auto held = kj::heap<UnixAddress>(std::move(target).value());
  auto connected = connect_socket(loop, AF_UNIX, held->get(), held->size());
  return connected.attach(kj::mv(held)).catch_([path](kj::Exception&& failure) -> kj::Promise<kj::Own<kj::AsyncIoStream>> {
    return why_not(path, kj::mv(failure));
  });
}

// ---- in the network

/// One try to connect to a host: its name, its addresses one after the other, the handshake.
///
/// Threads: loop thread. Refers to itself from the promises it gave.
class Approach final : public kj::Refcounted {
 public:
  Approach(Loop& loop, TlsPlace place, ConnectOptions options)
      : loop_(loop),
        place_(std::move(place)),
        address_(address_of(place_)),
        options_(std::move(options)),
        latest_(loop.timer().now() + options_.connect_ms * kj::MILLISECONDS) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> run();

 private:
  using Connected = kj::Promise<kj::Own<kj::AsyncIoStream>>;
  struct Prepared {
    base::Result<std::vector<TcpEnd>> ends;
    base::Result<TlsClientContext> context;
  };

  Connected try_next();
  Connected shake_hands(kj::Own<kj::AsyncIoStream> stream);
  kj::Exception failed(Type type, std::string_view why) const { return error(type, fmt::format("{}: {}", address_, why)); }
  kj::Exception unreachable() const;
  kj::Duration time_left() const { return latest_ - loop_.timer().now(); }

  Loop& loop_;
  const TlsPlace place_;
  const std::string address_;
  const ConnectOptions options_;
  const kj::TimePoint latest_;
  std::vector<TcpEnd> ends_;
  size_t next_ = 0;
  std::optional<TlsClientContext> context_;
  std::string problems_;  // of the addresses tried
  bool all_refused_ = true;
  const char* phase_ = "the host's name could not be looked up";
};

kj::Promise<kj::Own<kj::AsyncIoStream>> Approach::run() {
  auto prepared = loop_.on_pool([place = place_, tls = options_.tls] {
    return Prepared{look_up_host(place, Purpose::kConnect), TlsClientContext::load(tls, place.host)};
  });
  auto connected = prepared.then([self = kj::addRef(*this)](Prepared found) mutable -> Connected {
    // What is wrong here comes before what may be wrong elsewhere.
    if (!found.context.is_ok()) return error(Type::FAILED, found.context.status().message());
    if (!found.ends.is_ok()) return error(Type::DISCONNECTED, found.ends.status().message());
    self->ends_ = std::move(found.ends).value();
    self->context_ = std::move(found.context).value();
    return self->try_next();
  });
  auto too_late = loop_.timer().atTime(latest_).then([self = kj::addRef(*this)]() mutable -> Connected {
    return self->failed(Type::DISCONNECTED,
                        fmt::format("{} within {} s; check address and port, and that the ledger's machine is up", self->phase_,
                                    self->options_.connect_ms / 1000.0));
  });
  return connected.exclusiveJoin(kj::mv(too_late));
}

Approach::Connected Approach::try_next() {
  if (next_ == ends_.size()) return unreachable();
  phase_ = "no answer came";
  const TcpEnd& end = ends_[next_++];
  // An address that swallows everything leaves time for those behind it.
  auto share = time_left() / static_cast<int64_t>(ends_.size() - next_ + 1);
  auto too_slow =
      loop_.timer().afterDelay(share).then([]() -> Connected { return error(Type::DISCONNECTED, "connect: no answer"); });
  auto connected = connect_socket(loop_, end.address.ss_family, end.get(), end.size);
  return connected.exclusiveJoin(kj::mv(too_slow))
      .then([self = kj::addRef(*this)](kj::Own<kj::AsyncIoStream> stream) mutable { return self->shake_hands(kj::mv(stream)); },
            [self = kj::addRef(*this), &end](kj::Exception&& exception) mutable -> Connected {
              std::string_view why(exception.getDescription().cStr());
              self->all_refused_ &= why.find(strerror(ECONNREFUSED)) != std::string_view::npos;
              self->problems_ += fmt::format("{}{}: {}", self->problems_.empty() ? "" : "; ", end.text(), why);
              return self->try_next();
            });
}

kj::Exception Approach::unreachable() const {
  if (all_refused_) {
    return failed(Type::DISCONNECTED, "no ledger is listening there; start it on its machine, or check the address");
  }
  return failed(Type::DISCONNECTED, fmt::format("cannot be reached ({}); check address and network", problems_));
}

Approach::Connected Approach::shake_hands(kj::Own<kj::AsyncIoStream> stream) {
  phase_ = "a connection came about, but no TLS handshake";
  // Both outcomes need the stream.
  auto shared = std::make_shared<kj::Own<TlsStream>>(kj::heap<TlsStream>(kj::mv(stream), context_->new_connection(), address_));
  return (*shared)->handshake().then([shared]() -> Connected { return kj::Own<kj::AsyncIoStream>(kj::mv(*shared)); },
                                     [self = kj::addRef(*this), shared](kj::Exception&& exception) -> Connected {
                                       auto& tls = **shared;
                                       if (!tls.has_failed()) return kj::mv(exception);
                                       const bool is_gone = tls.failure().kind != TlsFailure::Kind::kProtocol;
                                       return self->failed(is_gone ? Type::DISCONNECTED : Type::FAILED,
                                                           self->context_->why_not(tls.connection(), tls.failure()));
                                     });
}

}  // namespace

// ---- the connection

struct Connection::Impl {
  explicit Impl(kj::Own<kj::AsyncIoStream> connected)
      : stream(kj::mv(connected)), network(*stream, Side::CLIENT, reader_options()), rpc(capnp::makeRpcClient(network)) {}

  kj::Own<kj::AsyncIoStream> stream;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<VatId> rpc;
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

capnp::Capability::Client Connection::bootstrap() {
  capnp::MallocMessageBuilder message(4);
  auto server = message.initRoot<VatId>();
  server.setSide(Side::SERVER);
  return impl_->rpc.bootstrap(server);
}

kj::Promise<void> Connection::on_disconnect() { return impl_->network.onDisconnect(); }

kj::Promise<Connection> connect(Loop& loop, std::string_view address, ConnectOptions options) {
  auto place = place_of(address);
  if (!place.is_ok()) return error(Type::FAILED, place.status().message());
  auto* path = std::get_if<UnixPlace>(&*place);
  auto stream = path ? connect_local(loop, path->path)
                     : kj::refcounted<Approach>(loop, std::get<TlsPlace>(*place), std::move(options))->run();
  return stream.then(
      [](kj::Own<kj::AsyncIoStream> connected) { return Connection(std::make_unique<Connection::Impl>(kj::mv(connected))); });
}

}  // namespace rpc
