#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DecideTrialTest : public ::testing::Test {
 protected:
  DecideTrialTest() {
    story.configure();
    story.join();
    story.detect(28001);
    story.complete(story.queue(28001).first());
  }
  uint64_t ask() { return story.as_person("alice").try_script(28001).first(); }
  Story& coordinator() { return story.as(schema::Actor::Kind::DAEMON, "coordinatord"); }
  Story story;
};

TEST_F(DecideTrialTest, TrialChangesNothingTheRunShowsButItsOtherJobs) {
  const std::string before = ledger::canonical_bytes(story.run(28001).get());
  uint64_t cause = ask();
  EXPECT_EQ(ledger::canonical_bytes(story.run(28001).get()), before);
  uint64_t job = coordinator().queue_trial(28001, cause).first();
  ASSERT_NE(job, 0u);
  story.complete(job);
  auto run = story.run(28001);
  EXPECT_EQ(run.get().getVersion(), 1);
  EXPECT_EQ(run.get().getJobs().size(), 1u);
  EXPECT_EQ(run.get().getResult(), run.get().getJob());
  ASSERT_EQ(run.get().getOtherJobs().size(), 1u);
  EXPECT_EQ(run.get().getOtherJobs()[0], job);
  EXPECT_EQ(story.job(run.get().getJob()).get().getSupersededBy(), 0u);
}

TEST_F(DecideTrialTest, ItsJobHasNoVersionAndAPlaceOfItsOwn) {
  uint64_t job = coordinator().queue_trial(28001, ask()).first();
  auto row = story.job(job);
  EXPECT_EQ(row.get().getQueued().getVersion(), 0);
  EXPECT_EQ(row.get().getQueued().getOutputDirectory(), "/trials/" + std::to_string(job));
  EXPECT_EQ(row.get().getRequestedBy().getName(), "alice");
  EXPECT_EQ(ledger::list_queue(story.rows(), 10).rows.at(0).get().getKind(), schema::JobKind::TRIAL);
  story.cancel(job);
  EXPECT_THAT(std::string(ledger::view(story.job(job).get().getReason().getText())),
              HasSubstr("cancelled the trial on MARI 28001 (job " + std::to_string(job) + ")"));
  EXPECT_EQ(story.run_state(28001), "succeeded");
}

TEST_F(DecideTrialTest, OneTrialIsMadeOfOneRequest) {
  uint64_t cause = ask();
  coordinator().queue_trial(28001, cause);
  EXPECT_TRUE(refused(story.queue_trial(28001, cause), Code::kConflict, "one job answers it"));
  EXPECT_TRUE(refused(story.queue_trial(28001, story.run(28001).get().getRevisedSeq()), Code::kConflict, "was already queued as MARI 28001 v1"));
  EXPECT_TRUE(refused(story.queue_trial(28001, 1), Code::kConflict, "event 1 asks for no trial on it"));
}

TEST_F(DecideTrialTest, TrialOfAnotherRunIsNotItsOwn) {
  story.detect(28002, "other");
  uint64_t cause = ask();
  EXPECT_TRUE(refused(coordinator().queue_trial(28002, cause), Code::kConflict, "asks for no trial on it"));
  EXPECT_TRUE(story.queue_trial(28001, cause).ok());
}

TEST_F(DecideTrialTest, TrialThatCannotBeMadeIsSkippedAndTheRunStaysAsItIs) {
  const std::string before = ledger::canonical_bytes(story.run(28001).get());
  uint64_t cause = ask();
  EXPECT_THAT(story.kinds(coordinator().skip_run(28001, "variables_wrong", "mon is a text", cause)), ElementsAre("runSkipped"));
  EXPECT_EQ(ledger::canonical_bytes(story.run(28001).get()), before);
  EXPECT_TRUE(refused(story.queue_trial(28001, cause), Code::kConflict, "asks for no trial"));
}

TEST_F(DecideTrialTest, OutputNeedsThePlaceForTheJob) {
  uint64_t cause = ask();
  EXPECT_TRUE(refused(coordinator().queue_trial(28001, cause, [](auto queued) { queued.setOutputDirectory("/trials/alice"); }),
                      Code::kInvalidArgument, "has no {job}"));
}

TEST_F(DecideTrialTest, WhatIsAskedForIsCheckedAtOnce) {
  auto wants = [&](const std::function<void(schema::TrialRequested::Builder)>& fill) { return story.try_script(28001, fill); };
  EXPECT_TRUE(refused(story.try_script(9), Code::kNotFound, "MARI 9 is not known"));
  EXPECT_TRUE(refused(wants([](auto trial) { trial.setInterpreter("nightly"); }), Code::kInvalidArgument, "has no interpreter nightly"));
  EXPECT_TRUE(refused(wants([](auto trial) { trial.setScriptPath("reduce.py"); }), Code::kInvalidArgument, "is not an absolute path"));
  EXPECT_TRUE(refused(wants([](auto trial) { trial.initVariables(1)[0].setName("mon"); }), Code::kInvalidArgument, "is not JSON"));
  EXPECT_TRUE(refused(wants([](auto trial) { trial.initSiblings(1)[0].setName("../secret.py"); }), Code::kInvalidArgument,
                      "is no name for a file beside the script"));
}

TEST_F(DecideTrialTest, FilesBesideTheScriptMayLieInItsFolders) {
  auto with = [&](std::string name) {
    return story.try_script(28001, [&](schema::TrialRequested::Builder trial) {
      auto file = trial.initSiblings(1)[0];
      file.setName(name);
      std::string hash = hash_of("a script");
      file.setSha256(ledger::data(hash));
    });
  };
  for (const char* good : {"reduce_vars.py", "mr_reduction/__init__.py", "a/b/c.py", "..a/b"}) EXPECT_TRUE(with(good).ok()) << good;
  for (const char* bad : {"", "/", "/a.py", "a//b.py", "a/", "./a.py", "a/../b.py", "..", "a/."}) {
    EXPECT_TRUE(refused(with(bad), Code::kInvalidArgument, "path below the script's folder")) << bad;
  }
}

TEST_F(DecideTrialTest, RefusedRunIsNotTried) {
  story.refuse_file(28009, "/archive/MARI/28009.nxs", "not_hdf5", "not HDF5");
  EXPECT_TRUE(refused(story.try_script(28009), Code::kConflict, "has no file that can be reduced"));
}

}  // namespace
}  // namespace rules_test
