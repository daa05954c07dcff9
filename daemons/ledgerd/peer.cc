#include "daemons/ledgerd/peer.h"

#include <fmt/format.h>
#include <unistd.h>

#include "rpc/service/daemon_name.h"

namespace daemons {

rpc::Peer peer_on_machine(const rpc::LocalPeer& local) {
  rpc::Peer peer;
  peer.source = "unix";
  peer.admission = local.admission;
  peer.proof = fmt::format("peer uid {}", local.uid);
  if (local.uid == geteuid() || local.uid == 0) {
    rpc::Caller& owner = peer.caller.emplace();
    owner.kind = rpc::Caller::Kind::kOwner;
    owner.name = local.account_name;
    owner.proof = peer.proof;
    owner.source = peer.source;
  } else if (!local.account_name.starts_with("uid:")) {
    peer.account = local.account_name;
  }
  return peer;
}

rpc::Peer peer_on_network(const rpc::TlsPeer& far) {
  rpc::Peer peer;
  peer.source = far.host;
  peer.admission = far.admission;
  if (far.certificate) peer.caller = rpc::daemon_caller(far.certificate->name, "certificate " + far.certificate->fingerprint, far.host);
  if (far.certificate && !peer.caller) peer.unknown_certificate = far.certificate->name;
  return peer;
}

}  // namespace daemons
