// A connection whose incoming messages are looked at before the RPC system acts on them. Internal to rpc/.
#pragma once

#include <capnp/rpc-twoparty.h>

#include <functional>

namespace rpc {

/// Refuses what Cap'n Proto would take without bound, or could not give back:
/// - calls beyond kMaxOpenCalls, of which the peer finishes none;
/// - messages that pass more than kMaxCapabilitiesOfMessage;
/// - a promise that the peer resolves with something it does not host itself. That may be the promise again, directly or through
///   others, and then it holds itself and its connection for ever.
///
/// Owns:    nothing; borrows the network it wraps, which must outlive it.
/// Threads: loop thread.
/// Errors:  what is refused ends the connection; the peer is told why.
class CheckedNetwork final : public capnp::TwoPartyVatNetworkBase {
 public:
  /// The RPC system reads no more; `why` is null unless a message was refused or could not be read. May be called twice.
  using Ended = std::function<void(const kj::Exception* why)>;
  CheckedNetwork(capnp::TwoPartyVatNetworkBase& inner, Ended ended) : inner_(inner), ended_(std::move(ended)) {}

  kj::Maybe<kj::Own<Connection>> connect(capnp::rpc::twoparty::VatId::Reader peer) override;
  kj::Promise<kj::Own<Connection>> accept() override;

 private:
  class Checked;
  capnp::TwoPartyVatNetworkBase& inner_;
  const Ended ended_;
};

}  // namespace rpc
