// Who asks: an account with its roles, the account that runs the ledger, or a daemon. Policy: rpc/access/policy.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/daemon_name.h"
#include "schema/api.capnp.h"

namespace rpc {

/// One role of an account. Which of instrument and experiment is set follows from the role.
struct Grant {
  schema::Role role = schema::Role::UNSET;
  std::string instrument;
  std::string experiment;
  std::string group;  // empty = the site file names the account
  auto operator<=>(const Grant&) const = default;
};

/// What the token a caller came by may at most.
struct TokenScope {
  bool read_only = false;
  std::vector<std::string> instruments = {};  // empty = all
};

/// Owns: values. Threads: any.
struct Caller {
  enum class Kind : uint8_t {
    kOwner,   // the account that runs the ledger, root, and this process itself: whoever holds the files may do everything
    kPerson,  // an account of the facility
    kDaemon,  // by a credential of its own
  };
  Kind kind = Kind::kPerson;
  std::string name;   // the account, or of a daemon "monitord", "coordinatord", "workerd/NAME"
  std::string proof;  // how it is known
  std::string source = {};  // where from: "unix", "192.0.2.1"
  std::vector<Grant> grants = {};
  std::optional<TokenScope> scope = {};
  std::string token = {};  // its id; empty = none
  schema::DaemonRole daemon = schema::DaemonRole::MONITOR;  // of a daemon
};

using base::worker_of;

}  // namespace rpc
