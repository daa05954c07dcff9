#include <capnp/rpc-twoparty.h>
#include <fmt/format.h>
#include <kj/debug.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "base/text.h"
#include "rpc/account_names.h"
#include "rpc/address.h"
#include "rpc/checked_network.h"
#include "rpc/handshakes.h"
#include "rpc/log_limit.h"
#include "rpc/message_limits.h"
#include "rpc/paced_stream.h"
#include "rpc/strangers.h"
#include "rpc/tcp_socket.h"
#include "rpc/transport.h"
#include "rpc/unix_socket.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;
using VatId = capnp::rpc::twoparty::VatId;
using Side = capnp::rpc::twoparty::Side;

kj::Exception error(kj::Exception::Type type, std::string_view text) {
  return {type, __FILE__, __LINE__, kj::heapString(text.data(), text.size())};
}

std::optional<LocalPeer> peer_of(kj::AsyncIoStream& stream) {
  ucred credentials{};
  kj::uint length = sizeof(credentials);
  if (kj::runCatchingExceptions([&] { stream.getsockopt(SOL_SOCKET, SO_PEERCRED, &credentials, &length); }) != nullptr) return {};
  return LocalPeer{credentials.uid, credentials.gid, credentials.pid, ""};
}

/// For the log.
std::string words_for(const PeerIdentity& peer) {
  if (auto* far = std::get_if<TlsPeer>(&peer)) return fmt::format("a connection from {}", far->address);
  const auto& local = std::get<LocalPeer>(peer);
  return fmt::format("a connection of {}", local.account_name.empty() ? fmt::format("uid {}", local.uid) : local.account_name);
}

std::string source_of(const PeerIdentity& peer) {
  if (auto* far = std::get_if<TlsPeer>(&peer)) return far->source;
  return std::to_string(std::get<LocalPeer>(peer).uid);
}

/// The sockets of a listener, on a path or in the network.
struct Sockets {
  std::string address;
  std::unique_ptr<ListeningSocket> local;
  std::vector<kj::AutoCloseFd> network;
  std::optional<TlsServerContext> certificate;  // of the network's

  void close() {
    if (local) local->close();
    network.clear();
  }
};

base::Result<Sockets> open_local(std::string_view address, const UnixPlace& place, const ListenOptions& options) {
  auto socket = ListeningSocket::open(place.path, options.socket_mode);
  if (!socket.is_ok()) return socket.status();
  return Sockets{std::string(address), std::move(socket).value(), {}, {}};
}

base::Result<Sockets> open_network(const TlsPlace& place, const ListenOptions& options) {
  if (options.tls.certificate.empty() || options.tls.key.empty()) {
    return Status(Code::kInvalidArgument,
                  fmt::format("{}: listening in the network needs a certificate and its key; give both", address_of(place)));
  }
  auto certificate = TlsServerContext::load(options.tls);
  if (!certificate.is_ok()) return certificate.status();
  auto listeners = TcpListeners::open(place);
  if (!listeners.is_ok()) return listeners.status();
  return Sockets{address_of(listeners->place), nullptr, std::move(listeners->sockets), std::move(certificate).value()};
}

/// One accepted connection. The members' order is that of their use: the RPC system ends first, the stream last.
struct Served {
  Served(kj::Own<kj::AsyncIoStream> accepted, kj::Timer& timer, capnp::Capability::Client bootstrap, std::string whose,
         CheckedNetwork::Ended ended)
      : who(std::move(whose)),
        stream(kj::mv(accepted), timer),
        network(stream, Side::SERVER, reader_options()),
        checked(network, std::move(ended)),
        rpc(capnp::makeRpcServer(checked, kj::mv(bootstrap))) {
    stream.pace([this] { return network.getCurrentQueueSize(); }, kMaxUnsentBytes);
    rpc.setFlowLimit(kMaxUnansweredBytes / sizeof(capnp::word));
  }

  const std::string who;  // "a connection of alice"
  PacedStream stream;
  capnp::TwoPartyVatNetwork network;
  CheckedNetwork checked;
  capnp::RpcSystem<VatId> rpc;
  kj::Own<kj::PromiseFulfiller<void>> end;
  std::optional<uint64_t> writes_when_blocked;  // at the last look for clients that stall
};

}  // namespace

struct Listener::Impl final : kj::TaskSet::ErrorHandler {
  Impl(Loop& owner, Sockets opened, BootstrapFactory make, const ListenOptions& limits)
      : loop(owner),
        address(opened.address),
        factory(std::move(make)),
        options(limits),
        sockets(std::move(opened)),
        names(loop),
        log(loop.timer()),
        strangers(loop.timer(), options, [this](uint64_t id, const std::string& why) { end_and_tell(id, why); }),
        connections(*this) {
    tasks.emplace(*this);
    if (sockets.local) {
      listen_on(sockets.local->fd());
    } else {
      handshakes.emplace(loop, address, std::move(*sockets.certificate), options,
                         [this](kj::Own<kj::AsyncIoStream> stream, TlsPeer peer) { admit(kj::mv(stream), std::move(peer)); });
    }
    for (auto& socket : sockets.network) listen_on(socket.get());
    start(end_stalled());
  }

  void taskFailed(kj::Exception&& exception) override {
    log.warn(fmt::format("{}: {}", address, base::printable(exception.getDescription().cStr())));
  }

  /// A task that ends with close().
  void start(kj::Promise<void> task) {
    KJ_IF_MAYBE (running, tasks) running->add(kj::mv(task));
  }
  void listen_on(int socket);
  kj::Promise<void> accept_all(kj::ConnectionReceiver& receiver);
  void arrived(kj::Own<kj::AsyncIoStream> stream);
  bool has_room(size_t others);
  void admit(kj::Own<kj::AsyncIoStream> stream, PeerIdentity peer);
  void refuse(kj::Own<kj::AsyncIoStream> stream, const PeerIdentity& peer);
  capnp::Capability::Client make_bootstrap(const PeerIdentity& peer);
  uint64_t serve(kj::Own<kj::AsyncIoStream> stream, const PeerIdentity& peer, capnp::Capability::Client bootstrap);
  void end(uint64_t id);
  void end_and_tell(uint64_t id, std::string_view why);
  void requests_ended(uint64_t id, const kj::Exception* why);
  kj::Promise<void> end_stalled();
  kj::Promise<void> close();
  kj::Promise<void> when_answers_are_taken(kj::TimePoint latest);

  Loop& loop;
  const std::string address;
  const BootstrapFactory factory;
  const ListenOptions options;
  Sockets sockets;
  std::vector<kj::Own<kj::ConnectionReceiver>> receivers;
  AccountNames names;
  LogLimit log;
  std::optional<Handshakes> handshakes;  // of the network's connections
  std::map<uint64_t, Served*> served;    // owned by `connections`
  Strangers strangers;
  uint64_t last_id = 0;
  size_t arriving = 0;  // accepted, their account's name not known yet
  bool full = false;
  kj::Maybe<kj::ForkedPromise<void>> closed;
  kj::Canceler closing;
  kj::Maybe<kj::TaskSet> tasks;
  kj::TaskSet connections;
};

void Listener::Impl::listen_on(int socket) {
  receivers.push_back(loop.low_level_io().wrapListenSocketFd(socket, kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK));
  start(accept_all(*receivers.back()));
}

kj::Promise<void> Listener::Impl::accept_all(kj::ConnectionReceiver& receiver) {
  return receiver.accept().then(
      [this, &receiver](kj::Own<kj::AsyncIoStream> stream) {
        arrived(kj::mv(stream));
        return accept_all(receiver);
      },
      [this, &receiver](kj::Exception&& exception) {
        taskFailed(kj::mv(exception));
        return loop.timer().afterDelay(1 * kj::SECONDS).then([this, &receiver] { return accept_all(receiver); });
      });
}

void Listener::Impl::arrived(kj::Own<kj::AsyncIoStream> stream) {
  if (handshakes) return handshakes->greet(kj::mv(stream));
  auto peer = peer_of(*stream);
  if (!peer) return;
  if (!has_room(arriving)) return refuse(kj::mv(stream), *peer);
  ++arriving;
  start(names.name_of(peer->uid)
            .then([this, peer = *peer, stream = kj::mv(stream)](std::string name) mutable {
              peer.account_name = std::move(name);
              admit(kj::mv(stream), std::move(peer));
            })
            .attach(kj::defer([this] { --arriving; })));
}

void Listener::Impl::admit(kj::Own<kj::AsyncIoStream> stream, PeerIdentity peer) {
  if (!has_room(0)) return refuse(kj::mv(stream), peer);
  full = false;
  auto admission = std::make_shared<Admission>();
  std::visit([&](auto& known) { known.admission = admission; }, peer);
  const uint64_t id = serve(kj::mv(stream), peer, make_bootstrap(peer));
  strangers.add(id, source_of(peer), std::move(admission), served.at(id)->stream);
}

/// For one connection more. Strangers make room for it.
bool Listener::Impl::has_room(size_t others) {
  return served.size() + others < options.max_connections ||
         strangers.end_one(fmt::format("{} connections, the limit, and it had not logged in", options.max_connections));
}

void Listener::Impl::refuse(kj::Own<kj::AsyncIoStream> stream, const PeerIdentity& peer) {
  if (!full) log.warn(fmt::format("{}: {} connections, its limit; more are refused", address, options.max_connections));
  full = true;
  if (served.size() + arriving >= options.max_connections + kMaxRefusedConnections) return;
  auto text = fmt::format("the ledger has {} connections, its limit; close some or try again later", options.max_connections);
  auto id = serve(kj::mv(stream), peer, error(kj::Exception::Type::OVERLOADED, text));
  start(loop.timer().afterDelay(kRefusedConnectionMs * kj::MILLISECONDS).then([this, id] { end(id); }));
}

capnp::Capability::Client Listener::Impl::make_bootstrap(const PeerIdentity& peer) {
  capnp::Capability::Client bootstrap = nullptr;
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&] { bootstrap = factory(peer); })) {
    taskFailed(kj::mv(*exception));
    // What went wrong is for our log; the peer may be anybody.
    bootstrap = error(kj::Exception::Type::FAILED, "the ledger cannot serve this connection; its log says why");
  }
  return bootstrap;
}

uint64_t Listener::Impl::serve(kj::Own<kj::AsyncIoStream> stream, const PeerIdentity& peer, capnp::Capability::Client bootstrap) {
  uint64_t id = ++last_id;
  auto connection = kj::heap<Served>(kj::mv(stream), loop.timer(), kj::mv(bootstrap), words_for(peer),
                                     [this, id](const kj::Exception* why) { requests_ended(id, why); });
  auto ended = kj::newPromiseAndFulfiller<void>();
  connection->end = kj::mv(ended.fulfiller);
  served[id] = connection.get();
  auto gone = connection->network.onDisconnect().exclusiveJoin(kj::mv(ended.promise));
  connections.add(gone.attach(kj::mv(connection), kj::defer([this, id] {
                            served.erase(id);
                            strangers.forget(id);
                          })));
  return id;
}

void Listener::Impl::end(uint64_t id) {
  if (auto found = served.find(id); found != served.end()) found->second->end->fulfill();
}

void Listener::Impl::end_and_tell(uint64_t id, std::string_view why) {
  if (auto found = served.find(id); found != served.end()) log.warn(fmt::format("{}: {} is ended: {}", address, found->second->who, why));
  end(id);
}

/// What waits to be sent may still be taken, the reason for the end with it; of whom a request was refused not for long.
void Listener::Impl::requests_ended(uint64_t id, const kj::Exception* why) {
  auto found = served.find(id);
  if (found == served.end()) return;
  found->second->stream.no_more_requests();
  if (!why || why->getType() == kj::Exception::Type::DISCONNECTED) return;
  log.warn(fmt::format("{}: {} is ended: {}", address, found->second->who, base::printable(why->getDescription().cStr())));
  start(loop.timer().afterDelay(kRefusedConnectionMs * kj::MILLISECONDS).then([this, id] { end(id); }));
}

/// Gives up clients that, from one look to the next, took none of the answers that hold everything else up.
kj::Promise<void> Listener::Impl::end_stalled() {
  return loop.timer().afterDelay(options.stalled_ms * kj::MILLISECONDS).then([this] {
    for (auto& [id, connection] : served) {
      auto writes = connection->stream.writes_done();
      if (!connection->stream.is_blocked()) {
        connection->writes_when_blocked.reset();
      } else if (connection->writes_when_blocked == writes) {
        log.warn(fmt::format("{}: a client took none of its {} bytes of answers in {} ms; its connection is closed", address,
                             connection->stream.unsent(), options.stalled_ms));
        end(id);
      } else {
        connection->writes_when_blocked = writes;
      }
    }
    return end_stalled();
  });
}

kj::Promise<void> Listener::Impl::close() {
  KJ_IF_MAYBE (already, closed) return already->addBranch();
  tasks = nullptr;
  if (handshakes) handshakes->close();
  receivers.clear();
  sockets.close();
  for (auto& [id, connection] : served) connection->stream.stop_reading();
  auto done = when_answers_are_taken(loop.timer().now() + options.last_answers_ms * kj::MILLISECONDS).then([this] {
    for (auto& [id, connection] : served) connection->end->fulfill();
    return connections.onEmpty();
  });
  closed = closing.wrap(kj::mv(done)).fork();
  return KJ_ASSERT_NONNULL(closed).addBranch();
}

/// TCP has bytes the peer's machine did not acknowledge. If requests are left unread when the socket is closed, these are lost.
bool is_under_way(const kj::AsyncIoStream& stream) {
  int bytes = 0;
  KJ_IF_MAYBE (fd, stream.getFd()) return ioctl(*fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
  return false;
}

kj::Promise<void> Listener::Impl::when_answers_are_taken(kj::TimePoint latest) {
  bool waiting = false;
  for (auto& [id, connection] : served)
    waiting |= connection->stream.unsent() > 0 || (handshakes && is_under_way(connection->stream));
  if (!waiting || loop.timer().now() >= latest) return kj::READY_NOW;
  return loop.timer().afterDelay(5 * kj::MILLISECONDS).then([this, latest] { return when_answers_are_taken(latest); });
}

base::Result<std::unique_ptr<Listener>> Listener::open(Loop& loop, std::string_view address, BootstrapFactory factory,
                                                       ListenOptions options) {
  auto place = place_of(address);
  if (!place.is_ok()) return place.status();
  auto* path = std::get_if<UnixPlace>(&*place);
  auto sockets = path ? open_local(address, *path, options) : open_network(std::get<TlsPlace>(*place), options);
  if (!sockets.is_ok()) return sockets.status();
  auto impl = std::make_unique<Impl>(loop, std::move(sockets).value(), std::move(factory), options);
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;
kj::Promise<void> Listener::close() { return impl_->close(); }
const std::string& Listener::address() const { return impl_->address; }
size_t Listener::connections() const { return impl_->served.size(); }

}  // namespace rpc
