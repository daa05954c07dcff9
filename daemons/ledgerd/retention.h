// What is forgotten by itself, because the site file says so: records of commands, and what scripts printed. Why: docs/engine.md, "Forgetting".
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "rpc/service/service.h"
#include "site/site.h"

namespace daemons {

/// Lets go of what the policy says, each time on record: commandsForgotten and blobsErased events of ledgerd with the reason `retention`.
///
/// A log is what an event names as one and no event names as anything else; one that a younger attempt printed too stays. Scripts, variables,
/// environments and lists of outputs are never let go of.
///
/// Owns:    nothing but how far it is; borrows service and clock.
/// Threads: loop thread; the log is read on the pool, kSliceEvents at a time.
/// Errors:  logged, and shown in `status`; tried again at the next look.
class Retention {
 public:
  static constexpr uint64_t kSliceEvents = 4096;
  /// `names_at_once`: logs considered under one reading of the log; more of them take more readings.
  Retention(rpc::LedgerService& service, const base::Clock& clock, const site::Retention& policy, size_t names_at_once = 50'000);

  bool has_policy() const { return policy_.commands_ms > 0 || policy_.logs_ms > 0; }
  /// Lets go of all that is due now.
  kj::Promise<void> act();
  /// Acts now and then for ever: once in a tenth of the shortest age, at most once a minute and at least once a day.
  kj::Promise<void> run();

 private:
  struct Pass;
  kj::Promise<base::Status> forget_commands();
  kj::Promise<base::Status> erase_logs();
  kj::Promise<base::Status> collect(std::shared_ptr<Pass> pass);
  kj::Promise<base::Status> keep_needed(std::shared_ptr<Pass> pass);
  kj::Promise<base::Status> erase(std::shared_ptr<Pass> pass);
  kj::Promise<base::Status> submit(rpc::CommandMessage& command);
  void show();

  rpc::LedgerService& service_;
  const base::Clock& clock_;
  const site::Retention policy_;
  const size_t names_at_once_;
  uint64_t considered_ = 0;  // events whose logs need no further look, by this process
  std::string last_;         // what was done last, in words
  base::Status problem_;
};

}  // namespace daemons
