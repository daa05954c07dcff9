// How much one connection may have the ledger do for it at a time; calls under way are counted in rpc/checked_network.h.
#pragma once

#include <cstddef>
#include <memory>

#include "base/status.h"

namespace rpc {

/// So many of a kind at a time, and no more.
///
/// Owns: a count. Threads: loop thread only. Errors: kUnavailable, with the limit.
class Allowance {
 public:
  /// Held for as long as what it is for.
  using Use = std::shared_ptr<void>;
  /// `kind` in the plural.
  Allowance(const char* kind, size_t most) : kind_(kind), most_(most) {}
  base::Result<Use> take();

 private:
  const char* const kind_;
  const size_t most_;
  const std::shared_ptr<size_t> used_ = std::make_shared<size_t>(0);  // uses may outlive it
};

/// Shared by all sessions of a connection.
struct Allowances {
  static constexpr size_t kMaxWatches = 10'000;
  static constexpr size_t kMaxCopies = 4;
  static constexpr size_t kMaxSessions = 256;
  static constexpr size_t kMaxCapabilities = 10'000;  // runs, instruments, ports ... of all its sessions
  Allowance watches{"watches", kMaxWatches};
  Allowance copies{"copies of the log", kMaxCopies};
  Allowance sessions{"sessions", kMaxSessions};
  Allowance capabilities{"capabilities", kMaxCapabilities};
};

}  // namespace rpc
