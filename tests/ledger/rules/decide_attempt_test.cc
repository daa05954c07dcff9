#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Names a manifest of these files, 7 bytes each, in a result.
void list_files(schema::Command::Builder command, const std::vector<std::string>& paths, uint32_t counted) {
  capnp::MallocMessageBuilder message;
  auto files = message.initRoot<schema::OutputManifest>().initFiles(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    files[i].setPath(paths[i]);
    files[i].setSizeBytes(7);
    files[i].setSha256(ledger::data(hash_of("reduced")));
  }
  std::string manifest = ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
  command.initBlobs(1).set(0, ledger::data(manifest));
  auto outputs = command.getBody().getSucceedAttempt().getOutputs();
  outputs.setManifest(ledger::data(hash_of(manifest)));
  outputs.setFiles(counted);
  outputs.setTotalBytes(uint64_t{7} * counted);
}

class DecideAttemptTest : public ::testing::Test {
 protected:
  DecideAttemptTest() {
    story.configure();
    story.join();
    story.detect(28001);
    job = story.queue(28001).first();
  }
  Story story;
  uint64_t job = 0;
};

TEST_F(DecideAttemptTest, NextJobIsTheOldestOfTheSmallestPriority) {
  story.detect(28002);
  story.queue(28002);
  story.detect(28003);
  uint64_t urgent = story.queue(28003, [](auto queued) { queued.setPriority(5); }).first();
  auto taken = [&] { return story.event(story.start().first()).getBody().getAttemptStarted().getJob(); };
  EXPECT_EQ(taken(), urgent);
  EXPECT_EQ(taken(), job);
}

TEST_F(DecideAttemptTest, SuccessIsPublishedInTwoSteps) {
  uint64_t fence = story.start(job).first();
  EXPECT_EQ(story.run_state(28001), "running");
  EXPECT_THAT(story.kinds(story.succeed(job, 1, fence)), ElementsAre("attemptSucceeded"));
  EXPECT_EQ(story.run_state(28001), "running");
  EXPECT_THAT(story.kinds(story.publish(job, 1, fence)), ElementsAre("jobSucceeded"));
  EXPECT_EQ(story.run_state(28001), "succeeded");
  EXPECT_GT(story.run(28001).get().getFinishedAt(), story.run(28001).get().getStartedAt());
  EXPECT_THAT(story.publish(job, 1, fence).events, IsEmpty());
}

TEST_F(DecideAttemptTest, LogsInTheOutputAreListedAndNotCounted) {
  uint64_t fence = story.start(job).first();
  auto report = [&](uint32_t counted) {
    return story.tell([&](schema::Command::Builder command) {
      auto succeeded = command.getBody().initSucceedAttempt();
      succeeded.setJob(job);
      succeeded.setAttempt(1);
      succeeded.setFence(fence);
      succeeded.setStaging("/reduced/.staging");
      succeeded.initOutputs();
      list_files(command, {"reduction_log/a.log", "reduction_log/b.err"}, counted);
    });
  };
  EXPECT_TRUE(refused(report(2), Code::kInvalidArgument, "the manifest lists 0 files of 0 bytes, the summary says 2 of 14"));
  EXPECT_THAT(story.kinds(report(0)), ElementsAre("attemptSucceeded"));
}

TEST_F(DecideAttemptTest, RunningRunSaysWhichAttemptRunsWhere) {
  // Symptom: while its script ran, a run still gave the reason why it had been queued.
  uint64_t fence = story.start(job).first();
  auto run = story.run(28001);
  auto reason = run.get().getReason();
  EXPECT_EQ(reason.getCode(), "started");
  EXPECT_EQ(reason.getText(), "attempt 1 runs on worker w1");
  EXPECT_EQ(reason.getEvent(), fence);
  story.lose(job, 1, fence);
  uint64_t again = story.start(job).first();
  EXPECT_EQ(story.run(28001).get().getReason().getText(), "attempt 2 runs on worker w1");
  EXPECT_EQ(story.run(28001).get().getReason().getEvent(), again);
}

TEST_F(DecideAttemptTest, LeaseIsOneSecondToOneDay) {
  auto lease = [&](uint64_t lease_ms) {
    return story.tell([&](schema::Command::Builder command) {
      command.initBlobs(1).set(0, ledger::data("environment"));
      auto started = command.getBody().initStartAttempt();
      started.setJob(job);
      started.setWorker("w1");
      started.setEnvironment(ledger::data(hash_of("environment")));
      started.setLeaseMs(lease_ms);
    });
  };
  for (uint64_t bad : {0ul, 999ul, 86'400'001ul}) {
    EXPECT_TRUE(refused(lease(bad), Code::kInvalidArgument, "1000 to 86400000 are taken")) << bad;
  }
  Told shortest = lease(1'000);
  ASSERT_TRUE(shortest.ok());
  story.lose(job, 1, shortest.first());
  EXPECT_TRUE(lease(86'400'000).ok());
}

TEST_F(DecideAttemptTest, PublishingBeforeSuccessIsRefused) {
  uint64_t fence = story.start(job).first();
  EXPECT_TRUE(refused(story.publish(job, 1, fence), Code::kConflict, "report success first"));
}

TEST_F(DecideAttemptTest, ManifestThatDisagreesWithItsSummaryIsRefused) {
  uint64_t fence = story.start(job).first();
  EXPECT_TRUE(refused(story.succeed(job, 1, fence, [](auto result) { result.getOutputs().setTotalBytes(8); }),
                      Code::kInvalidArgument, "1 files of 7 bytes, the summary says 1 of 8"));
}

TEST_F(DecideAttemptTest, ScriptFailureIsFinalAtOnce) {
  uint64_t fence = story.start(job).first();
  Told told = story.fail(job, 1, fence);
  EXPECT_THAT(story.kinds(told), ElementsAre("attemptFailed", "jobFailed"));
  EXPECT_FALSE(story.event(told.events[0]).getBody().getAttemptFailed().getWillRetry());
  EXPECT_EQ(story.reason_code(28001), "script_exception");
  EXPECT_EQ(story.run(28001).get().getReason().getText(), "MARI 28001 v1: ValueError: no monitor");
}

TEST_F(DecideAttemptTest, WorkerTroubleIsTriedThreeTimes) {
  for (uint16_t attempt = 1; attempt <= 2; ++attempt) {
    uint64_t fence = story.start(job).first();
    EXPECT_THAT(story.kinds(story.fail(job, attempt, fence, schema::FailureKind::WORKER, "scratch disk full")),
                ElementsAre("attemptFailed"));
    EXPECT_EQ(story.run_state(28001), "queued");
    EXPECT_THAT(std::string(story.run(28001).get().getReason().getText().cStr()), HasSubstr("tried again: scratch disk full"));
  }
  uint64_t fence = story.start(job).first();
  EXPECT_THAT(story.kinds(story.fail(job, 3, fence, schema::FailureKind::WORKER, "scratch disk full")),
              ElementsAre("attemptFailed", "jobFailed"));
  EXPECT_EQ(story.run_state(28001), "failed");
  EXPECT_EQ(story.job(job).get().getAttempts().size(), 3u);
}

TEST_F(DecideAttemptTest, LostAttemptsAreTriedThreeTimes) {
  for (uint16_t attempt = 1; attempt <= 2; ++attempt) {
    EXPECT_THAT(story.kinds(story.lose(job, attempt, story.start(job).first())), ElementsAre("attemptLost"));
    EXPECT_EQ(story.job_state(job), "queued");
  }
  EXPECT_THAT(story.kinds(story.lose(job, 3, story.start(job).first())), ElementsAre("attemptLost", "jobFailed"));
  EXPECT_EQ(story.reason_code(28001), "attempts_used_up");
}

TEST_F(DecideAttemptTest, AttemptLostOnAPausedInstrumentIsHeld) {
  uint64_t fence = story.start(job).first();
  story.pause();
  EXPECT_EQ(story.run_state(28001), "running");
  EXPECT_THAT(story.kinds(story.lose(job, 1, fence)), ElementsAre("attemptLost", "jobHeld"));
  EXPECT_EQ(story.run_state(28001), "held");
  story.resume();
  EXPECT_EQ(story.run_state(28001), "queued");
}

TEST_F(DecideAttemptTest, SkipOfTheScriptEndsTheJobWithItsReason) {
  uint64_t fence = story.start(job).first();
  EXPECT_THAT(story.kinds(story.skip(job, 1, fence)), ElementsAre("jobSkipped"));
  EXPECT_EQ(story.run_state(28001), "skipped");
  EXPECT_EQ(story.run(28001).get().getReason().getText(), "Skip: too short");
}

TEST_F(DecideAttemptTest, AcceptedAttemptFailsByItsOutputOnly) {
  // Symptom: a worker's trouble after the rename made the job run again, which found its output there already and failed.
  uint64_t fence = story.start(job).first();
  story.succeed(job, 1, fence);
  for (auto kind : {schema::FailureKind::WORKER, schema::FailureKind::SCRIPT_EXCEPTION}) {
    EXPECT_TRUE(refused(story.fail(job, 1, fence, kind), Code::kConflict, "is being published; only its output can fail now"));
  }
  EXPECT_TRUE(story.publish(job, 1, fence).ok());
}

TEST_F(DecideAttemptTest, UnpublishableOutputFailsTheJob) {
  uint64_t fence = story.start(job).first();
  story.succeed(job, 1, fence);
  EXPECT_THAT(story.kinds(story.fail(job, 1, fence, schema::FailureKind::OUTPUT, "the directory is there already")),
              ElementsAre("attemptFailed", "jobFailed"));
  EXPECT_EQ(story.reason_code(28001), "output");
}

TEST_F(DecideAttemptTest, FailureNeedsAKindAndAMessage) {
  uint64_t fence = story.start(job).first();
  EXPECT_TRUE(refused(story.fail(job, 1, fence, schema::FailureKind::UNSET), Code::kInvalidArgument, "no kind"));
  EXPECT_TRUE(refused(story.fail(job, 1, fence, schema::FailureKind::INPUT, ""), Code::kInvalidArgument, "no message"));
}

using P5OneOwnerTest = DecideAttemptTest;

TEST_F(P5OneOwnerTest, RunningJobIsNotStartedAgain) {
  story.start(job);
  EXPECT_TRUE(refused(story.start(job), Code::kConflict, "is running, not queued"));
  EXPECT_TRUE(refused(story.start(), Code::kNotFound, "no job is waiting"));
}

TEST_F(P5OneOwnerTest, StrangerIsNotGivenAJob) {
  EXPECT_TRUE(refused(story.start(job, "w9"), Code::kNotFound, "worker w9 has not joined"));
  story.leave();
  EXPECT_TRUE(refused(story.start(job), Code::kConflict, "has left"));
}

TEST_F(P5OneOwnerTest, ResultWithAStaleFenceIsRecordedAndChangesNothing) {
  uint64_t old_fence = story.start(job).first();
  story.lose(job, 1, old_fence);
  uint64_t fence = story.start(job).first();
  auto tables = [&] {
    auto all = story.rows().tables();
    all.erase(ledger::ViewId::kJobs);  // the attempt may get its log
    return all;
  };
  auto before = tables();
  for (const Told& told : {story.succeed(job, 1, old_fence), story.fail(job, 1, old_fence), story.skip(job, 1, old_fence),
                           story.publish(job, 1, old_fence), story.succeed(job, 2, old_fence), story.succeed(job, 1, fence)}) {
    ASSERT_THAT(story.kinds(told), ElementsAre("resultRejected"));
    auto rejected = story.event(told.first()).getBody().getResultRejected();
    EXPECT_EQ(rejected.getWorker(), "w1");
    EXPECT_EQ(rejected.getReason().getCode(), "stale_fence");
    EXPECT_THAT(std::string(rejected.getReason().getText().cStr()), HasSubstr("it changes nothing"));
  }
  EXPECT_EQ(tables(), before);
  EXPECT_EQ(story.job(job).get().getAttempts()[0].getOutcome(), schema::AttemptRow::Outcome::LOST);
  EXPECT_TRUE(story.succeed(job, 2, fence).ok());
  EXPECT_TRUE(story.publish(job, 2, fence).ok());
  EXPECT_EQ(story.run_state(28001), "succeeded");
}

TEST_F(P5OneOwnerTest, LogOfAnAttemptThatWasTakenAwayIsKept) {
  // Symptom: what a cancelled script had printed was thrown away.
  uint64_t fence = story.start(job).first();
  story.cancel(job);
  auto told = story.tell([&](auto command) {
    command.initBlobs(1).set(0, ledger::data("rebinning\n"));
    auto failed = command.getBody().initFailAttempt();
    failed.setJob(job);
    failed.setAttempt(1);
    failed.setFence(fence);
    failed.setKind(schema::FailureKind::WORKER);
    failed.setMessage("ended");
    failed.setLog(ledger::data(hash_of("rebinning\n")));
  });
  ASSERT_THAT(story.kinds(told), ElementsAre("resultRejected"));
  auto row = story.job(job);
  EXPECT_EQ(ledger::view(row.get().getAttempts()[0].getLog()), hash_of("rebinning\n"));
  EXPECT_EQ(story.job_state(job), "cancelled");
}

TEST_F(P5OneOwnerTest, LeaseEndedTwiceLosesOneAttempt) {
  uint64_t fence = story.start(job).first();
  story.lose(job, 1, fence);
  EXPECT_TRUE(refused(story.lose(job, 1, fence), Code::kConflict, "the job is queued"));
  story.start(job);
  EXPECT_TRUE(refused(story.lose(job, 1, fence), Code::kConflict, "attempt 2"));
}

TEST_F(P5OneOwnerTest, AcceptedResultOutlivesItsWorker) {
  uint64_t fence = story.start(job).first();
  story.succeed(job, 1, fence);
  EXPECT_TRUE(refused(story.lose(job, 1, fence), Code::kConflict, "publish it instead"));
  EXPECT_THAT(story.kinds(story.join("w1", 2)), ElementsAre("workerJoined"));
  EXPECT_EQ(story.job_state(job), "running");
  EXPECT_TRUE(story.publish(job, 1, fence).ok());
  EXPECT_EQ(story.job_state(job), "succeeded");
}

TEST_F(DecideAttemptTest, FailureSaysHowMuchOfWhatItWroteIsKept) {
  capnp::MallocMessageBuilder message;
  auto files = message.initRoot<schema::OutputManifest>().initFiles(2);
  const std::string hash = hash_of("reduced");
  for (auto file : files) {
    file.setPath("out.nxs");
    file.setSizeBytes(7);
    file.setSha256(ledger::data(hash));
  }
  files[1].setPath("out2.nxs");
  const std::string manifest = ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
  const std::string manifest_hash = hash_of(manifest);
  story.rows().put_blob(manifest);
  uint64_t fence = story.start(job).first();
  ASSERT_TRUE(story.tell([&](schema::Command::Builder command) {
    auto failed = command.getBody().initFailAttempt();
    failed.setJob(job);
    failed.setAttempt(1);
    failed.setFence(fence);
    failed.setKind(schema::FailureKind::SCRIPT_EXCEPTION);
    failed.setMessage("ValueError: no monitor");
    failed.initOutputs().setManifest(ledger::data(manifest_hash));
    failed.getOutputs().setFiles(2);
    failed.getOutputs().setTotalBytes(14);
  }).ok());
  EXPECT_EQ(story.job(job).get().getReason().getText(), "MARI 28001 v1: ValueError: no monitor; 2 files it had written are kept");
}

}  // namespace
}  // namespace rules_test
