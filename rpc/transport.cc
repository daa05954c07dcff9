#include "rpc/transport.h"

#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <kj/debug.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "base/text.h"
#include "rpc/checked_network.h"
#include "rpc/paced_stream.h"
#include "rpc/unix_socket.h"

namespace rpc {
namespace {

using base::Code;
using base::Status;
using VatId = capnp::rpc::twoparty::VatId;
using Side = capnp::rpc::twoparty::Side;

constexpr auto kOwnedFlags = kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                             kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK;

capnp::ReaderOptions reader_options() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = kMaxMessageBytes / sizeof(capnp::word);
  return options;
}

kj::Exception error(kj::Exception::Type type, std::string_view text) {
  return {type, __FILE__, __LINE__, kj::heapString(text.data(), text.size())};
}

/// The path of a "unix:PATH" address.
base::Result<std::string> unix_path(std::string_view address) {
  constexpr std::string_view kScheme = "unix:";
  if (address.starts_with(kScheme) && address.size() > kScheme.size()) return std::string(address.substr(kScheme.size()));
  return Status(Code::kInvalidArgument,
                fmt::format("\"{}\" is not an address this version knows; it knows unix:PATH", base::printable(address)));
}

/// May ask the network (LDAP, sssd), so not on the loop.
std::string look_up_account(uid_t uid) {
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  int status = 0;
  while ((status = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < (1 << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  return status == 0 && found != nullptr ? std::string(found->pw_name) : fmt::format("uid:{}", uid);
}

/// Account names by user id, looked up on the pool; ours once, another again when it is ten minutes old.
class AccountNames {
 public:
  explicit AccountNames(Loop& loop) : loop_(loop), own_uid_(geteuid()), own_name_(look_up_account(own_uid_)) {}

  kj::Promise<std::string> name_of(uid_t uid) {
    if (uid == own_uid_) return own_name_;
    auto known = names_.find(uid);
    auto now = loop_.timer().now();
    if (known != names_.end() && now - known->second.since < 10 * kj::MINUTES) return known->second.name;
    return loop_.on_pool([uid] { return look_up_account(uid); }).then([this, uid, now](std::string name) {
      names_.insert_or_assign(uid, Known{name, now});
      return name;
    });
  }

 private:
  struct Known {
    std::string name;
    kj::TimePoint since;
  };
  Loop& loop_;
  const uid_t own_uid_;
  const std::string own_name_;
  std::map<uid_t, Known> names_;
};

std::optional<PeerIdentity> peer_of(kj::AsyncIoStream& stream) {
  ucred credentials{};
  kj::uint length = sizeof(credentials);
  if (kj::runCatchingExceptions([&] { stream.getsockopt(SOL_SOCKET, SO_PEERCRED, &credentials, &length); }) != nullptr) return {};
  return PeerIdentity{credentials.uid, credentials.gid, credentials.pid, ""};
}

/// One accepted connection. The members' order is that of their use: the RPC system ends first, the stream last.
struct Served {
  Served(kj::Own<kj::AsyncIoStream> accepted, kj::Timer& timer, capnp::Capability::Client bootstrap)
      : stream(kj::mv(accepted), timer),
        network(stream, Side::SERVER, reader_options()),
        checked(network),
        rpc(capnp::makeRpcServer(checked, kj::mv(bootstrap))) {
    stream.pace([this] { return network.getCurrentQueueSize(); }, kMaxUnsentBytes);
    rpc.setFlowLimit(kMaxUnansweredBytes / sizeof(capnp::word));
  }

  PacedStream stream;
  capnp::TwoPartyVatNetwork network;
  CheckedNetwork checked;
  capnp::RpcSystem<VatId> rpc;
  kj::Own<kj::PromiseFulfiller<void>> end;
  std::optional<uint64_t> writes_when_blocked;  // at the last look for clients that stall
};

}  // namespace

// ---- listening

struct Listener::Impl final : kj::TaskSet::ErrorHandler {
  Impl(Loop& owner, std::string_view text, std::unique_ptr<ListeningSocket> listening, BootstrapFactory make, ListenOptions limits)
      : loop(owner),
        address(text),
        factory(std::move(make)),
        options(limits),
        socket(std::move(listening)),
        receiver(loop.low_level_io().wrapListenSocketFd(socket->fd(), kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK)),
        names(loop),
        connections(*this) {
    tasks.emplace(*this);
    start(accept_all());
    start(end_stalled());
  }

  void taskFailed(kj::Exception&& exception) override {
    spdlog::error("{}: {}", address, base::printable(exception.getDescription().cStr()));
  }

  /// A task that ends with close().
  void start(kj::Promise<void> task) {
    KJ_IF_MAYBE (running, tasks) running->add(kj::mv(task));
  }
  kj::Promise<void> accept_all();
  void arrived(kj::Own<kj::AsyncIoStream> stream);
  void refuse(kj::Own<kj::AsyncIoStream> stream);
  capnp::Capability::Client make_bootstrap(const PeerIdentity& peer);
  uint64_t serve(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client bootstrap);
  void end(uint64_t id);
  kj::Promise<void> end_stalled();
  kj::Promise<void> close();
  kj::Promise<void> when_answers_are_taken(kj::TimePoint latest);

  Loop& loop;
  const std::string address;
  const BootstrapFactory factory;
  const ListenOptions options;
  std::unique_ptr<ListeningSocket> socket;
  kj::Own<kj::ConnectionReceiver> receiver;
  AccountNames names;
  std::map<uint64_t, Served*> served;  // owned by `connections`
  uint64_t last_id = 0;
  size_t arriving = 0;  // accepted, their account's name not known yet
  bool full = false;
  kj::Maybe<kj::ForkedPromise<void>> closed;
  kj::Canceler closing;
  kj::Maybe<kj::TaskSet> tasks;
  kj::TaskSet connections;
};

kj::Promise<void> Listener::Impl::accept_all() {
  return receiver->accept().then(
      [this](kj::Own<kj::AsyncIoStream> stream) {
        arrived(kj::mv(stream));
        return accept_all();
      },
      [this](kj::Exception&& exception) {
        taskFailed(kj::mv(exception));
        return loop.timer().afterDelay(1 * kj::SECONDS).then([this] { return accept_all(); });
      });
}

void Listener::Impl::arrived(kj::Own<kj::AsyncIoStream> stream) {
  if (served.size() + arriving >= options.max_connections) return refuse(kj::mv(stream));
  full = false;
  auto peer = peer_of(*stream);
  if (!peer) return;
  ++arriving;
  start(names.name_of(peer->uid)
            .then([this, peer = *peer, stream = kj::mv(stream)](std::string name) mutable {
              peer.account_name = std::move(name);
              serve(kj::mv(stream), make_bootstrap(peer));
            })
            .attach(kj::defer([this] { --arriving; })));
}

void Listener::Impl::refuse(kj::Own<kj::AsyncIoStream> stream) {
  if (!full) spdlog::warn("{}: {} connections, its limit; more are refused", address, options.max_connections);
  full = true;
  if (served.size() + arriving >= options.max_connections + kMaxRefusedConnections) return;
  auto text = fmt::format("the ledger has {} connections, its limit; close some or try again later", options.max_connections);
  auto id = serve(kj::mv(stream), error(kj::Exception::Type::OVERLOADED, text));
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

uint64_t Listener::Impl::serve(kj::Own<kj::AsyncIoStream> stream, capnp::Capability::Client bootstrap) {
  uint64_t id = ++last_id;
  auto connection = kj::heap<Served>(kj::mv(stream), loop.timer(), kj::mv(bootstrap));
  auto ended = kj::newPromiseAndFulfiller<void>();
  connection->end = kj::mv(ended.fulfiller);
  served[id] = connection.get();
  auto gone = connection->network.onDisconnect().exclusiveJoin(kj::mv(ended.promise));
  connections.add(gone.attach(kj::mv(connection), kj::defer([this, id] { served.erase(id); })));
  return id;
}

void Listener::Impl::end(uint64_t id) {
  if (auto found = served.find(id); found != served.end()) found->second->end->fulfill();
}

/// Gives up clients that, from one look to the next, took none of the answers that hold everything else up.
kj::Promise<void> Listener::Impl::end_stalled() {
  return loop.timer().afterDelay(options.stalled_ms * kj::MILLISECONDS).then([this] {
    for (auto& [id, connection] : served) {
      auto writes = connection->stream.writes_done();
      if (!connection->stream.is_blocked()) {
        connection->writes_when_blocked.reset();
      } else if (connection->writes_when_blocked == writes) {
        spdlog::warn("{}: a client took none of its {} bytes of answers in {} ms; its connection is closed", address,
                     connection->stream.unsent(), options.stalled_ms);
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
  receiver = nullptr;
  socket->close();
  for (auto& [id, connection] : served) connection->stream.stop_reading();
  auto done = when_answers_are_taken(loop.timer().now() + options.last_answers_ms * kj::MILLISECONDS).then([this] {
    for (auto& [id, connection] : served) connection->end->fulfill();
    return connections.onEmpty();
  });
  closed = closing.wrap(kj::mv(done)).fork();
  return KJ_ASSERT_NONNULL(closed).addBranch();
}

kj::Promise<void> Listener::Impl::when_answers_are_taken(kj::TimePoint latest) {
  bool waiting = false;
  for (auto& [id, connection] : served) waiting |= connection->stream.unsent() > 0;
  if (!waiting || loop.timer().now() >= latest) return kj::READY_NOW;
  return loop.timer().afterDelay(5 * kj::MILLISECONDS).then([this, latest] { return when_answers_are_taken(latest); });
}

base::Result<std::unique_ptr<Listener>> Listener::open(Loop& loop, std::string_view address, BootstrapFactory factory,
                                                       ListenOptions options) {
  auto path = unix_path(address);
  if (!path.is_ok()) return path.status();
  auto socket = ListeningSocket::open(*path, options.socket_mode);
  if (!socket.is_ok()) return socket.status();
  auto impl = std::make_unique<Impl>(loop, address, std::move(socket).value(), std::move(factory), options);
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;
kj::Promise<void> Listener::close() { return impl_->close(); }
const std::string& Listener::address() const { return impl_->address; }
size_t Listener::connections() const { return impl_->served.size(); }

// ---- connecting

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

namespace {

kj::Exception nobody_listens(const std::string& path) {
  return error(kj::Exception::Type::DISCONNECTED,
               fmt::format("no ledger is listening at {}: start it with runledger up, or give --site", base::printable(path)));
}

/// Connecting failed with `failure`; in words, from what is there now.
kj::Exception why_not(const std::string& path, kj::Exception&& failure) {
  if (faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return nobody_listens(path);
  } else if (faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) {
    if (failure.getType() == kj::Exception::Type::DISCONNECTED) return nobody_listens(path);
    return error(failure.getType(), fmt::format("{}: {}", base::printable(path), failure.getDescription().cStr()));
  }
  return error(kj::Exception::Type::FAILED,
               fmt::format("permission denied: {} is not open to this account ({}); use the account that runs the ledger",
                           base::printable(path), look_up_account(geteuid())));
}

}  // namespace

kj::Promise<Connection> connect(Loop& loop, std::string_view address) {
  auto path = unix_path(address);
  if (!path.is_ok()) return error(kj::Exception::Type::FAILED, path.status().message());
  auto target = UnixAddress::of(*path);
  if (target.status().code() == Code::kNotFound) return nobody_listens(*path);
  if (!target.is_ok()) return error(kj::Exception::Type::FAILED, target.status().message());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return error(kj::Exception::Type::OVERLOADED, fmt::format("cannot make a socket: {}", strerror(errno)));
  auto held = kj::heap<UnixAddress>(std::move(target).value());
  auto connected = loop.low_level_io().wrapConnectingSocketFd(fd, held->get(), held->size(), kOwnedFlags);
  return connected.attach(kj::mv(held))
      .then([](kj::Own<kj::AsyncIoStream> stream) { return Connection(std::make_unique<Connection::Impl>(kj::mv(stream))); },
            [path = *path](kj::Exception&& failure) -> Connection { kj::throwFatalException(why_not(path, kj::mv(failure))); });
}

}  // namespace rpc
