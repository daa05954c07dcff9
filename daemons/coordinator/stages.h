// Stages: when the results they take are there, their scripts get jobs.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemons/coordinator/job_command.h"
#include "daemons/coordinator/kept_event.h"
#include "daemons/coordinator/planner.h"
#include "daemons/coordinator/record.h"
#include "daemons/coordinator/stage_inputs.h"
#include "daemons/port.h"

namespace daemons {

/// Reacts to what may complete the inputs of a stage: a job's end, a run that is skipped, a combination that somebody asks for. That a stage
/// has been made of the same results before is the ledger's to notice.
///
/// Owns:    which combinations wait, of the instruments it has met. Borrows all it is made with.
/// Threads: loop thread.
/// Errors:  a stage that gets no job is logged: the record has no event for it. A combination is tried again. Rejects when the connection breaks.
class Stages final : private kj::TaskSet::ErrorHandler {
 public:
  Stages(Record& record, Planner& planner, Submitter& submitter)
      : record_(record), planner_(planner), submitter_(submitter), inputs_(record), tries_(*this) {}

  /// `job`, of a run or a stage, has ended by event `seq`.
  kj::Promise<void> after_job(uint64_t seq, Record::Job job);
  /// No job is made for `run`, says event `seq`.
  kj::Promise<void> after_skip(uint64_t seq, RunName run);
  kj::Promise<void> combine(Kept event);
  /// What stood in the way of a combination (its script could not be read) may be mended: tries all that wait, side by side for all instruments.
  kj::Promise<void> try_waiting();

 private:
  using Rules = Record::Kept<schema::Instrument::StagesResults>;
  /// What may have completed a stage's inputs.
  struct Ended {
    uint64_t seq = 0;
    std::string instrument;
    std::string experiment;
    std::vector<uint64_t> runs;
    std::string stage;  // that has a new result; empty = none has
  };
  struct Combination {
    uint64_t seq = 0;  // of its combinationRequested
    std::string stage;
    std::vector<uint64_t> runs;
    std::string by;
  };
  using Combinations = std::vector<Combination>;

  void taskFailed(kj::Exception&& exception) override;
  kj::Promise<void> try_waiting_at(std::string instrument);
  kj::Promise<void> react(Ended ended);
  kj::Promise<void> react_with(Rules rules, std::vector<uint32_t> order, Ended ended);
  kj::Promise<void> over_run(Rules rules, schema::StageRule::Reader rule, const Ended& ended);
  kj::Promise<void> over_experiment(Rules rules, schema::StageRule::Reader rule, const Ended& ended);
  kj::Promise<void> over_runs(Rules rules, schema::StageRule::Reader rule, const Ended& ended);
  kj::Promise<void> combine_if_ready(Rules rules, schema::StageRule::Reader rule, Combination asked);
  kj::Promise<bool> make(Rules rules, schema::StageRule::Reader rule, StageInputs inputs, std::string id, uint64_t cause, std::string why);
  kj::Promise<std::shared_ptr<Combinations>> waiting(std::string instrument, Rules rules);
  kj::Promise<Rules> rules_of(const std::string& instrument);

  Record& record_;
  Planner& planner_;
  Submitter& submitter_;
  StageInputsReader inputs_;
  std::map<std::string, std::shared_ptr<Combinations>> combinations_;
  std::set<std::string> tried_;  // instruments whose combinations are being tried
  kj::TaskSet tries_;            // last: its tasks use all of the above
};

}  // namespace daemons
