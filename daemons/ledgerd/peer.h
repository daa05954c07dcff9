// From what a connection knows of its other end to whom the service takes it for.
#pragma once

#include <sys/types.h>

#include <string>

#include "rpc/service/access_desk.h"

namespace daemons {

/// On this machine the account that runs the ledger, and root, are the owner; others are the accounts they are. `account` is empty or "uid:1234"
/// where the machine has no name for it.
rpc::Peer peer_on_machine(uid_t uid, const std::string& account);

/// Over the network a verified certificate whose common name is a daemon's makes that daemon; whoever else is there is nobody yet.
/// `certificate` empty: none was shown.
rpc::Peer peer_on_network(const std::string& host, const std::string& certificate, const std::string& fingerprint);

}  // namespace daemons
