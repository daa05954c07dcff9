#include <gmock/gmock.h>

#include "ledger/stage_inputs.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using Over = schema::StageRule::Over;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

void after(schema::StageRule::Builder rule, const std::vector<std::string>& stages) {
  auto list = rule.initAfter(static_cast<uint32_t>(stages.size()));
  for (uint32_t i = 0; i < stages.size(); ++i) list.set(i, stages[i]);
}

std::function<void(schema::StageRule::Builder)> over(Over over, const std::vector<std::string>& stages = {"reduction"}) {
  return [=](schema::StageRule::Builder rule) {
    rule.setOver(over);
    after(rule, stages);
  };
}

class DecideStageTest : public ::testing::Test {
 protected:
  DecideStageTest() { story.configure(); }
  Story story;
};

TEST_F(DecideStageTest, RuleIsSetReplacedAndRemoved) {
  uint64_t first = story.as_person("alice").set_stage("peaks").first();
  ASSERT_NE(first, 0u);
  EXPECT_TRUE(story.set_stage("peaks").events.empty()) << "the same again is nothing";
  uint64_t second = story.set_stage("peaks", [](auto rule) { rule.setTimeLimitMs(1000); }).first();
  ASSERT_EQ(ledger::stage_rules(story.rows(), "MARI").size(), 1u);
  EXPECT_EQ(ledger::find_stage(story.rows(), "MARI", "peaks")->get().getSeq(), second);
  EXPECT_EQ(ledger::find_stage(story.rows(), "MARI", "peaks")->get().getSetBy(), "alice");
  EXPECT_TRUE(story.remove_stage("peaks").ok());
  EXPECT_TRUE(refused(story.remove_stage("peaks"), Code::kNotFound, "MARI has no stage peaks"));
  EXPECT_TRUE(ledger::stage_rules(story.rows(), "MARI").empty());
}

TEST_F(DecideStageTest, NameIsPlain) {
  for (const char* bad : {"", "Peaks", "peak fit", "1st", "_x", "a-b"}) {
    EXPECT_TRUE(refused(story.set_stage(bad), Code::kInvalidArgument, "is no name for a stage")) << bad;
  }
  EXPECT_TRUE(refused(story.set_stage("reduction"), Code::kInvalidArgument, "what every run gets by itself"));
  EXPECT_TRUE(refused(story.set_stage(std::string(65, 'a')), Code::kInvalidArgument, "1 to 64"));
}

TEST_F(DecideStageTest, StagesBeforeItMustBeThere) {
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::RUN, {"peaks"})), Code::kInvalidArgument, "comes after stage peaks, which there is not"));
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::RUN, {"reduction", "reduction"})), Code::kInvalidArgument, "twice"));
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::RUN, {})), Code::kInvalidArgument, "it comes after no stage"));
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::EXPERIMENT, {})), Code::kInvalidArgument, "it comes after no stage"));
  EXPECT_TRUE(story.set_stage("sum", over(Over::RUNS, {})).ok()) << "named runs may be taken as they came";
}

TEST_F(DecideStageTest, StageIsNotRemovedUnderAnother) {
  story.set_stage("peaks");
  story.set_stage("fit", over(Over::RUN, {"reduction", "peaks"}));
  EXPECT_TRUE(refused(story.remove_stage("peaks"), Code::kConflict, "stage fit comes after peaks; remove that first"));
  EXPECT_TRUE(story.remove_stage("fit").ok());
  EXPECT_TRUE(story.remove_stage("peaks").ok());
}

TEST_F(DecideStageTest, NoStageComesAfterItselfHoweverFarRound) {
  EXPECT_TRUE(refused(story.set_stage("a", over(Over::RUN, {"a"})), Code::kInvalidArgument, "it would come after itself: a after a"));
  story.set_stage("a");
  story.set_stage("b", over(Over::RUN, {"a"}));
  story.set_stage("c", over(Over::RUN, {"reduction", "b"}));
  story.set_stage("d", over(Over::RUN, {"c", "reduction"}));
  EXPECT_TRUE(refused(story.set_stage("a", over(Over::RUN, {"reduction", "d"})), Code::kInvalidArgument,
                      "it would come after itself: a after d after c after b after a"));
}

TEST_F(DecideStageTest, WhatIsOverManyRunsDoesNotFeedASingleOne) {
  story.set_stage("all", over(Over::EXPERIMENT));
  story.set_stage("sum", over(Over::RUNS));
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::RUN, {"all"})), Code::kInvalidArgument,
                      "it is over a run and cannot take stage all, which is over an experiment"));
  EXPECT_TRUE(refused(story.set_stage("fit", over(Over::EXPERIMENT, {"sum"})), Code::kInvalidArgument, "which is over several runs"));
  EXPECT_TRUE(story.set_stage("plot_all", over(Over::EXPERIMENT, {"all", "reduction"})).ok());
  EXPECT_TRUE(story.set_stage("plot_sum", over(Over::RUNS, {"sum"})).ok());
  EXPECT_TRUE(refused(story.set_stage("all", over(Over::RUNS)), Code::kInvalidArgument,
                      "stage plot_all: it is over an experiment and cannot take stage all"));
}

TEST_F(DecideStageTest, OutputDoesNotFeedItself) {
  auto into = [&](std::string pattern, Over what = Over::RUN) {
    return story.set_stage("peaks", [=](schema::StageRule::Builder rule) {
      rule.setOutputPattern(pattern);
      rule.setOver(what);
    });
  };
  for (const char* inside : {"/archive/MARI/out/{run}/{version}", "/archive/{instrument}/{run}/{version}", "/archive//./MARI/{run}-{version}"}) {
    EXPECT_TRUE(refused(into(inside), Code::kInvalidArgument, "it would feed itself")) << inside;
  }
  EXPECT_TRUE(into("/archive/MARI2/{run}/{version}").ok());
  EXPECT_TRUE(refused(into("/out/{run}"), Code::kInvalidArgument, "has no {version}"));
  EXPECT_TRUE(refused(into("/out/{version}"), Code::kInvalidArgument, "has no {run}"));
  EXPECT_TRUE(refused(into("/out/{run}/{version}", Over::EXPERIMENT), Code::kInvalidArgument, "has no {experiment}"));
  EXPECT_TRUE(refused(into("out/{run}/{version}"), Code::kInvalidArgument, "is not an absolute path"));
}

TEST_F(DecideStageTest, ScriptAndInterpreterAreNamedProperly) {
  auto with = [&](const std::function<void(schema::StageRule::Builder)>& fill) { return story.set_stage("peaks", fill); };
  EXPECT_TRUE(refused(with([](auto rule) { rule.setScriptPath("peaks.py"); }), Code::kInvalidArgument, "is not an absolute path"));
  EXPECT_TRUE(refused(with([](auto rule) { rule.setContract(schema::Contract::UNSET); }), Code::kInvalidArgument, "isis, sns or fia"));
  EXPECT_TRUE(refused(with([](auto rule) { rule.setInterpreter("nightly"); }), Code::kInvalidArgument, "has no interpreter nightly"));
  EXPECT_TRUE(refused(with([](auto rule) { rule.initInputPatterns(1); }), Code::kInvalidArgument, "an input pattern is empty"));
}

// ---- results over one run ----

class StageOverRunTest : public DecideStageTest {
 protected:
  StageOverRunTest() {
    story.join();
    story.set_stage("peaks");
    story.detect(1);
    story.complete(story.queue(1).first());
  }
  void again() {
    story.request(1);
    story.complete(story.queue(1).first());
  }
};

TEST_F(StageOverRunTest, ResultHasVersionsOfItsOwn) {
  uint64_t first = story.queue_stage("peaks", {1}).first();
  ASSERT_NE(first, 0u);
  EXPECT_EQ(story.job(first).get().getQueued().getVersion(), 1);
  EXPECT_EQ(story.job(first).get().getQueued().getOutputDirectory(), "/reduced/MARI/peaks/2010001/1-1/1");
  story.complete(first);
  EXPECT_EQ(story.stage_result("peaks", {1}).get().getResult(), first);
  EXPECT_EQ(story.stage_result("peaks", {1}).get().getState(), schema::RunState::SUCCEEDED);
  again();
  uint64_t second = story.queue_stage("peaks", {1}).first();
  story.complete(second);
  auto result = story.stage_result("peaks", {1});
  EXPECT_EQ(result.get().getVersion(), 2);
  EXPECT_EQ(result.get().getResult(), second);
  EXPECT_EQ(result.get().getJobs().size(), 2u);
  EXPECT_EQ(story.job(first).get().getSupersededBy(), second);
  EXPECT_EQ(story.job(second).get().getSupersededBy(), 0u);
}

TEST_F(StageOverRunTest, RunShowsItsVersionAndListsTheStage) {
  const uint64_t version = story.run(1).get().getJob();
  uint64_t job = story.queue_stage("peaks", {1}).first();
  story.start(job);
  auto run = story.run(1);
  EXPECT_EQ(run.get().getJob(), version);
  EXPECT_EQ(story.run_state(1), "succeeded");
  ASSERT_EQ(run.get().getOtherJobs().size(), 1u);
  EXPECT_EQ(run.get().getOtherJobs()[0], job);
  EXPECT_EQ(ledger::stage_result_of_job(story.rows(), job)->get().getState(), schema::RunState::RUNNING);
}

TEST_F(StageOverRunTest, OneThatStillWaitsGivesWayToTheNewerInputs) {
  uint64_t first = story.queue_stage("peaks", {1}).first();
  again();
  auto told = story.queue_stage("peaks", {1});
  EXPECT_THAT(story.kinds(told), ElementsAre("jobCancelled", "jobQueued"));
  EXPECT_EQ(story.job_state(first), "cancelled");
  EXPECT_EQ(story.job(first).get().getReason().getCode(), "superseded_in_queue");
  auto result = story.stage_result("peaks", {1});
  EXPECT_EQ(result.get().getState(), schema::RunState::QUEUED);
  EXPECT_EQ(result.get().getJob(), told.events.back());
  EXPECT_EQ(result.get().getVersion(), 2);
}

TEST_F(StageOverRunTest, OneThatRunsIsLeftToEnd) {
  uint64_t first = story.queue_stage("peaks", {1}).first();
  story.start(first);
  again();
  EXPECT_THAT(story.kinds(story.queue_stage("peaks", {1})), ElementsAre("jobQueued"));
  EXPECT_EQ(story.job_state(first), "running");
}

TEST_F(StageOverRunTest, SameInputsAgainAreNothing) {
  uint64_t first = story.queue_stage("peaks", {1}).first();
  EXPECT_TRUE(story.queue_stage("peaks", {1}).ok());
  EXPECT_TRUE(story.queue_stage("peaks", {1}).events.empty());
  story.complete(first);
  EXPECT_TRUE(story.queue_stage("peaks", {1}).events.empty());
}

TEST_F(StageOverRunTest, JobTakesWhatTheRuleSays) {
  const uint64_t success = story.job(story.run(1).get().getJob()).get().getReason().getEvent();
  auto with = [&](const std::function<void(schema::JobQueued::Builder)>& fill) { return story.queue_stage("peaks", {1}, fill, success); };
  EXPECT_TRUE(refused(story.queue_stage("peaks", {1}, {}, 1), Code::kConflict, "event 1 is not the success of one of its sources"));
  EXPECT_TRUE(refused(with([](auto queued) { queued.setSources(nullptr); }), Code::kInvalidArgument, "sources is missing"));
  EXPECT_TRUE(refused(with([](auto queued) { queued.setStage("fit"); }), Code::kNotFound, "MARI has no stage fit"));
  EXPECT_TRUE(refused(with([](auto queued) { queued.setCampaign(3); }), Code::kInvalidArgument, "a campaign makes versions of runs"));
  EXPECT_TRUE(refused(with([](auto queued) { queued.setExperiment("E2"); }), Code::kConflict, "is not of experiment E2"));
  EXPECT_TRUE(refused(with([&](auto queued) { queued.setInputs(story.run(1).get().getRawFiles()); }), Code::kInvalidArgument, "no raw files"));
  story.detect(2, "two");
  EXPECT_TRUE(refused(story.queue_stage("peaks", {2}, {}, success), Code::kInvalidArgument, "source 1 is to be reduction of MARI 2"));
}

TEST_F(StageOverRunTest, SourceMustHaveSucceeded) {
  uint64_t cause = story.job(story.run(1).get().getJob()).get().getReason().getEvent();
  std::string bytes;
  auto source_of = [&](uint64_t job, uint16_t version) {
    capnp::MallocMessageBuilder message;
    auto source = message.initRoot<schema::JobSources>().initSources(1)[0];
    source.initRun().setInstrument("MARI");
    source.getRun().setRunNumber(1);
    source.setStage("reduction");
    source.setVersion(version);
    source.setJob(job);
    bytes = ledger::canonical_bytes(message.getRoot<schema::JobSources>().asReader());
    story.rows().put_blob(bytes);
    return story.queue_stage("peaks", {1}, [&](schema::JobQueued::Builder queued) {
      std::string hash = hash_of(bytes);
      queued.setSources(ledger::data(hash));
    }, cause);
  };
  const uint64_t first = story.run(1).get().getJob();
  EXPECT_TRUE(refused(source_of(first, 2), Code::kInvalidArgument, "is not v2 of reduction for MARI 1"));
  EXPECT_TRUE(refused(source_of(first, 1), Code::kInvalidArgument, "another output manifest or directory"));
  story.request(1);
  uint64_t second = story.queue(1).first();
  EXPECT_TRUE(refused(source_of(second, 2), Code::kConflict, "is queued, not succeeded"));
  EXPECT_TRUE(refused(source_of(99999, 2), Code::kNotFound, "job 99999 is not known"));
}

TEST_F(StageOverRunTest, NoTwoResultsShareADirectory) {
  story.detect(2, "two");
  story.complete(story.queue(2).first());
  auto fixed = [](schema::JobQueued::Builder queued) { queued.setOutputDirectory("/reduced/{stage}/{version}"); };
  EXPECT_TRUE(story.queue_stage("peaks", {1}, fixed).ok());
  EXPECT_TRUE(refused(story.queue_stage("peaks", {2}, fixed), Code::kInvalidArgument, "/reduced/peaks/1 belongs to MARI 1 peaks v1"));
}

TEST_F(StageOverRunTest, FailureIsShownWithTheResultAndTheOlderOneStaysTheResult) {
  uint64_t first = story.queue_stage("peaks", {1}).first();
  story.complete(first);
  again();
  uint64_t second = story.queue_stage("peaks", {1}).first();
  story.fail(second, 1, story.start(second).first());
  auto result = story.stage_result("peaks", {1});
  EXPECT_EQ(result.get().getState(), schema::RunState::FAILED);
  EXPECT_EQ(result.get().getResult(), first);
  EXPECT_THAT(std::string(ledger::view(result.get().getReason().getText())), HasSubstr("MARI 1 peaks v2: ValueError"));
}

TEST_F(StageOverRunTest, PausedInstrumentHoldsItsStages) {
  story.pause();
  uint64_t job = story.queue_stage("peaks", {1}).first();
  EXPECT_EQ(story.job_state(job), "held");
  EXPECT_EQ(story.stage_result("peaks", {1}).get().getState(), schema::RunState::HELD);
  story.resume();
  EXPECT_EQ(story.stage_result("peaks", {1}).get().getState(), schema::RunState::QUEUED);
}

// ---- results over an experiment, and over named runs ----

class StageOverManyTest : public DecideStageTest {
 protected:
  StageOverManyTest() {
    story.join();
    story.set_stage("all", over(Over::EXPERIMENT));
    story.set_stage("sum", over(Over::RUNS));
    for (uint64_t run : {1, 2, 3}) story.detect(run, "raw " + std::to_string(run));
    for (uint64_t run : {1, 2}) story.complete(story.queue(run).first());
  }
};

TEST_F(StageOverManyTest, ExperimentsResultIsOneHoweverManyRunsItHas) {
  uint64_t first = story.queue_stage("all", {1, 2}).first();
  ASSERT_NE(first, 0u);
  story.complete(first);
  story.complete(story.queue(3).first());
  uint64_t second = story.queue_stage("all", {1, 2, 3}).first();
  ASSERT_NE(second, 0u);
  story.complete(second);
  auto result = story.stage_result("all", {1});
  EXPECT_EQ(result.get().getVersion(), 2);
  EXPECT_EQ(result.get().getRuns().size(), 3u);
  EXPECT_EQ(story.job(first).get().getSupersededBy(), second);
  for (uint64_t run : {1, 2}) EXPECT_EQ(story.run(run).get().getOtherJobs().size(), 2u);
  EXPECT_EQ(story.run(3).get().getOtherJobs().size(), 1u);
  EXPECT_EQ(ledger::list_stage_results(story.rows(), "MARI", "", 10).rows.size(), 1u);
}

TEST_F(StageOverManyTest, RunsStandInOrder) {
  EXPECT_TRUE(refused(story.queue_stage("all", {2, 1}), Code::kInvalidArgument, "MARI 1 stands after MARI 2"));
}

TEST_F(StageOverManyTest, CombinationWaitsForItsRunsAndSaysForWhich) {
  uint64_t request = story.as_person("alice").combine("sum", {1, 3}).first();
  ASSERT_NE(request, 0u);
  auto waiting = story.stage_result("sum", {1, 3});
  EXPECT_EQ(waiting.get().getState(), schema::RunState::DETECTED);
  EXPECT_EQ(waiting.get().getPendingRequest(), request);
  EXPECT_EQ(waiting.get().getReason().getCode(), "combination_waits");
  EXPECT_EQ(waiting.get().getReason().getText(), "alice asked for it; it is queued once its 2 runs have results of reduction");
  auto rule = ledger::find_stage(story.rows(), "MARI", "sum");
  EXPECT_EQ(ledger::missing_inputs(story.rows(), rule->get().getRule(), std::vector<uint64_t>{1, 3}, "2010001"),
            "MARI 3 has no result of reduction yet");
  EXPECT_EQ(ledger::pending_combinations(story.rows(), "MARI").size(), 1u);
  EXPECT_TRUE(refused(story.queue_stage("sum", {1, 3}), Code::kInvalidArgument, "source 2 is to be reduction of MARI 3"));

  story.as(schema::Actor::Kind::DAEMON, "coordinatord").complete(story.queue(3).first());
  EXPECT_EQ(ledger::missing_inputs(story.rows(), rule->get().getRule(), std::vector<uint64_t>{1, 3}, "2010001"), "");
  uint64_t job = story.queue_stage("sum", {1, 3}).first();
  ASSERT_NE(job, 0u);
  EXPECT_EQ(story.job(job).get().getRequestedBy().getName(), "alice");
  EXPECT_EQ(story.stage_result("sum", {1, 3}).get().getPendingRequest(), 0u);
  EXPECT_TRUE(ledger::pending_combinations(story.rows(), "MARI").empty());
}

TEST_F(StageOverManyTest, ManyMissingRunsAreNamedByTheFirst) {
  for (uint64_t run = 4; run <= 9; ++run) story.detect(run, "raw " + std::to_string(run));
  auto rule = ledger::find_stage(story.rows(), "MARI", "sum");
  EXPECT_EQ(ledger::missing_inputs(story.rows(), rule->get().getRule(), std::vector<uint64_t>{1, 4, 5, 6, 7, 9}, "2010001"),
            "MARI 4, 5, 6 and 2 more have no result of reduction yet");
}

TEST_F(StageOverManyTest, SameCombinationIsAskedForOnceAtATime) {
  EXPECT_TRUE(story.combine("sum", {1, 2}).ok());
  EXPECT_TRUE(refused(story.combine("sum", {1, 2}), Code::kConflict, "asks for these runs already"));
  uint64_t job = story.queue_stage("sum", {1, 2}).first();
  EXPECT_TRUE(refused(story.combine("sum", {1, 2}), Code::kConflict, "is still queued"));
  story.complete(job);
  EXPECT_TRUE(story.combine("sum", {1, 2}).ok()) << "once it has ended it may be asked for again";
  EXPECT_TRUE(story.queue_stage("sum", {1, 2}).first()) << "with the same results too";
}

TEST_F(StageOverManyTest, PendingRequestIsWhatItsJobAnswers) {
  uint64_t success = story.job(story.run(1).get().getJob()).get().getReason().getEvent();
  EXPECT_TRUE(refused(story.queue_stage("sum", {1, 2}, {}, success), Code::kConflict, "nobody asked for these runs together"));
  story.combine("sum", {1, 2});
  EXPECT_TRUE(refused(story.queue_stage("sum", {1, 2}, {}, success), Code::kConflict, "asks for it, so the job answers that"));
}

TEST_F(StageOverManyTest, CombinedRunsAreKnownInOrderAndOfOneExperiment) {
  story.detect(7, "seven", {}, "2010002");
  EXPECT_TRUE(refused(story.combine("sum", {1}), Code::kInvalidArgument, "1 run to combine; 2 to 512"));
  EXPECT_TRUE(refused(story.combine("sum", {1, 1}), Code::kInvalidArgument, "ascending order"));
  EXPECT_TRUE(refused(story.combine("sum", {2, 1}), Code::kInvalidArgument, "ascending order"));
  EXPECT_TRUE(refused(story.combine("sum", {1, 99}), Code::kNotFound, "MARI 99 is not known"));
  EXPECT_TRUE(refused(story.combine("sum", {1, 7}), Code::kInvalidArgument, "MARI 7 is of experiment 2010002"));
  EXPECT_TRUE(refused(story.combine("all", {1, 2}), Code::kInvalidArgument, "is made by itself"));
  EXPECT_TRUE(refused(story.combine("none", {1, 2}), Code::kNotFound, "MARI has no stage none"));
}

TEST_F(StageOverManyTest, StageOverNamedRunsMayTakeTheirRawFiles) {
  story.set_stage("add", over(Over::RUNS, {}));
  story.combine("add", {2, 3});
  auto raw = [&](schema::JobQueued::Builder queued) {
    auto inputs = queued.initInputs(2);
    inputs.setWithCaveats(0, story.run(2).get().getRawFiles()[0]);
    inputs.setWithCaveats(1, story.run(3).get().getRawFiles()[0]);
  };
  EXPECT_TRUE(refused(story.queue_stage("add", {2, 3}), Code::kConflict, "inputs given are not the files on record"));
  EXPECT_TRUE(refused(story.queue_stage("add", {2, 3}, raw, 1), Code::kConflict, "so the job answers that"));
  EXPECT_TRUE(story.queue_stage("add", {2, 3}, raw).ok());
}

TEST_F(StageOverManyTest, StageAfterAStageTakesTheResultForTheSameRuns) {
  story.set_stage("plot", over(Over::EXPERIMENT, {"all", "reduction"}));
  uint64_t all = story.queue_stage("all", {1, 2}).first();
  story.complete(all);
  uint64_t plot = story.queue_stage("plot", {1, 2}).first();
  ASSERT_NE(plot, 0u);
  auto sources = story.rows().blob(ledger::view(story.job(plot).get().getQueued().getSources()));
  EXPECT_EQ(ledger::Row<schema::JobSources>(*sources).get().getSources().size(), 3u);  // both reductions, and one result of them
}

TEST_F(StageOverManyTest, ListsAreByStageAndInPages) {
  story.queue_stage("all", {1, 2});
  story.combine("sum", {1, 2});
  story.combine("sum", {1, 3});
  EXPECT_EQ(ledger::list_stage_results(story.rows(), "MARI", "sum", 10).rows.size(), 2u);
  auto page = ledger::list_stage_results(story.rows(), "MARI", "", 2);
  EXPECT_EQ(page.rows.size(), 2u);
  EXPECT_EQ(page.rows[0].get().getStage(), "all");
  EXPECT_EQ(ledger::list_stage_results(story.rows(), "MARI", "", 2, page.next).rows.size(), 1u);
  EXPECT_TRUE(ledger::list_stage_results(story.rows(), "MERLIN", "", 10).rows.empty());
}

}  // namespace
}  // namespace rules_test
