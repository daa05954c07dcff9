#include "ledger/campaign_plan.h"

#include <gmock/gmock.h>

#include "schema/document.capnp.h"
#include "tests/ledger/rules/reduced_story.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = schema::CampaignStarted::Kind;
using Script = schema::ReductionRequested::ScriptChoice;

class CampaignPlanTest : public ::testing::Test {
 protected:
  CampaignPlanTest() {
    story.use_script("script 1", {{"mon", "1"}});
    for (uint64_t run = 1; run <= 8; ++run) story.detect(run);
  }
  static std::vector<std::string> runs(const ledger::PlannedCampaign& plan) {
    std::vector<std::string> texts;
    for (const auto& each : plan.runs) texts.push_back(std::to_string(each.run_number) + " v" + std::to_string(each.basis));
    return texts;
  }
  static std::vector<std::string> passed(const ledger::PlannedCampaign& plan) {
    std::vector<std::string> texts;
    for (const auto& each : plan.passed) texts.push_back(std::to_string(each.run_number) + " " + each.code);
    return texts;
  }
  void skip(uint64_t run) {
    const uint64_t job = story.queue_version(run);
    EXPECT_TRUE(story.skip(job, 1, story.start(job).first()).ok());
  }
  ReducedStory story;
};

TEST_F(CampaignPlanTest, RunsThatCanBeReducedAgainAreInItTheOthersArePassedWithWhy) {
  story.reduce(1);
  story.fail_version(2);
  skip(3);
  story.queue_version(4);                  // waits
  story.reduce(5), story.request(5);       // asked for, without a job yet
  story.skip_run(6, "no_script", "there is no script");
  story.refuse_file(9, "/archive/MARI9.raw");
  const auto plan = ledger::plan_campaign(story.rows(), {});
  EXPECT_THAT(runs(plan), ElementsAre("1 v1", "2 v1", "3 v1"));
  EXPECT_THAT(passed(plan), ElementsAre("4 run_busy", "5 run_busy", "6 never_reduced", "7 run_busy", "8 run_busy", "9 file_refused"));
  EXPECT_THAT(plan.passed[2].text, HasSubstr("use the current script"));
  EXPECT_EQ(plan.considered, 9u);
  EXPECT_THAT(runs(ledger::plan_campaign(story.rows(), {.script = Script::CURRENT})), ElementsAre("1 v1", "2 v1", "3 v1", "6 v0"));
}

TEST_F(CampaignPlanTest, WhatTheCallerMayNotIsPassedWithTheSentence) {
  story.reduce(1);
  story.reduce(2);
  const auto plan = ledger::plan_campaign(story.rows(), {.pick = {.ranges = {{1, 2}}}, .may = [](schema::RunRow::Reader run) {
    return run.getRun().getRunNumber() == 1 ? base::Status(base::Code::kPermissionDenied, "MARI 1: only its scientists may") : base::Status();
  }});
  EXPECT_THAT(runs(plan), ElementsAre("2 v1"));
  EXPECT_THAT(passed(plan), ElementsAre("1 no_right"));
  EXPECT_EQ(plan.passed[0].text, "MARI 1: only its scientists may");
}

TEST_F(CampaignPlanTest, AReplayIsOverWhatWentWrong) {
  story.reduce(1);
  story.fail_version(2);
  skip(3);
  story.skip_run(4, "internal_fault", "coordinatord failed at this run");
  const auto plan = ledger::plan_campaign(story.rows(), {.kind = Kind::REPLAY});
  EXPECT_THAT(runs(plan), ElementsAre("2 v1", "4 v0"));
  EXPECT_THAT(passed(plan), ElementsAre("3 skipped_by_script"));
  EXPECT_THAT(runs(ledger::plan_campaign(story.rows(), {.pick = {.runs = {.states = {schema::RunState::FAILED}}}, .kind = Kind::REPLAY})), ElementsAre("2 v1"));
  const auto of_succeeded = ledger::plan_campaign(story.rows(), {.pick = {.runs = {.states = {schema::RunState::SUCCEEDED}}}, .kind = Kind::REPLAY});
  EXPECT_EQ(of_succeeded.run_count + of_succeeded.passed_count, 0u);
}

TEST_F(CampaignPlanTest, DurationsOfThePastAreAddedUpAndMissingOnesEstimated) {
  const auto take = [&](uint64_t run, int64_t seconds) {
    const uint64_t job = story.queue_version(run), fence = story.start(job).first();
    story.wait(seconds);
    story.succeed(job, 1, fence);
    story.publish(job, 1, fence);
  };
  take(1, 10), take(2, 20);  // and two seconds for the events
  story.fail_version(2);     // its result's duration counts
  story.skip_run(3, "no_script", "there is no script");
  story.configure("LET");
  story.detect(1, "raw", {}, "E1", "LET");
  const auto plan = ledger::plan_campaign(story.rows(), {.pick = {.ranges = {{1, 3}}}, .script = Script::CURRENT});
  ASSERT_THAT(runs(plan), ElementsAre("1 v1", "2 v2", "3 v0"));
  EXPECT_EQ(plan.runs[0].last_ms, 12'000u);
  EXPECT_EQ(plan.runs[1].last_ms, 22'000u);
  EXPECT_EQ(plan.runs[2].last_ms, 0u);
  EXPECT_EQ(plan.estimate_ms, 12'000u + 22'000u + 17'000u);
  EXPECT_EQ(plan.unknown_durations, 0u);
  const auto unknown = ledger::plan_campaign(story.rows(), {.pick = {.ranges = {{3, 3}}}, .script = Script::CURRENT});
  EXPECT_EQ(unknown.estimate_ms, 0u);
  EXPECT_EQ(unknown.unknown_durations, 1u);
}

TEST_F(CampaignPlanTest, DocumentNamesTheRunsInTheOrderTheyAreQueued) {
  story.reduce(2);
  story.reduce(1);
  story.fail_version(1);
  const auto plan = ledger::plan_campaign(story.rows(), {.pick = {.ranges = {{1, 2}}}});
  const ledger::Row<schema::CampaignPlan> document(plan.document);
  ASSERT_EQ(document.get().getRuns().size(), 2u);
  EXPECT_EQ(document.get().getRuns()[0].getRun().getRunNumber(), 1u);
  EXPECT_EQ(document.get().getRuns()[0].getBasis(), 2);
  EXPECT_EQ(document.get().getRuns()[1].getRun().getRunNumber(), 2u);
  story.rows().put_blob(plan.document);
  const auto started = story.as_person("alice").tell([&](schema::Command::Builder command) {
    auto campaign = command.getBody().initStartCampaign();
    campaign.setPurpose("a better mask");
    campaign.setPlan(ledger::data(hash_of(plan.document)));
  });
  EXPECT_TRUE(started.ok()) << started.status.message();
}

TEST_F(CampaignPlanTest, MoreRunsThanACampaignTakesAreCountedWithoutADocument) {
  for (uint64_t run = 1; run <= 3; ++run) story.reduce(run);
  const auto plan = ledger::plan_campaign(story.rows(), {.most_runs = 2, .most_passed = 1});
  EXPECT_EQ(plan.run_count, 3u);
  EXPECT_EQ(plan.runs.size(), 2u);
  EXPECT_EQ(plan.document, "");
  EXPECT_EQ(plan.passed_count, 5u);
  EXPECT_EQ(plan.passed.size(), 1u);
}

TEST_F(CampaignPlanTest, WhoLooksOnMayEndIt) {
  story.reduce(1);
  const auto plan = ledger::plan_campaign(story.rows(), {}, [](uint64_t) { return false; });
  EXPECT_THAT(runs(plan), IsEmpty());
  EXPECT_EQ(plan.document, "");
}

}  // namespace
}  // namespace rules_test
