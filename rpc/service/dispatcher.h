// Which waiting job goes to which waiting worker.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/status.h"
#include "ledger/ledger.h"

namespace rpc {

class LedgerService;

/// Brings jobs and workers together: a worker waits here until a job it can run is leased to it, durably, by startAttempt.
///
/// Owns:    the waiting calls, which share it. Borrows the service.
/// Threads: loop thread only.
/// Errors:  a Lease with a Status that is not ok (worker not joined, ledger read-only).
class Dispatcher : public std::enable_shared_from_this<Dispatcher> {
 public:
  struct Request {
    std::string command_id;
    std::string worker;
    std::string host;
    std::map<std::string, std::string> environments;  // interpreter -> Environment document
    uint64_t lease_ms = 0;
    ledger::Identity identity;
  };
  struct Lease {
    base::Status status;
    uint64_t job = 0;
    uint16_t attempt = 0;
    uint64_t fence = 0;
  };

  explicit Dispatcher(LedgerService& service) : service_(service) {}

  /// Dropping the promise ends the waiting; a job leased at that very moment is given back.
  kj::Promise<Lease> next(Request request);
  /// Called whenever the queue may have changed.
  void dispatch();

 private:
  class Waiting;
  void start(Waiting& waiting, uint64_t job, const std::string& environment);
  void give_back(const ledger::Identity& identity, const Lease& lease);

  LedgerService& service_;
  uint64_t next_ticket_ = 1;
  std::map<uint64_t, Waiting*> waiting_;  // in the order they came
  std::set<uint64_t> claimed_;            // jobs whose startAttempt is under way
};

}  // namespace rpc
