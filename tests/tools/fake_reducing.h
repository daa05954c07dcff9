// What the fake ledger knows of campaigns, stages, trials and stale results, and how it answers about them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "schema/api.capnp.h"
#include "tests/tools/fake_message.h"

namespace fake {

struct Ledger;

/// Owns: all of it; must outlive what is made with it.
struct Reducing {
  std::vector<Message<schema::CampaignRow>> campaigns;
  std::vector<Message<schema::CampaignRunRow>> campaign_runs;  // of any campaign
  std::vector<Message<schema::ComparedRun>> compared;          // of any campaign
  Message<schema::CampaignEstimate> estimate;
  std::vector<Message<schema::StaleResult>> stale;
  std::vector<Message<schema::StageRow>> stages;
  std::vector<Message<schema::StageResultRow>> stage_results;

  std::string filter;              // of the last listing or plan, as text
  std::vector<std::string> files;  // that came with the last trial

  schema::CampaignRow::Builder add_campaign(uint64_t number, const char* purpose);
  schema::ComparedRun::Builder add_compared(uint64_t run_number, schema::ComparedRun::Outcome outcome);
  schema::StaleReason::Builder add_stale(uint64_t run_number, uint16_t version, schema::StaleReason::Kind kind, const char* name);
};

/// The part of Runs that is about these.
class ReducingRuns : public schema::Runs::Server {
 public:
  explicit ReducingRuns(Ledger& ledger) : reducing_ledger_(ledger) {}
  kj::Promise<void> stale(StaleContext context) override;
  kj::Promise<void> trial(TrialContext context) override;
  kj::Promise<void> combine(CombineContext context) override;
  kj::Promise<void> job(JobContext context) override;
  kj::Promise<void> stageResults(StageResultsContext context) override;

 private:
  Ledger& reducing_ledger_;
};

/// The part of Instrument that is about stages.
class StagedInstrument : public schema::Instrument::Server {
 public:
  explicit StagedInstrument(Ledger& ledger) : staged_ledger_(ledger) {}
  kj::Promise<void> stages(StagesContext context) override;
  kj::Promise<void> setStage(SetStageContext context) override;
  kj::Promise<void> removeStage(RemoveStageContext context) override;

 private:
  Ledger& staged_ledger_;
};

schema::Campaigns::Client make_campaigns(Ledger& ledger);

}  // namespace fake
