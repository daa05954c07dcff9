#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DecideJobTest : public ::testing::Test {
 protected:
  DecideJobTest() {
    story.configure();
    story.join();
    story.detect(28001);
  }
  Story story;
};

TEST_F(DecideJobTest, VersionsCountFromOneEachInItsOwnDirectory) {
  uint64_t first = story.queue(28001).first();
  EXPECT_EQ(story.job(first).get().getQueued().getVersion(), 1);
  EXPECT_EQ(story.job(first).get().getQueued().getOutputDirectory(), "/reduced/MARI/28001/1");
  story.complete(first);
  story.as_person("alice").request(28001);
  uint64_t second = story.as(schema::Actor::Kind::DAEMON, "coordinatord").queue(28001).first();
  EXPECT_EQ(story.job(second).get().getQueued().getVersion(), 2);
  EXPECT_EQ(story.job(second).get().getQueued().getOutputDirectory(), "/reduced/MARI/28001/2");
  EXPECT_EQ(story.run(28001).get().getJobs().size(), 2u);
  EXPECT_EQ(story.run(28001).get().getJob(), second);
}

TEST_F(DecideJobTest, RequestedByIsThePersonWhoAsked) {
  story.complete(story.queue(28001).first());
  EXPECT_EQ(story.job(story.run(28001).get().getJob()).get().getRequestedBy().getName(), "coordinatord");
  story.as_person("alice").request(28001);
  uint64_t job = story.as(schema::Actor::Kind::DAEMON, "coordinatord").queue(28001).first();
  EXPECT_EQ(story.job(job).get().getRequestedBy().getName(), "alice");
  EXPECT_EQ(story.run(28001).get().getPendingRequest(), 0u);
}

TEST_F(DecideJobTest, OneEventIsAnsweredByOneJob) {
  uint64_t cause = story.run(28001).get().getRevisedSeq();
  uint64_t job = story.queue(28001).first();
  EXPECT_TRUE(refused(story.queue(28001, {}, cause), Code::kConflict,
                      "was already queued as MARI 28001 v1 (job " + std::to_string(job) + ")"));
}

TEST_F(DecideJobTest, JobNeedsACauseOfItsRun) {
  EXPECT_TRUE(refused(story.queue(28001, {}, 1), Code::kConflict, "event 1 is not what the run waits"));
  story.detect(28001, "rewritten");
  uint64_t old = story.run(28001).get().getDetectedSeq();
  EXPECT_TRUE(refused(story.queue(28001, {}, old), Code::kConflict, "is not what the run waits"));
  EXPECT_TRUE(story.queue(28001).ok());
}

TEST_F(DecideJobTest, RevisedRunIsQueuedAgainAndTheOldJobNoLongerSpeaksForIt) {
  uint64_t first = story.queue(28001).first();
  story.detect(28001, "rewritten");
  uint64_t second = story.queue(28001).first();
  ASSERT_NE(second, 0u);
  uint64_t fence = story.start(first).first();
  EXPECT_EQ(story.run_state(28001), "queued");
  story.fail(first, 1, fence);
  EXPECT_EQ(story.job_state(first), "failed");
  EXPECT_EQ(story.run_state(28001), "queued");
  story.complete(second);
  EXPECT_EQ(story.run_state(28001), "succeeded");
}

TEST_F(DecideJobTest, PausedInstrumentHoldsWhatIsQueued) {
  uint64_t pause = story.as_person("alice").pause().first();
  Told told = story.as(schema::Actor::Kind::DAEMON, "coordinatord").queue(28001);
  EXPECT_THAT(story.kinds(told), ElementsAre("jobQueued", "jobHeld"));
  EXPECT_EQ(story.event(told.events[1]).getCause(), pause);
  EXPECT_EQ(story.run_state(28001), "held");
  EXPECT_EQ(story.reason_code(28001), "paused");
  EXPECT_TRUE(refused(story.start(), Code::kNotFound, "no job is waiting"));
}

TEST_F(DecideJobTest, CancelEndsAJobThatIsNotDone) {
  uint64_t job = story.queue(28001).first();
  EXPECT_TRUE(story.as_person("bob").cancel(job, "wrong sample").ok());
  EXPECT_EQ(story.run_state(28001), "cancelled");
  EXPECT_EQ(story.run(28001).get().getReason().getText(), "bob cancelled MARI 28001 v1: wrong sample");
  EXPECT_TRUE(refused(story.cancel(job), Code::kConflict, "is cancelled already"));
  EXPECT_TRUE(refused(story.cancel(999), Code::kNotFound, "job 999 is not known"));
}

TEST_F(DecideJobTest, CancelledWhileRunningItsResultIsRejected) {
  uint64_t job = story.queue(28001).first();
  uint64_t fence = story.start(job).first();
  EXPECT_TRUE(story.cancel(job).ok());
  EXPECT_THAT(story.kinds(story.succeed(job, 1, fence)), ElementsAre("resultRejected"));
  EXPECT_EQ(story.run_state(28001), "cancelled");
  EXPECT_EQ(ledger::find_worker(story.rows(), "w1")->get().getJobs().size(), 0u);
}

TEST_F(DecideJobTest, AcceptedResultIsNotCancelledAnyMore) {
  uint64_t job = story.queue(28001).first();
  uint64_t fence = story.start(job).first();
  story.succeed(job, 1, fence);
  EXPECT_TRUE(refused(story.cancel(job), Code::kConflict, "can no longer be cancelled"));
}

TEST_F(DecideJobTest, VersionCancelledBeforeItStartedIsTakenBack) {
  story.complete(story.queue(28001).first());
  const std::string before = ledger::canonical_bytes(story.run(28001).get());
  const std::string reason = story.reason_code(28001);
  story.request(28001);
  uint64_t second = story.queue(28001).first();
  EXPECT_EQ(story.run(28001).get().getVersion(), 2);
  story.cancel(second);
  auto run = story.run(28001);
  EXPECT_EQ(run.get().getVersion(), 1);
  EXPECT_EQ(story.run_state(28001), "succeeded");
  EXPECT_EQ(story.reason_code(28001), reason);
  EXPECT_NE(run.get().getFinishedAt(), 0);
  EXPECT_EQ(run.get().getJobs().size(), 2u);
  // But for the number that is used up all is as it was.
  EXPECT_EQ(story.job_state(second), "cancelled");
  EXPECT_EQ(ledger::run_counts(story.rows())[static_cast<size_t>(schema::RunState::SUCCEEDED)], 1u);
  story.request(28001);
  uint64_t third = story.queue(28001).first();
  EXPECT_EQ(story.job(third).get().getQueued().getVersion(), 3);
  EXPECT_EQ(story.job(third).get().getQueued().getOutputDirectory(), "/reduced/MARI/28001/3");
  story.cancel(third);
  EXPECT_EQ(story.run(28001).get().getVersion(), 1) << "the one before that still counts";
  EXPECT_TRUE(story.request(28001, [](auto request) { request.setBasis(3); }).ok()) << "its script and values are on record all the same";
}

TEST_F(DecideJobTest, VersionCancelledAfterItStartedStays) {
  story.complete(story.queue(28001).first());
  story.request(28001);
  uint64_t second = story.queue(28001).first();
  uint64_t fence = story.start(second).first();
  story.lose(second, 1, fence);
  EXPECT_EQ(story.run_state(28001), "queued");
  story.cancel(second);
  EXPECT_EQ(story.run_state(28001), "cancelled");
  EXPECT_EQ(story.run(28001).get().getVersion(), 2);
}

TEST_F(DecideJobTest, VersionTakenBackShowsTheOneBeforeAsItIsByThen) {
  uint64_t first = story.queue(28001).first();
  uint64_t fence = story.start(first).first();
  story.detect(28001, "rewritten");
  uint64_t second = story.queue(28001).first();
  story.succeed(first, 1, fence);
  story.publish(first, 1, fence);
  EXPECT_EQ(story.run_state(28001), "queued") << "v1 no longer speaks for the run";
  EXPECT_EQ(story.run(28001).get().getResult(), first) << "but its output is the newest there is";
  story.detect(28001, "rewritten again");
  uint64_t third = story.queue(28001).first();
  story.cancel(second);
  EXPECT_EQ(story.run(28001).get().getJob(), third);
  story.cancel(third);
  EXPECT_EQ(story.run(28001).get().getJob(), first);
  EXPECT_EQ(story.run_state(28001), "succeeded");
}

TEST_F(DecideJobTest, NewerSuccessSupersedesTheResultBefore) {
  uint64_t first = story.queue(28001).first();
  story.complete(first);
  story.request(28001);
  uint64_t second = story.queue(28001).first();
  EXPECT_EQ(story.run(28001).get().getResult(), first);
  story.fail(second, 1, story.start(second).first());
  EXPECT_EQ(story.run(28001).get().getResult(), first) << "a failure supersedes nothing";
  EXPECT_EQ(story.job(first).get().getSupersededBy(), 0u);
  story.request(28001);
  uint64_t third = story.queue(28001).first();
  story.complete(third);
  EXPECT_EQ(story.run(28001).get().getResult(), third);
  EXPECT_EQ(story.job(first).get().getSupersededBy(), third);
  EXPECT_EQ(story.job(second).get().getSupersededBy(), 0u);
  EXPECT_EQ(story.job(third).get().getSupersededBy(), 0u);
}

TEST_F(DecideJobTest, OlderVersionThatSucceedsLateIsSupersededAlready) {
  uint64_t first = story.queue(28001).first();
  uint64_t fence = story.start(first).first();
  story.detect(28001, "rewritten");
  uint64_t second = story.queue(28001).first();
  story.complete(second);
  story.succeed(first, 1, fence);
  story.publish(first, 1, fence);
  EXPECT_EQ(story.run(28001).get().getResult(), second);
  EXPECT_EQ(story.job(first).get().getSupersededBy(), second);
  EXPECT_EQ(story.job(second).get().getSupersededBy(), 0u);
}

TEST_F(DecideJobTest, SuccessWithoutOutputSaysSo) {
  auto nothing = [&](uint32_t outside) {
    return [&, outside](schema::AttemptSucceeded::Builder succeeded) {
      capnp::MallocMessageBuilder message;
      std::string manifest = ledger::canonical_bytes(message.initRoot<schema::OutputManifest>().asReader());
      story.rows().put_blob(manifest);
      std::string hash = hash_of(manifest);
      succeeded.getOutputs().setManifest(ledger::data(hash));
      succeeded.getOutputs().setFiles(0);
      succeeded.getOutputs().setTotalBytes(0);
      succeeded.getOutputs().setOutside(outside);
    };
  };
  uint64_t job = story.queue(28001).first();
  uint64_t fence = story.start(job).first();
  ASSERT_TRUE(story.succeed(job, 1, fence, nothing(0)).ok());
  story.publish(job, 1, fence);
  for (auto reason : {story.run(28001).get().getReason(), story.job(job).get().getReason()}) {
    EXPECT_EQ(std::string(ledger::view(reason.getCode())), "succeeded_empty");
  }
  EXPECT_EQ(story.run(28001).get().getReason().getText(), "attempt 1 succeeded, but wrote nothing");
  story.request(28001);
  job = story.queue(28001).first();
  fence = story.start(job).first();
  ASSERT_TRUE(story.succeed(job, 1, fence, nothing(2)).ok());
  story.publish(job, 1, fence);
  EXPECT_EQ(story.run(28001).get().getReason().getText(),
            "attempt 1 succeeded, but wrote nothing into its output directory; elsewhere it wrote 2 files");
  story.request(28001);
  story.complete(story.queue(28001).first());
  EXPECT_EQ(story.reason_code(28001), "succeeded");
}

TEST_F(DecideJobTest, RequestNamesAnInterpreterTheInstrumentHas) {
  story.tell([&](schema::Command::Builder command) {
    auto known = ledger::find_instrument(story.rows(), "MARI");
    command.getBody().setConfigureInstrument(known->get().getConfig());
    auto interpreter = command.getBody().getConfigureInstrument().initInterpreters(1)[0];
    interpreter.setName("nightly");
    interpreter.setPath("/opt/nightly/bin/python");
  });
  auto with = [&](const char* name) {
    return story.request(28001, [&](auto request) { request.setInterpreter(name); });
  };
  EXPECT_TRUE(refused(with("latest"), Code::kInvalidArgument, "MARI has no interpreter latest; it has instrument, nightly"));
  EXPECT_TRUE(with("nightly").ok());
}

TEST_F(DecideJobTest, ReductionTakesNoResults) {
  EXPECT_TRUE(refused(story.queue(28001, [](auto job) { job.setStage("peaks"); }), Code::kInvalidArgument, "only a stage's job"));
}

class P6InputsBeforeOutputsTest : public DecideJobTest {};

TEST_F(P6InputsBeforeOutputsTest, UnstoredScriptIsRefused) {
  auto fill = [](schema::JobQueued::Builder job) { job.setScriptSha256(ledger::data(std::string(32, 'x'))); };
  EXPECT_TRUE(refused(story.queue(28001, fill), Code::kInvalidArgument, "is not stored"));
  auto none = [](schema::JobQueued::Builder job) { job.setScriptSha256(nullptr); };
  EXPECT_TRUE(refused(story.queue(28001, none), Code::kInvalidArgument, "is missing"));
}

TEST_F(P6InputsBeforeOutputsTest, UnstoredSiblingIsRefused) {
  auto fill = [](schema::JobQueued::Builder job) {
    auto sibling = job.initSiblings(1)[0];
    sibling.setName("reduce_vars.py");
    sibling.setSha256(ledger::data(std::string(32, 'x')));
  };
  EXPECT_TRUE(refused(story.queue(28001, fill), Code::kInvalidArgument, "reduce_vars.py"));
}

TEST_F(P6InputsBeforeOutputsTest, UnstoredOrUnreadableVariablesAreRefused) {
  auto unstored = [](schema::JobQueued::Builder job) { job.setVariables(ledger::data(std::string(32, 'x'))); };
  EXPECT_TRUE(refused(story.queue(28001, unstored), Code::kInvalidArgument, "variables (sha256"));
  story.rows().put_blob("not a message");
  auto unreadable = [](schema::JobQueued::Builder job) { job.setVariables(ledger::data(hash_of("not a message"))); };
  EXPECT_TRUE(refused(story.queue(28001, unreadable), Code::kInvalidArgument, "VariableSet"));
}

TEST_F(P6InputsBeforeOutputsTest, InputsAreTheFilesOnRecordNow) {
  auto stale = [](schema::JobQueued::Builder job) { job.getInputs()[0].setSha256(ledger::data(hash_of("something else"))); };
  EXPECT_TRUE(refused(story.queue(28001, stale), Code::kConflict, "not the files on record now"));
  auto none = [](schema::JobQueued::Builder job) { job.initInputs(0); };
  EXPECT_TRUE(refused(story.queue(28001, none), Code::kConflict, "not the files on record now"));
}

TEST_F(P6InputsBeforeOutputsTest, AttemptNeedsItsEnvironmentStored) {
  uint64_t job = story.queue(28001).first();
  Told told = story.tell([&](schema::Command::Builder command) {
    auto started = command.getBody().initStartAttempt();
    started.setJob(job);
    started.setWorker("w1");
    started.setLeaseMs(1000);
    started.setEnvironment(ledger::data(std::string(32, 'x')));
  });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "environment"));
  EXPECT_EQ(story.job_state(job), "queued");
}

class P7OutputsAreNeverOverwrittenTest : public DecideJobTest {};

TEST_F(P7OutputsAreNeverOverwrittenTest, DirectoryOfAnEarlierVersionIsRefused) {
  auto fixed = [](schema::JobQueued::Builder job) { job.setOutputDirectory("/reduced/MARI/28001/all"); };
  story.complete(story.queue(28001, fixed).first());
  story.request(28001);
  EXPECT_TRUE(refused(story.queue(28001, fixed), Code::kInvalidArgument,
                      "MARI 28001 v1 has output directory /reduced/MARI/28001/all already"));
  EXPECT_TRUE(story.queue(28001).ok());
}

TEST_F(P7OutputsAreNeverOverwrittenTest, ResultIsPublishedInItsOwnDirectoryOnly) {
  uint64_t job = story.queue(28001).first();
  uint64_t fence = story.start(job).first();
  Told told = story.succeed(job, 1, fence, [](auto result) { result.getOutputs().setDirectory("/reduced/MARI/28001/0"); });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "belongs into /reduced/MARI/28001/1"));
  ASSERT_TRUE(story.succeed(job, 1, fence).ok());
  EXPECT_EQ(story.job(job).get().getAttempts()[0].getOutputs().getDirectory(), "/reduced/MARI/28001/1");
}

TEST_F(P7OutputsAreNeverOverwrittenTest, DirectoryThatLeavesItsFolderIsRefused) {
  auto away = [](schema::JobQueued::Builder job) { job.setOutputDirectory("/reduced/{version}/../../etc"); };
  EXPECT_TRUE(refused(story.queue(28001, away), Code::kInvalidArgument, "'..'"));
}

class P12DecisionHasAReasonTest : public DecideJobTest {};

TEST_F(P12DecisionHasAReasonTest, JobWithoutAReasonIsNotQueued) {
  auto silent = [](schema::JobQueued::Builder job) { job.initReason(); };
  EXPECT_TRUE(refused(story.queue(28001, silent), Code::kInvalidArgument, "reason code"));
  auto wordless = [](schema::JobQueued::Builder job) { job.getReason().setText(""); };
  EXPECT_TRUE(refused(story.queue(28001, wordless), Code::kInvalidArgument, "say why"));
}

TEST_F(P12DecisionHasAReasonTest, EveryStateOfARunNamesItsReasonAndEvent) {
  auto check = [&](const std::string& state) {
    auto row = story.run(28001);
    auto reason = row.get().getReason();
    EXPECT_EQ(story.run_state(28001), state);
    EXPECT_GT(reason.getCode().size(), 0u) << state;
    EXPECT_GT(reason.getText().size(), 0u) << state;
    EXPECT_GT(reason.getEvent(), 0u) << state;
  };
  story.skip_run(28001);
  check("skipped");
  uint64_t job = story.queue(28001).first();
  check("queued");
  story.pause();
  check("held");
  story.resume();
  check("queued");
  uint64_t fence = story.start(job).first();
  check("running");
  story.lose(job, 1, fence);
  check("queued");
  fence = story.start(job).first();
  story.fail(job, 2, fence, schema::FailureKind::TIME_LIMIT, "stopped after 60 s");
  check("failed");
  EXPECT_EQ(story.reason_code(28001), "time_limit");
}

TEST_F(P12DecisionHasAReasonTest, ChainOfCausesLeadsBackToTheDetection) {
  uint64_t detected = story.run(28001).get().getDetectedSeq();
  uint64_t job = story.queue(28001).first();
  uint64_t fence = story.start(job).first();
  Told failed = story.fail(job, 1, fence);
  ASSERT_THAT(story.kinds(failed), ElementsAre("attemptFailed", "jobFailed"));
  EXPECT_EQ(story.event(failed.events[1]).getCause(), failed.events[0]);
  EXPECT_EQ(story.event(failed.events[0]).getCause(), fence);
  EXPECT_EQ(story.event(fence).getCause(), job);
  EXPECT_EQ(story.event(job).getCause(), detected);
}

}  // namespace
}  // namespace rules_test
