#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DecideWorkerTest : public ::testing::Test {
 protected:
  DecideWorkerTest() {
    story.configure();
    story.join();
    for (uint64_t run : {1, 2}) {
      story.detect(run);
      story.queue(run);
    }
  }
  Story story;
};

TEST_F(DecideWorkerTest, JoiningAgainEndsWhatTheFormerBearerLeftOpen) {
  story.start();
  story.start();
  EXPECT_EQ(ledger::find_worker(story.rows(), "w1")->get().getJobs().size(), 2u);
  EXPECT_THAT(story.kinds(story.join("w1", 2)), ElementsAre("attemptLost", "attemptLost", "workerJoined"));
  EXPECT_EQ(story.run_state(1), "queued");
  EXPECT_EQ(story.reason_code(1), "worker_rejoined");
  EXPECT_EQ(ledger::find_worker(story.rows(), "w1")->get().getJobs().size(), 0u);
}

TEST_F(DecideWorkerTest, AWorkerThatKeepsDyingUsesTheAttemptsUp) {
  for (int attempt = 1; attempt <= 2; ++attempt) {
    story.start(story.run(1).get().getJob());
    EXPECT_THAT(story.kinds(story.join()), ElementsAre("attemptLost", "workerJoined"));
  }
  story.start(story.run(1).get().getJob());
  EXPECT_THAT(story.kinds(story.join()), ElementsAre("attemptLost", "jobFailed", "workerJoined"));
  EXPECT_EQ(story.run_state(1), "failed");
}

TEST_F(DecideWorkerTest, LeavingGivesItsJobsBack) {
  story.start();
  Told told = story.leave();
  EXPECT_THAT(story.kinds(told), ElementsAre("workerLeft", "attemptLost"));
  EXPECT_EQ(story.event(told.events[1]).getCause(), told.first());
  EXPECT_EQ(story.run_state(1), "queued");
  EXPECT_THAT(story.leave().events, IsEmpty());
  EXPECT_TRUE(refused(story.leave("w2"), Code::kNotFound, "worker w2 has not joined"));
}

TEST_F(DecideWorkerTest, JobsHandedBackKeepTheirTries) {
  // Symptom: a job that met three restarts of its worker, or two and one real loss, failed with "attempts used up".
  uint64_t job = story.run(1).get().getJob();
  for (int restart = 1; restart <= 4; ++restart) {
    story.start(job);
    EXPECT_THAT(story.kinds(story.leave()), ElementsAre("workerLeft", "attemptLost")) << restart;
    story.join();
  }
  EXPECT_EQ(story.run_state(1), "queued");
  for (uint16_t attempt : {5, 6}) EXPECT_THAT(story.kinds(story.lose(job, attempt, story.start(job).first())), ElementsAre("attemptLost"));
  story.start(job);
  EXPECT_THAT(story.kinds(story.leave()), ElementsAre("workerLeft", "attemptLost")) << "its last try, handed back";
  story.join();
  EXPECT_THAT(story.kinds(story.fail(job, 8, story.start(job).first(), schema::FailureKind::WORKER, "scratch disk full")),
              ElementsAre("attemptFailed", "jobFailed"));
  EXPECT_EQ(story.refold().tables(), story.rows().tables());
}

TEST_F(DecideWorkerTest, WorkerTroubleAfterRestartsIsTriedAgain) {
  uint64_t job = story.run(1).get().getJob();
  for (int restart = 1; restart <= 3; ++restart) {
    story.start(job);
    story.leave();
    story.join();
  }
  EXPECT_THAT(story.kinds(story.fail(job, 4, story.start(job).first(), schema::FailureKind::WORKER, "scratch disk full")),
              ElementsAre("attemptFailed"));
  EXPECT_EQ(story.run_state(1), "queued");
}

TEST_F(DecideWorkerTest, NameAndSlotsAreChecked) {
  EXPECT_TRUE(refused(story.join("a worker"), Code::kInvalidArgument, "'a worker' is no worker name"));
  EXPECT_TRUE(refused(story.tell([](schema::Command::Builder command) { command.getBody().initJoinWorker().setWorker("w3"); }),
                      Code::kInvalidArgument, "no slots"));
}

}  // namespace
}  // namespace rules_test
