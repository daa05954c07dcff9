#include "daemons/ledgerd/peer.h"

#include <fmt/format.h>
#include <unistd.h>

#include "rpc/service/daemon_name.h"

namespace daemons {

rpc::Peer peer_on_machine(uid_t uid, const std::string& account) {
  rpc::Peer peer;
  peer.source = "unix";
  peer.proof = fmt::format("peer uid {}", uid);
  if (uid == geteuid() || uid == 0) {
    rpc::Caller& owner = peer.caller.emplace();
    owner.kind = rpc::Caller::Kind::kOwner;
    owner.name = account;
    owner.proof = peer.proof;
    owner.source = peer.source;
  } else if (!account.starts_with("uid:")) {
    peer.account = account;
  }
  return peer;
}

rpc::Peer peer_on_network(const std::string& host, const std::string& certificate, const std::string& fingerprint) {
  rpc::Peer peer;
  peer.source = host;
  if (!certificate.empty()) peer.caller = rpc::daemon_caller(certificate, "certificate " + fingerprint, host);
  return peer;
}

}  // namespace daemons
