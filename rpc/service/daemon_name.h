// What the name of a daemon entitles to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/daemon_name.h"
#include "rpc/access/caller.h"

namespace rpc {

/// nullopt: no daemon has such a name.
inline std::optional<schema::DaemonRole> daemon_role_of(std::string_view name) {
  if (!base::is_daemon_name(name)) return std::nullopt;
  if (name == base::kMonitorName) return schema::DaemonRole::MONITOR;
  return name == base::kCoordinatorName ? schema::DaemonRole::COORDINATOR : schema::DaemonRole::WORKER;
}

/// No account of a facility is known by these: what somebody did, and which commands were his, goes by names.
inline bool is_reserved_name(std::string_view name) {
  return name == "ledgerd" || name == base::kMonitorName || name == base::kCoordinatorName || name.starts_with(base::kWorkerPrefix);
}

/// The daemon of that name, known by `proof`; nullopt as above.
inline std::optional<Caller> daemon_caller(std::string_view name, std::string proof, std::string source) {
  const auto role = daemon_role_of(name);
  if (!role) return std::nullopt;
  Caller caller;
  caller.kind = Caller::Kind::kDaemon;
  caller.name = name;
  caller.proof = std::move(proof);
  caller.source = std::move(source);
  caller.daemon = *role;
  return caller;
}

}  // namespace rpc
