// A connection whose incoming messages are looked at before the RPC system acts on them. Internal to rpc/.
#pragma once

#include <capnp/rpc-twoparty.h>

namespace rpc {

/// Refuses what Cap'n Proto would take and could not give back: a promise that the peer resolves with something it does not host
/// itself. That may be the promise again, directly or through others, and then it holds itself and its connection for ever.
///
/// Owns:    nothing; borrows the network it wraps, which must outlive it.
/// Threads: loop thread.
/// Errors:  what is refused ends the connection; the peer is told why.
class CheckedNetwork final : public capnp::TwoPartyVatNetworkBase {
 public:
  explicit CheckedNetwork(capnp::TwoPartyVatNetworkBase& inner) : inner_(inner) {}

  kj::Maybe<kj::Own<Connection>> connect(capnp::rpc::twoparty::VatId::Reader peer) override;
  kj::Promise<kj::Own<Connection>> accept() override;

 private:
  class Checked;
  capnp::TwoPartyVatNetworkBase& inner_;
};

}  // namespace rpc
