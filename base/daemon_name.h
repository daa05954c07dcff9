// The names of daemons, which say what their work is: "monitord", "coordinatord", "workerd/NAME".
#pragma once

#include <string_view>

namespace base {

inline constexpr std::string_view kMonitorName = "monitord", kCoordinatorName = "coordinatord", kWorkerPrefix = "workerd/";
inline constexpr size_t kMaxDaemonNameBytes = 128;

/// The worker's own name in "workerd/NAME"; empty for another daemon.
constexpr std::string_view worker_of(std::string_view daemon) {
  return daemon.starts_with(kWorkerPrefix) ? daemon.substr(kWorkerPrefix.size()) : std::string_view();
}

constexpr bool is_daemon_name(std::string_view name) {
  return name == kMonitorName || name == kCoordinatorName || (!worker_of(name).empty() && name.size() <= kMaxDaemonNameBytes);
}

}  // namespace base
