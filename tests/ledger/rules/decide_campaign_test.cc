#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using State = schema::CampaignRow::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DecideCampaignTest : public ::testing::Test {
 protected:
  DecideCampaignTest() {
    story.configure();
    story.join();
    for (uint64_t run = 1; run <= 4; ++run) story.detect(run, "raw " + std::to_string(run));
    for (uint64_t run = 1; run <= 3; ++run) story.complete(story.queue(run).first());
    campaign = story.as_person("alice").start_campaign({1, 2, 3}).first();
    story.as(schema::Actor::Kind::DAEMON, "coordinatord");
  }
  /// not queued, waiting, running, succeeded, failed, skipped, cancelled, passed
  std::vector<uint32_t> counts() const {
    auto row = story.campaign(campaign);
    auto counts = row.get().getCounts();
    return {counts.getNotQueued(), counts.getWaiting(), counts.getRunning(), counts.getSucceeded(),
            counts.getFailed(),    counts.getSkipped(), counts.getCancelled(), counts.getPassed()};
  }
  std::string state() const { return std::to_string(static_cast<int>(story.campaign(campaign).get().getState())); }
  std::string text(uint64_t job) const { return std::string(ledger::view(story.job(job).get().getReason().getText())); }
  std::string code(uint64_t job) const { return std::string(ledger::view(story.job(job).get().getReason().getCode())); }

  Story story;
  uint64_t campaign = 0;
};

TEST_F(DecideCampaignTest, StartSaysWhoseAndHowMany) {
  auto row = story.campaign(campaign);
  EXPECT_EQ(row.get().getOwner().getName(), "alice");
  EXPECT_EQ(row.get().getStarted().getRuns(), 3u);
  ASSERT_EQ(row.get().getStarted().getInstruments().size(), 1u);
  EXPECT_EQ(row.get().getStarted().getInstruments()[0], "MARI");
  EXPECT_EQ(row.get().getReason().getText(), "alice started it: new calibration");
  EXPECT_THAT(counts(), ElementsAre(3, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(ledger::open_campaigns(story.rows()), ElementsAre(campaign));
}

TEST_F(DecideCampaignTest, PlanIsOfKnownRunsInOrder) {
  EXPECT_TRUE(refused(story.start_campaign({}), Code::kInvalidArgument, "a campaign of 0 runs is asked for; 1 to 20000"));
  EXPECT_TRUE(refused(story.start_campaign({2, 1}), Code::kInvalidArgument, "MARI 1 after MARI 2"));
  EXPECT_TRUE(refused(story.start_campaign({1, 1}), Code::kInvalidArgument, "each run once"));
  EXPECT_TRUE(refused(story.start_campaign({1, 99}), Code::kNotFound, "MARI 99 is not known"));
  EXPECT_TRUE(refused(story.start_campaign({1}, [](auto started) { started.setPurpose(""); }), Code::kInvalidArgument, "needs a purpose"));
  EXPECT_TRUE(refused(story.start_campaign({1}, [](auto started) { started.setInterpreter("nightly"); }), Code::kInvalidArgument,
                      "MARI has no interpreter nightly"));
  EXPECT_TRUE(refused(story.start_campaign({1}, [](auto started) { started.initVariables(1)[0].setName("mon"); }), Code::kInvalidArgument,
                      "is not JSON"));
  EXPECT_TRUE(refused(story.start_campaign({1}, [](auto started) {
    std::string hash = hash_of(kScript);
    started.setPlan(ledger::data(hash));
  }), Code::kInvalidArgument, "send it as a CampaignPlan document"));
  std::vector<uint64_t> many(20'001);
  for (size_t i = 0; i < many.size(); ++i) many[i] = i + 1;
  EXPECT_TRUE(refused(story.start_campaign(many), Code::kInvalidArgument, "20001 runs"));
}

TEST_F(DecideCampaignTest, ItsJobsAreVersionsAskedForByItsOwner) {
  uint64_t job = story.queue_for(campaign, 1).first();
  EXPECT_EQ(story.run(1).get().getVersion(), 2);
  EXPECT_EQ(story.job(job).get().getRequestedBy().getName(), "alice");
  uint64_t next = story.queue_for(campaign, 2).first();
  EXPECT_EQ(story.job(next).get().getRequestedBy().getName(), "alice");
  EXPECT_THAT(counts(), ElementsAre(1, 2, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(ledger::list_queue(story.rows(), 10).rows.at(0).get().getCampaign(), campaign);
  EXPECT_EQ(ledger::campaign_of_job(story.rows(), job), campaign);
  EXPECT_THAT(ledger::waiting_campaign_jobs(story.rows(), campaign), ElementsAre(job, next));
  EXPECT_EQ(ledger::find_campaign_run(story.rows(), campaign, "MARI", 1)->get().getJob(), job);
  story.complete(job);
  EXPECT_EQ(ledger::find_campaign_run(story.rows(), campaign, "MARI", 1)->get().getState(), schema::RunState::SUCCEEDED);
  EXPECT_EQ(story.run(1).get().getResult(), job);
}

TEST_F(DecideCampaignTest, EveryRunIsTakenOnceAndOnlyThoseOfThePlan) {
  story.queue_for(campaign, 1);
  EXPECT_TRUE(refused(story.queue_for(campaign, 1), Code::kConflict, "has job"));
  EXPECT_TRUE(refused(story.queue_for(campaign, 4), Code::kConflict, "MARI 4 is not in the plan of campaign"));
  EXPECT_TRUE(refused(story.queue_for(1, 1), Code::kNotFound, "campaign 1 is not known"));
  story.pass(campaign, 2);
  EXPECT_TRUE(refused(story.queue_for(campaign, 2), Code::kConflict, "MARI 2 was passed by campaign"));
  EXPECT_TRUE(refused(story.pass(campaign, 2), Code::kConflict, "was passed by"));
  EXPECT_TRUE(refused(story.pass(campaign, 1), Code::kConflict, "has job"));
  EXPECT_TRUE(refused(story.queue(3, [&](auto queued) { queued.setCampaign(campaign); }, story.run(3).get().getRevisedSeq()), Code::kConflict,
                      "is not the start of campaign"));
}

TEST_F(DecideCampaignTest, BusyRunIsNotQueued) {
  story.as_person("bob").request(1);
  EXPECT_TRUE(refused(story.queue_for(campaign, 1), Code::kConflict, "passes a run that is busy"));
  uint64_t job = story.queue(1).first();
  EXPECT_TRUE(refused(story.queue_for(campaign, 1), Code::kConflict, "MARI 1 v2 is still queued"));
  story.complete(job);
  EXPECT_TRUE(story.queue_for(campaign, 1).ok());
}

TEST_F(DecideCampaignTest, CountsFollowItsJobsAndAddUp) {
  uint64_t one = story.queue_for(campaign, 1).first(), two = story.queue_for(campaign, 2).first();
  uint64_t fence = story.start(one).first();
  EXPECT_THAT(counts(), ElementsAre(1, 1, 1, 0, 0, 0, 0, 0));
  story.lose(one, 1, fence);
  EXPECT_THAT(counts(), ElementsAre(1, 2, 0, 0, 0, 0, 0, 0));
  fence = story.start(one).first();
  story.fail(one, 2, fence, schema::FailureKind::WORKER);
  EXPECT_THAT(counts(), ElementsAre(1, 2, 0, 0, 0, 0, 0, 0)) << "it is tried again";
  fence = story.start(one).first();
  story.wait(5);
  story.succeed(one, 3, fence);
  story.publish(one, 3, fence);
  EXPECT_THAT(counts(), ElementsAre(1, 1, 0, 1, 0, 0, 0, 0));
  EXPECT_EQ(story.campaign(campaign).get().getWorkedMs(), 7000u);
  story.fail(two, 1, story.start(two).first());
  EXPECT_THAT(counts(), ElementsAre(1, 0, 0, 1, 1, 0, 0, 0));
  story.pass(campaign, 3);
  EXPECT_THAT(counts(), ElementsAre(0, 0, 0, 1, 1, 0, 0, 1));
  EXPECT_EQ(ledger::campaign_runs(story.rows(), campaign, 10).rows.size(), 3u);
}

TEST_F(DecideCampaignTest, PausingHoldsWhatWaitsAndResumingLetsItGo) {
  uint64_t one = story.queue_for(campaign, 1).first(), two = story.queue_for(campaign, 2).first();
  story.start(one);
  EXPECT_THAT(story.kinds(story.as_person("alice").pause_campaign(campaign)), ElementsAre("campaignPaused", "jobHeld"));
  EXPECT_EQ(story.job_state(one), "running");
  EXPECT_EQ(story.job_state(two), "held");
  EXPECT_EQ(text(two), "alice paused campaign " + std::to_string(campaign) + ": beam time first");
  EXPECT_TRUE(refused(story.queue_for(campaign, 3), Code::kConflict, "is paused (alice paused campaign"));
  EXPECT_TRUE(refused(story.pause_campaign(campaign), Code::kConflict, "is paused"));
  EXPECT_THAT(story.kinds(story.resume_campaign(campaign)), ElementsAre("campaignResumed", "jobReleased"));
  EXPECT_EQ(story.job_state(two), "queued");
  EXPECT_TRUE(refused(story.resume_campaign(campaign), Code::kConflict, "is running"));
  EXPECT_THAT(counts(), ElementsAre(1, 1, 1, 0, 0, 0, 0, 0));
}

TEST_F(DecideCampaignTest, AttemptLostWhileItIsPausedWaitsHeld) {
  uint64_t job = story.queue_for(campaign, 1).first();
  uint64_t fence = story.start(job).first();
  story.pause_campaign(campaign);
  story.lose(job, 1, fence);
  EXPECT_EQ(story.job_state(job), "held");
  EXPECT_EQ(code(job), "campaign_paused");
  story.resume_campaign(campaign);
  EXPECT_EQ(story.job_state(job), "queued");
}

TEST_F(DecideCampaignTest, TwoPausesAreEndedEachByItsOwn) {
  uint64_t job = story.queue_for(campaign, 1).first();
  // The campaign first, then its instrument.
  story.pause_campaign(campaign);
  story.pause();
  story.resume();
  EXPECT_EQ(story.job_state(job), "held") << "the campaign holds it still";
  story.pause();
  story.resume_campaign(campaign);
  EXPECT_EQ(story.job_state(job), "held") << "the instrument holds it still";
  EXPECT_EQ(code(job), "paused");
  // The instrument first, then the campaign.
  story.pause_campaign(campaign);
  EXPECT_EQ(code(job), "paused");
  story.resume();
  EXPECT_EQ(story.job_state(job), "held") << "the campaign holds it now";
  EXPECT_EQ(code(job), "campaign_paused");
  story.resume_campaign(campaign);
  EXPECT_EQ(story.job_state(job), "queued");
  EXPECT_EQ(ledger::waiting_jobs(story.rows(), "MARI"), 1u);
}

TEST_F(DecideCampaignTest, StoppingTakesBackWhatWaits) {
  uint64_t one = story.queue_for(campaign, 1).first(), two = story.queue_for(campaign, 2).first();
  const uint64_t before = story.run(2).get().getJobs()[0];
  story.start(one);
  EXPECT_THAT(story.kinds(story.as_person("alice").stop_campaign(campaign)), ElementsAre("campaignStopped", "jobCancelled"));
  EXPECT_EQ(story.job_state(one), "running");
  EXPECT_EQ(story.job_state(two), "cancelled");
  EXPECT_EQ(code(two), "campaign_stopped");
  auto run = story.run(2);
  EXPECT_EQ(run.get().getVersion(), 1) << "the run shows the version before";
  EXPECT_EQ(run.get().getJob(), before);
  EXPECT_EQ(run.get().getResult(), before);
  EXPECT_EQ(story.run_state(2), "succeeded");
  EXPECT_THAT(counts(), ElementsAre(1, 0, 1, 0, 0, 0, 1, 0));
  EXPECT_TRUE(refused(story.queue_for(campaign, 3), Code::kConflict, "is stopped"));
  EXPECT_TRUE(refused(story.pass(campaign, 3), Code::kConflict, "is stopped"));
  EXPECT_TRUE(refused(story.stop_campaign(campaign), Code::kConflict, "nothing to stop"));
  EXPECT_TRUE(refused(story.pause_campaign(campaign), Code::kConflict, "is stopped"));
}

TEST_F(DecideCampaignTest, StoppingMayKeepWhatWaits) {
  uint64_t job = story.queue_for(campaign, 1).first();
  story.pause_campaign(campaign);
  EXPECT_THAT(story.kinds(story.stop_campaign(campaign, true)), ElementsAre("campaignStopped", "jobReleased"));
  EXPECT_EQ(story.job_state(job), "queued") << "kept, and nothing holds it";
  EXPECT_TRUE(refused(story.finish_campaign(campaign), Code::kConflict, "1 job that wait or run"));
  EXPECT_TRUE(refused(story.stop_campaign(campaign, true), Code::kConflict, "nothing to stop"));
  EXPECT_THAT(story.kinds(story.stop_campaign(campaign)), ElementsAre("campaignStopped", "jobCancelled")) << "stopped for good";
  EXPECT_TRUE(story.finish_campaign(campaign).ok());
}

TEST_F(DecideCampaignTest, ItHasFinishedWhenAllHaveEnded) {
  EXPECT_TRUE(refused(story.finish_campaign(campaign), Code::kConflict, "3 runs left that have no job"));
  story.pass(campaign, 3);
  uint64_t one = story.queue_for(campaign, 1).first(), two = story.queue_for(campaign, 2).first();
  story.complete(one);
  EXPECT_TRUE(refused(story.finish_campaign(campaign), Code::kConflict, "1 job"));
  story.fail(two, 1, story.start(two).first());
  EXPECT_TRUE(story.finish_campaign(campaign).ok());
  auto row = story.campaign(campaign);
  EXPECT_EQ(row.get().getState(), State::FINISHED);
  EXPECT_NE(row.get().getFinishedAt(), 0);
  EXPECT_THAT(std::string(ledger::view(row.get().getReason().getText())), HasSubstr("has ended: 1 succeeded, 1 failed, 1 passed"));
  EXPECT_TRUE(ledger::open_campaigns(story.rows()).empty());
  EXPECT_TRUE(refused(story.finish_campaign(campaign), Code::kConflict, "is finished"));
  EXPECT_TRUE(refused(story.stop_campaign(campaign), Code::kConflict, "is finished"));
  EXPECT_TRUE(refused(story.resume_campaign(campaign), Code::kConflict, "is finished"));
}

TEST_F(DecideCampaignTest, NewestIsListedFirst) {
  uint64_t second = story.start_campaign({2}).first(), third = story.start_campaign({1, 3}).first();
  auto page = ledger::list_campaigns(story.rows(), 2);
  ASSERT_EQ(page.rows.size(), 2u);
  EXPECT_EQ(page.rows[0].get().getCampaign(), third);
  EXPECT_EQ(page.rows[1].get().getCampaign(), second);
  page = ledger::list_campaigns(story.rows(), 2, page.next);
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_EQ(page.rows[0].get().getCampaign(), campaign);
}

}  // namespace
}  // namespace rules_test
