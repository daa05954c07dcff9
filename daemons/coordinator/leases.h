// Ends the leases of workers that give no sign of life.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <string>

#include "daemons/coordinator/record.h"
#include "daemons/port.h"

namespace daemons {

/// Owns:    nothing; borrows record and submitter.
/// Threads: loop thread.
/// Errors:  what the ledger refuses is logged: the attempt has ended meanwhile. Rejects when the connection breaks.
class Leases {
 public:
  Leases(Record& record, Submitter& submitter)
      : record_(record), submitter_(submitter), operator_(record.session().operatorRequest().send().getOperator()) {}

  /// Loses each attempt whose worker was silent for longer than its lease.
  kj::Promise<void> end_silent();

 private:
  kj::Promise<void> check(uint64_t job, std::string worker, int64_t silent_ns);

  Record& record_;
  Submitter& submitter_;
  schema::Operator::Client operator_;
};

}  // namespace daemons
