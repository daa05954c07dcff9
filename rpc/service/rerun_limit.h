// How many reductions a member may have asked for at a time.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "ledger/ledger.h"

namespace rpc {

/// Counts requests that are on their way, by experiment and account: those and the ones a snapshot shows are all there are.
///
/// Owns: counts. Threads: loop thread; open_requests() anywhere.
class RerunLimit {
 public:
  /// Held until the request is answered.
  using Use = std::shared_ptr<void>;
  /// Another one is on its way; `before` = how many were already.
  Use begin(const std::string& experiment, const std::string& account, size_t& before);

 private:
  using Key = std::pair<std::string, std::string>;
  const std::shared_ptr<std::map<Key, size_t>> under_way_ = std::make_shared<std::map<Key, size_t>>();  // uses may outlive it
};

/// What the account asked for in the experiment and has not got yet: requests without a job, jobs that wait, are held or run.
size_t open_requests(const ledger::Snapshot& snapshot, const std::string& experiment, const std::string& account);

}  // namespace rpc
