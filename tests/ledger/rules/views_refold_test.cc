#include <gmock/gmock.h>

#include <set>

#include "tests/ledger/rules/chaos.h"

namespace rules_test {
namespace {

class P3AViewIsAFoldTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(P3AViewIsAFoldTest, RowsFoldedAgainAreTheSameBytes) {
  Chaos chaos(GetParam());
  for (int i = 0; i < 400; ++i) chaos.step();
  ASSERT_GT(chaos.story.head(), 100u) << "seed " << GetParam();
  auto nonempty = [](const support::MemoryRows& rows) {
    support::MemoryRows::Tables tables;
    for (const auto& [view, table] : rows.tables()) {
      if (!table.empty()) tables.emplace(view, table);
    }
    return tables;
  };
  EXPECT_TRUE(nonempty(chaos.story.refold()) == nonempty(chaos.story.rows())) << "seed " << GetParam();
}

TEST_P(P3AViewIsAFoldTest, CountersAndListsAgreeWithTheRows) {
  Chaos chaos(GetParam());
  for (int i = 0; i < 400; ++i) chaos.step();
  const auto& rows = chaos.story.rows();
  ledger::StateCounts counts{};
  for (const auto& row : ledger::list_runs(rows, {}, 1000).rows) {
    auto run = row.get();
    ++counts[static_cast<size_t>(run.getState())];
    EXPECT_GE(run.getJobs().size(), run.getVersion());
    if (run.getVersion() > 0) {
      EXPECT_EQ(run.getState(), chaos.story.job(run.getJob()).get().getState()) << "seed " << GetParam();
    }
  }
  EXPECT_EQ(ledger::run_counts(rows), counts) << "seed " << GetParam();
  auto queue = ledger::list_queue(rows, 1000).rows;
  for (const auto& row : queue) {
    auto state = chaos.story.job(row.get().getJob()).get().getState();
    EXPECT_EQ(state, row.get().getHeld() ? schema::RunState::HELD : schema::RunState::QUEUED);
  }
  EXPECT_EQ(ledger::waiting_jobs(rows, "MARI") + ledger::waiting_jobs(rows, "MERLIN"), queue.size());
  for (const auto& worker : ledger::list_workers(rows)) {
    for (uint64_t job : worker.get().getJobs()) EXPECT_EQ(chaos.story.job_state(job), "running") << "seed " << GetParam();
  }
}

TEST_P(P3AViewIsAFoldTest, CampaignsAndStagesAgreeWithTheirJobs) {
  Chaos chaos(GetParam());
  for (int i = 0; i < 600; ++i) chaos.step();
  const auto& rows = chaos.story.rows();
  for (const auto& row : ledger::list_campaigns(rows, 1000).rows) {
    auto campaign = row.get();
    auto counts = campaign.getCounts();
    EXPECT_EQ(counts.getNotQueued() + counts.getWaiting() + counts.getRunning() + counts.getSucceeded() + counts.getFailed() +
                  counts.getSkipped() + counts.getCancelled() + counts.getPassed(),
              campaign.getStarted().getRuns());
    ledger::StateCounts states{};
    uint32_t passed = 0;
    size_t waiting = 0;
    for (const auto& each : ledger::campaign_runs(rows, campaign.getCampaign(), 1000).rows) {
      auto run = each.get();
      if (run.getJob() == 0) {
        ++passed;
        continue;
      }
      auto job = chaos.story.job(run.getJob());
      EXPECT_EQ(run.getState(), job.get().getState()) << "seed " << GetParam() << ", job " << run.getJob();
      EXPECT_NE(run.getReason().getEvent(), 0u);
      ++states[static_cast<size_t>(run.getState())];
      waiting += run.getState() == schema::RunState::QUEUED || run.getState() == schema::RunState::HELD;
      EXPECT_FALSE(campaign.getState() == schema::CampaignRow::State::PAUSED && run.getState() == schema::RunState::QUEUED);
    }
    EXPECT_EQ(counts.getPassed(), passed);
    EXPECT_EQ(counts.getWaiting(), waiting);
    EXPECT_EQ(counts.getSucceeded(), states[static_cast<size_t>(schema::RunState::SUCCEEDED)]);
    EXPECT_EQ(counts.getCancelled(), states[static_cast<size_t>(schema::RunState::CANCELLED)]);
    EXPECT_EQ(ledger::waiting_campaign_jobs(rows, campaign.getCampaign()).size(), waiting);
  }
  for (const auto& row : ledger::list_stage_results(rows, "MARI", "", 1000).rows) {
    auto result = row.get();
    EXPECT_EQ(result.getVersion(), result.getJobs().size());
    uint64_t newest = 0;
    for (uint64_t id : result.getJobs()) {
      if (chaos.story.job(id).get().getState() == schema::RunState::SUCCEEDED) newest = id;
    }
    EXPECT_EQ(result.getResult(), newest) << "seed " << GetParam();
    EXPECT_TRUE(result.getPendingRequest() != 0 || result.getState() == chaos.story.job(result.getJob()).get().getState());
    EXPECT_TRUE(newest == 0 || chaos.story.job(newest).get().getSupersededBy() == 0);
  }
  for (const auto& row : ledger::list_runs(rows, {}, 1000).rows) {
    uint64_t newest = 0;
    for (uint64_t id : row.get().getJobs()) {
      auto job = chaos.story.job(id);
      if (job.get().getState() == schema::RunState::SUCCEEDED) newest = std::max(newest, id);
    }
    EXPECT_EQ(row.get().getResult(), newest) << "seed " << GetParam();
  }
}

TEST_P(P3AViewIsAFoldTest, NoJobEverHasTwoOpenAttempts) {
  Chaos chaos(GetParam());
  for (int i = 0; i < 400; ++i) {
    chaos.step();
    for (const auto& row : ledger::list_runs(chaos.story.rows(), {}, 1000).rows) {
      for (uint64_t id : row.get().getJobs()) {
        int open = 0;
        auto job = chaos.story.job(id);
        for (auto attempt : job.get().getAttempts()) {
          open += attempt.getOutcome() == schema::AttemptRow::Outcome::RUNNING ||
                  attempt.getOutcome() == schema::AttemptRow::Outcome::PUBLISHING;
        }
        ASSERT_EQ(open, job.get().getState() == schema::RunState::RUNNING ? 1 : 0) << "seed " << GetParam() << ", job " << id;
      }
    }
    if (i < 350) i += 7;
  }
}

TEST(ChaosTest, EverythingThatChangesRowsHappens) {
  std::set<std::string> happened;
  for (uint64_t seed = 1; seed < 4; ++seed) {
    Chaos chaos(seed);
    for (int i = 0; i < 1000; ++i) chaos.step();
    Told all;
    for (uint64_t seq = 1; seq <= chaos.story.head(); ++seq) all.events.push_back(seq);
    for (const std::string& kind : chaos.story.kinds(all)) happened.insert(kind);
    for (uint64_t seq = 1; seq <= chaos.story.head(); ++seq) {
      auto body = chaos.story.event(seq).getBody();
      if (body.isJobCancelled()) happened.emplace(ledger::view(body.getJobCancelled().getReason().getCode()));
      if (body.isJobQueued()) happened.insert("a job of " + std::string(ledger::view(body.getJobQueued().getStage())));
    }
  }
  for (const char* kind :
       {"stageSet", "stageRemoved", "combinationRequested", "trialRequested", "supportFileSeen", "campaignStarted", "campaignPaused",
        "campaignResumed", "campaignStopped", "campaignRunPassed", "campaignFinished", "jobHeld", "jobReleased", "attemptLost", "jobSucceeded",
        "jobFailed", "jobSkipped", "superseded_in_queue", "campaign_stopped", "a job of peaks", "a job of all", "a job of sum"}) {
    EXPECT_TRUE(happened.contains(kind)) << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, P3AViewIsAFoldTest, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace rules_test
