// The way in from the network: connections that have not yet shown that they speak TLS. Internal to rpc/.
#pragma once

#include <kj/async-io.h>

#include <functional>
#include <map>
#include <string>

#include "rpc/log_limit.h"
#include "rpc/loop.h"
#include "rpc/peer_identity.h"
#include "rpc/tls_context.h"
#include "rpc/transport.h"

namespace rpc {

/// Takes accepted TCP connections and hands on those whose handshake came to an end in time. Anybody may send anything here: what
/// one connection, or all of one source, can use up is bounded.
///
/// Owns:    the connections it has not handed on; the certificate, which it reads again when the files have changed.
/// Threads: loop thread. It outlives the streams it handed on, as it counts them by source.
/// Errors:  a connection that fails is told why where TLS has a word for it, logged, and closed.
class Handshakes final : public kj::TaskSet::ErrorHandler {
 public:
  using Arrived = std::function<void(kj::Own<kj::AsyncIoStream>, TlsPeer)>;
  Handshakes(Loop& loop, std::string address, TlsServerContext context, const ListenOptions& options, Arrived arrived);
  ~Handshakes() noexcept(false);

  void greet(kj::Own<kj::AsyncIoStream> accepted);
  /// Ends what has not arrived, and takes nothing more.
  void close();

 private:
  struct Guest;
  void taskFailed(kj::Exception&& exception) override;
  void warn(const Guest& guest, const std::string& what);
  kj::Promise<void> shake(Guest& guest);
  void welcome(Guest& guest);
  kj::Promise<void> renew_certificate();

  Loop& loop_;
  const std::string address_;
  const ListenOptions options_;
  const Arrived arrived_;
  TlsServerContext context_;
  std::string files_state_;
  LogLimit log_;
  std::map<std::string, size_t> sources_;  // connections by source, also those handed on
  std::map<uint64_t, Guest*> guests_;      // by age; owned by tasks_
  uint64_t last_id_ = 0;
  kj::Promise<void> renewing_ = nullptr;
  kj::Maybe<kj::TaskSet> tasks_;
};

}  // namespace rpc
