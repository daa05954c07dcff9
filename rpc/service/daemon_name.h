// The names of daemons, which say what their work is: "monitord", "coordinatord", "workerd/NAME".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rpc/access/caller.h"

namespace rpc {

/// nullopt: no daemon has such a name.
inline std::optional<schema::DaemonRole> daemon_role_of(std::string_view name) {
  constexpr std::string_view kWorker = "workerd/";
  constexpr size_t kMaxNameBytes = 128;
  if (name == "monitord") return schema::DaemonRole::MONITOR;
  if (name == "coordinatord") return schema::DaemonRole::COORDINATOR;
  if (name.starts_with(kWorker) && name.size() > kWorker.size() && name.size() <= kMaxNameBytes) return schema::DaemonRole::WORKER;
  return std::nullopt;
}

/// No account of a facility is known by these: what somebody did, and which commands were his, goes by names.
inline bool is_reserved_name(std::string_view name) { return name == "ledgerd" || name == "monitord" || name == "coordinatord" || name.starts_with("workerd/"); }

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
