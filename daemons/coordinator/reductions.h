// Versions of runs: a job for each new run and for each one that somebody asks for.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <string>

#include "daemons/coordinator/instrument_lines.h"
#include "daemons/coordinator/job_command.h"
#include "daemons/coordinator/kept_event.h"
#include "daemons/coordinator/planner.h"
#include "daemons/coordinator/record.h"
#include "daemons/port.h"

namespace daemons {

/// Reacts to runDetected, runRevised and reductionRequested: each becomes a job, or a runSkipped with the reason.
///
/// Owns:    nothing; borrows all it is made with.
/// Threads: loop thread.
/// Errors:  rejects when the connection breaks, and by our own faults.
class Reductions {
 public:
  Reductions(Record& record, Planner& planner, Submitter& submitter, const InstrumentLines& lines)
      : record_(record), planner_(planner), submitter_(submitter), lines_(lines) {}

  /// `code`: "new_run" or "run_revised", by event `seq`.
  kj::Promise<void> of_file(uint64_t seq, const RunName& name, std::string code);
  kj::Promise<void> asked_for(Kept event);
  /// No job for event `cause`, and why. Refused where the run has a job for it already: then there is nothing to explain.
  kj::Promise<void> skip(const RunName& name, uint64_t cause, const std::string& kind, std::string_view code, const std::string& text);

 private:
  kj::Promise<void> queue(Record::Run shown, Wish wish, JobOrder order);

  Record& record_;
  Planner& planner_;
  Submitter& submitter_;
  const InstrumentLines& lines_;
};

/// What the ledger stores as our position with the reaction to event `seq`.
void set_position(Command& command, const InstrumentLines& lines, uint64_t seq);

}  // namespace daemons
