// Connections between processes: listening on an address, connecting to one. An address is text with a scheme: "unix:PATH".
#pragma once

#include <capnp/capability.h>
#include <kj/async.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "rpc/loop.h"

namespace rpc {

/// Largest message either side takes. A request or answer that could be larger comes in pieces.
constexpr uint64_t kMaxMessageBytes = 64 * 1024 * 1024;
/// Parameters of unanswered calls of one connection; above it no more is read from it.
constexpr uint64_t kMaxUnansweredBytes = 32 * 1024 * 1024;
/// Answers of one connection that wait for the client to read them; above it no more is read from it.
constexpr uint64_t kMaxUnsentBytes = 8 * 1024 * 1024;
/// Connections beyond ListenOptions::max_connections that are told so; more than these are closed without a word.
constexpr size_t kMaxRefusedConnections = 32;
/// How long such a connection is kept.
constexpr int kRefusedConnectionMs = 2'000;

/// Who is at the other end, as the kernel says (SO_PEERCRED): the process that called connect(), and its ids at that time.
struct PeerIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string account_name;  // "uid:1234" when the system has no name for it
};

/// Makes the object that one new connection starts with.
using BootstrapFactory = std::function<capnp::Capability::Client(const PeerIdentity&)>;

struct ListenOptions {
  mode_t socket_mode = 0600;     // who may connect
  size_t max_connections = 256;  // at once
  int stalled_ms = 60'000;       // a client that reads none of its waiting answers for this long is given up
  int last_answers_ms = 2'000;   // how long close() waits for clients to take what they asked for
};

/// Accepts connections on an address and serves each with its own bootstrap object.
///
/// Owns:    the socket, its file and lock file (PATH.lock, held as long as this listens), and every accepted connection.
/// Threads: loop thread.
/// Errors:  open() returns why it cannot listen. A connection that breaks, floods or sends garbage ends only itself.
class Listener {
 public:
  /// kAlreadyExists: somebody listens there. kInvalidArgument: not an address. A socket file nobody listens on is replaced.
  static base::Result<std::unique_ptr<Listener>> open(Loop& loop, std::string_view address, BootstrapFactory factory,
                                                      ListenOptions options = {});
  /// Ends whatever close() has not.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Stops listening and reading requests at once; done when every connection got its waiting answers (or had its time) and is
  /// closed. Calls that still run are cancelled then: let them end first.
  kj::Promise<void> close();

  const std::string& address() const;
  size_t connections() const;

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The client's end of a connection.
///
/// Owns:    the stream and the RPC system; every capability got through it breaks when it goes.
/// Threads: loop thread.
/// Errors:  calls fail with a DISCONNECTED exception once the connection is broken.
class Connection {
 public:
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  capnp::Capability::Client bootstrap();
  /// Done when the connection has ended. Any number may wait.
  kj::Promise<void> on_disconnect();

 private:
  friend kj::Promise<Connection> connect(Loop& loop, std::string_view address);
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Rejected with a sentence for people when nobody listens there, or one may not connect.
kj::Promise<Connection> connect(Loop& loop, std::string_view address);

}  // namespace rpc
