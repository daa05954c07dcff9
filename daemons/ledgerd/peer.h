// From what a connection knows of its other end to whom the service takes it for.
#pragma once

#include "rpc/peer_identity.h"
#include "rpc/service/access_desk.h"

namespace daemons {

/// On this machine the account that runs the ledger, and root, are the owner; others are the accounts they are, if the machine has a name for them.
rpc::Peer peer_on_machine(const rpc::LocalPeer& local);

/// Over the network a verified certificate whose common name is a daemon's makes that daemon; whoever else is there is nobody yet.
rpc::Peer peer_on_network(const rpc::TlsPeer& far);

}  // namespace daemons
