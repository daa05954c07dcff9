// Campaigns: one run after the other gets its job, so that a campaign of thousands never fills the queue.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "daemons/coordinator/job_command.h"
#include "daemons/coordinator/planner.h"
#include "daemons/coordinator/record.h"
#include "daemons/port.h"
#include "ledger/canonical.h"
#include "rpc/loop.h"

namespace daemons {

struct CampaignSettings {
  uint32_t most_open = 100;       // jobs of one campaign that wait or run
  uint64_t patience_ms = 10'000;  // a run that is not planned by then (its share hangs) holds up only its own instrument
};

/// Queues what campaigns have planned, in the order of the plan. What a campaign still lacks is read from the record, so that a restart, or
/// to be told twice, changes nothing.
///
/// Owns:    the work under way. Borrows all it is made with; `broken` is told of what only a new connection mends.
/// Threads: loop thread.
/// Errors:  a run that gets no job is passed with the reason. A campaign that was paused or stopped meanwhile takes no job: that is none.
class CampaignFeeder final : private kj::TaskSet::ErrorHandler {
 public:
  using Broken = std::function<void(kj::Exception&&)>;
  CampaignFeeder(rpc::Loop& loop, Record& record, Planner& planner, Submitter& submitter, CampaignSettings settings, Broken broken)
      : loop_(loop), record_(record), planner_(planner), submitter_(submitter), settings_(settings), broken_(std::move(broken)), tasks_(*this) {}

  /// Goes on with every campaign that is not finished.
  void begin();
  /// It was started, resumed or stopped.
  void look_at(uint64_t campaign);
  /// A job of some campaign may have ended.
  void look_at_all();

 private:
  using CampaignRow = Record::Kept<schema::Campaigns::ShowResults>;
  struct PlannedRun {
    RunName run;
    uint16_t basis;
  };
  struct Campaign {
    uint64_t id = 0;
    bool loaded = false;
    bool looking = false;  // somebody looks ...
    bool again = false;    // ... and will once more
    CampaignRow row;
    std::map<std::string, std::deque<PlannedRun>> left;  // by instrument
    std::set<std::string> busy;                          // instruments of which a run is on its way
    std::map<std::string, Record::Job> first_jobs;       // of an instrument: its script is that of all
  };
  using Shared = std::shared_ptr<Campaign>;

  void taskFailed(kj::Exception&& exception) override;
  kj::Promise<void> find_unfinished(std::string after);
  kj::Promise<void> look(Shared campaign);
  kj::Promise<void> load(Shared campaign);
  kj::Promise<void> load_runs(Shared campaign, std::string after, std::shared_ptr<std::map<std::string, uint64_t>> first);
  kj::Promise<void> feed(Shared campaign);
  kj::Promise<void> finish(Shared campaign);
  kj::Promise<void> feed_run(Shared campaign, PlannedRun planned);
  kj::Promise<void> queue(Shared campaign, PlannedRun planned, Record::Run shown, Record::Job basis);
  kj::Promise<void> refused(Shared campaign, PlannedRun planned, std::string why);
  kj::Promise<void> pass(const Campaign& campaign, const RunName& run, const std::string& code, const std::string& text);
  Wish wish_of(const Campaign& campaign, schema::RunRow::Reader run, Record::Job basis);
  kj::Promise<CampaignRow> show(uint64_t campaign);
  schema::Campaigns::Client campaigns() { return record_.session().campaignsRequest().send().getCampaigns(); }

  rpc::Loop& loop_;
  Record& record_;
  Planner& planner_;
  Submitter& submitter_;
  const CampaignSettings settings_;
  Broken broken_;
  std::map<uint64_t, Shared> campaigns_;  // that are not known to have ended
  kj::TaskSet tasks_;                     // last: its tasks use all of the above
};

}  // namespace daemons
