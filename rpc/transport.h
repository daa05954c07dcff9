// Connections between processes: listening on an address, connecting to one. An address is text with a scheme: "unix:PATH" for
// this machine, "tls:HOST:PORT" for others.
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
#include "rpc/peer_identity.h"
#include "rpc/tls_files.h"

namespace rpc {

/// Largest message either side takes. A request or answer that could be larger comes in pieces.
constexpr uint64_t kMaxMessageBytes = 64 * 1024 * 1024;
/// Parameters of unanswered calls of one connection; above it no more is read from it.
constexpr uint64_t kMaxUnansweredBytes = 32 * 1024 * 1024;
/// Answers of one connection that wait for the client to read them; above it no more is read from it.
constexpr uint64_t kMaxUnsentBytes = 8 * 1024 * 1024;
/// What a peer may send before it has logged in, where that is asked for; the rest is read when it has.
constexpr uint64_t kMaxStrangerBytes = 64 * 1024;
/// Calls of one connection that are not over: not answered, or answered and the answer kept. One more ends the connection.
constexpr size_t kMaxOpenCalls = 4096;
/// Capabilities that one message may pass. More end the connection.
constexpr size_t kMaxCapabilitiesOfMessage = 64;
/// Connections beyond ListenOptions::max_connections that are told so; more than these are closed without a word.
constexpr size_t kMaxRefusedConnections = 32;
/// How long such a connection is kept.
constexpr int kRefusedConnectionMs = 2'000;

/// Makes the object that one new connection starts with.
using BootstrapFactory = std::function<capnp::Capability::Client(const PeerIdentity&)>;

struct ListenOptions {
  size_t max_connections = 256;  // at once
  int stalled_ms = 60'000;       // a client that reads none of its waiting answers for this long is given up
  int last_answers_ms = 2'000;   // how long close() waits for clients to take what they asked for

  // Where a bootstrap object finds out who its peer is, by its Admission:
  int login_ms = 0;           // how long that may take, but for the time it is being found out; 0: there is nothing to find out
  size_t max_strangers = 64;  // at once; one more ends one of the source that has most

  // "unix:"
  mode_t socket_mode = 0600;  // who may connect

  // "tls:"
  TlsServerFiles tls = {};
  size_t max_connections_per_source = 64;  // at once, from one IPv4 address or one /64 network of IPv6
  size_t max_handshakes = 128;             // that go on at once; one more ends the oldest
  int handshake_ms = 5'000;                // how long one may take
  int reload_ms = 10'000;                  // between two looks whether the certificate's files have changed
};

/// Accepts connections on an address and serves each with its own bootstrap object.
///
/// Owns:    the sockets, of a Unix socket its file and lock file (PATH.lock, held as long as this listens), and every accepted
///          connection.
/// Threads: loop thread. open() may look up a host's name and reads certificates: at start only.
/// Errors:  open() returns why it cannot listen. A connection that breaks, floods or sends garbage ends only itself.
class Listener {
 public:
  /// kAlreadyExists: somebody listens there. kInvalidArgument: not an address, or a file that is no certificate or key. A socket
  /// file nobody listens on is replaced. A host's name listens on each of its addresses; port 0 is one that is free.
  static base::Result<std::unique_ptr<Listener>> open(Loop& loop, std::string_view address, BootstrapFactory factory,
                                                      ListenOptions options = {});
  /// Ends whatever close() has not.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Stops listening and reading requests at once; done when every connection got its waiting answers (or had its time) and is
  /// closed. Calls that still run are cancelled then: let them end first.
  kj::Promise<void> close();

  /// With the port there is.
  const std::string& address() const;
  /// Those that are served; of the network's, those that have shaken hands.
  size_t connections() const;

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct ConnectOptions {
  TlsClientFiles tls = {};
  int connect_ms = 10'000;  // "tls:": until the connection stands, looking up the name included
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
  friend kj::Promise<Connection> connect(Loop& loop, std::string_view address, ConnectOptions options);
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Rejected with a sentence for people: nobody listens there, one may not connect, the server's certificate is not the one to
/// expect. A server that refuses the certificate shown to it says so a moment later: then calls fail with that sentence.
kj::Promise<Connection> connect(Loop& loop, std::string_view address, ConnectOptions options = {});

}  // namespace rpc
