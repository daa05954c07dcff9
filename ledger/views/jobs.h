// Jobs: the request word for word, its state and every attempt. Rows: schema/row.capnp, JobRow.
#pragma once

#include <string>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kJobs:
///   'j' job(8)     -> JobRow
///   'a' event(8)   -> job(8) that answered this runDetected, runRevised, reductionRequested or trialRequested event
///   'q' event(8)   -> Actor who made this reductionRequested, trialRequested or combinationRequested event, gone once a job answers it;
///                     or this campaignStarted event, gone when the campaign has finished
///   'n' job(8)     -> of a stage's job: key of the result it will be, as below; gone once it has ended
///   'r' instrument 00 run(8)            -> job(8) whose output is the run's result
///   's' instrument 00 stage 00 group    -> job(8) whose output is this result of the stage; group as in stages.h
///   'o' instrument 00 stage 00          -> StageRule.Over(1) of the stage, as last set
class JobsView final : public View {
 public:
  static std::string row_key(uint64_t job) { return std::string("j").append(u64_key(job)); }
  static std::string answer_key(uint64_t event) { return std::string("a").append(u64_key(event)); }
  static std::string awaited_key(uint64_t job) { return std::string("n").append(u64_key(job)); }
  static std::string request_key(uint64_t event) { return std::string("q").append(u64_key(event)); }

  ViewId id() const override { return ViewId::kJobs; }
  const char* name() const override { return "jobs"; }
  uint32_t version() const override { return 3; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
