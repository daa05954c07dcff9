// Says in the daemon log when the machine's clock falls behind the log's last event, and when it has caught up.
#pragma once

#include <kj/async.h>

#include <string>

#include "rpc/service/service.h"

namespace daemons {

/// Owns:    nothing; borrows the service. Threads: loop thread. Errors: none.
class ClockWatch {
 public:
  explicit ClockWatch(const rpc::LedgerService& service) : service_(service) {}

  /// What is to be said now; empty when nothing has changed since the last look.
  std::string look();
  /// Looks every few seconds for ever, and says it.
  kj::Promise<void> run(kj::Timer& timer);

 private:
  const rpc::LedgerService& service_;
  bool behind_ = false;
};

}  // namespace daemons
