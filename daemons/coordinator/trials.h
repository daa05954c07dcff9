// Trials: a script that somebody tries on a run.
#pragma once

#include <kj/async.h>

#include <filesystem>

#include "daemons/coordinator/reductions.h"

namespace daemons {

/// Reacts to trialRequested: it becomes a job that is nobody's version, or a runSkipped with the reason, which changes nothing else of its run.
///
/// Owns:    nothing; borrows all it is made with. Threads: loop thread. Errors: rejects when the connection breaks, and by our own faults.
class Trials {
 public:
  /// `folder`: each job's output goes to a folder of its own there.
  Trials(Record& record, Planner& planner, Submitter& submitter, Reductions& reductions, const InstrumentLines& lines, std::filesystem::path folder)
      : record_(record), planner_(planner), submitter_(submitter), reductions_(reductions), lines_(lines), folder_(std::move(folder)) {}

  kj::Promise<void> asked_for(Kept event);

 private:
  Record& record_;
  Planner& planner_;
  Submitter& submitter_;
  Reductions& reductions_;
  const InstrumentLines& lines_;
  const std::filesystem::path folder_;
};

}  // namespace daemons
