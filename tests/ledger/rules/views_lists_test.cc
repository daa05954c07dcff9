#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using schema::RunState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ViewsListsTest : public ::testing::Test {
 protected:
  ViewsListsTest() {
    for (auto name : {"MARI", "MAR", "MERLIN"}) story.configure(name);
    story.join();
    story.detect(300, "a", {}, "E1", "MERLIN");
    story.detect(2, "b", {}, "E1");
    story.detect(10, "c", {}, "E2");
    story.detect(256, "d", {}, "E1");
    story.detect(7, "e", {}, "", "MAR");
  }
  std::vector<std::string> names(const ledger::RunSelection& selection, size_t page_size = 100) {
    std::vector<std::string> result;
    std::string after;
    do {
      auto page = ledger::list_runs(story.rows(), selection, page_size, after);
      EXPECT_LE(page.rows.size(), page_size);
      for (const auto& row : page.rows) {
        result.push_back(std::string(row.get().getRun().getInstrument().cStr()) + " " +
                         std::to_string(row.get().getRun().getRunNumber()));
      }
      after = page.next;
    } while (!after.empty());
    return result;
  }
  uint64_t count(RunState state, std::string_view instrument = {}) {
    return ledger::run_counts(story.rows(), instrument)[static_cast<size_t>(state)];
  }
  Story story;
};

TEST_F(ViewsListsTest, RunsComeByInstrumentThenNumberOnPagesOfAnySize) {
  for (size_t size : {1, 2, 3, 5, 100}) {
    EXPECT_THAT(names({}, size), ElementsAre("MAR 7", "MARI 2", "MARI 10", "MARI 256", "MERLIN 300")) << "pages of " << size;
  }
}

TEST_F(ViewsListsTest, RunsAreFilteredByEveryField) {
  EXPECT_THAT(names({.instrument = "MARI"}), ElementsAre("MARI 2", "MARI 10", "MARI 256"));
  EXPECT_THAT(names({.instrument = "MAR"}), ElementsAre("MAR 7"));
  EXPECT_THAT(names({.experiment = "E1"}, 1), ElementsAre("MARI 2", "MARI 256", "MERLIN 300"));
  EXPECT_THAT(names({.experiment = "E"}), IsEmpty());
  EXPECT_THAT(names({.first_run = 7, .last_run = 256}, 1), ElementsAre("MAR 7", "MARI 10", "MARI 256"));
  EXPECT_THAT(names({.instrument = "MARI", .experiment = "E1", .first_run = 3}), ElementsAre("MARI 256"));
}

TEST_F(ViewsListsTest, RunsOfSomeStatesComeInTheSameOrder) {
  story.queue(10);
  story.skip_run(2);
  EXPECT_THAT(names({.states = {RunState::QUEUED, RunState::SKIPPED, RunState::QUEUED}}, 1), ElementsAre("MARI 2", "MARI 10"));
  EXPECT_THAT(names({.states = {RunState::SKIPPED, RunState::DETECTED}}, 2),
              ElementsAre("MAR 7", "MARI 2", "MARI 256", "MERLIN 300"));
  EXPECT_THAT(names({.experiment = "E1", .states = {RunState::DETECTED}}, 1), ElementsAre("MARI 256", "MERLIN 300"));
  EXPECT_THAT(names({.states = {RunState::FAILED}}), IsEmpty());
}

TEST_F(ViewsListsTest, CountsFollowTheStates) {
  EXPECT_EQ(count(RunState::DETECTED), 5u);
  EXPECT_EQ(count(RunState::DETECTED, "MARI"), 3u);
  uint64_t job = story.queue(2).first();
  EXPECT_EQ(count(RunState::QUEUED, "MARI"), 1u);
  story.complete(job);
  EXPECT_EQ(count(RunState::QUEUED), 0u);
  EXPECT_EQ(count(RunState::SUCCEEDED), 1u);
  EXPECT_EQ(count(RunState::DETECTED), 4u);
  story.detect(2, "written again", {}, "E1");
  EXPECT_EQ(count(RunState::SUCCEEDED), 1u);
}

TEST_F(ViewsListsTest, ExperimentsCountTheirRunsAndFollowARevision) {
  auto experiment = ledger::find_experiment(story.rows(), "E1");
  ASSERT_TRUE(experiment);
  EXPECT_EQ(experiment->get().getRuns(), 3u);
  ASSERT_EQ(experiment->get().getInstruments().size(), 2u);
  EXPECT_EQ(experiment->get().getInstruments()[0], "MARI");
  story.detect(10, "rewritten", {}, "E1");
  EXPECT_FALSE(ledger::find_experiment(story.rows(), "E2"));
  EXPECT_EQ(ledger::find_experiment(story.rows(), "E1")->get().getRuns(), 4u);
  story.detect(300, "rewritten", {}, "E3", "MERLIN");
  EXPECT_EQ(ledger::find_experiment(story.rows(), "E1")->get().getInstruments().size(), 1u);
  EXPECT_EQ(ledger::list_experiments(story.rows(), 1).rows.size(), 1u);
  EXPECT_FALSE(ledger::list_experiments(story.rows(), 1).next.empty());
}

TEST_F(ViewsListsTest, QueueComesInOrderWithHeldJobsLast) {
  story.queue(2);
  story.queue(10, [](auto queued) { queued.setPriority(1); });
  uint64_t merlin = story.queue(300, {}, 0, "MERLIN").first();
  story.pause();
  std::vector<uint64_t> runs;
  std::string after;
  do {
    auto page = ledger::list_queue(story.rows(), 1, after);
    for (const auto& row : page.rows) runs.push_back(row.get().getRun().getRunNumber());
    after = page.next;
  } while (!after.empty());
  EXPECT_THAT(runs, ElementsAre(300, 10, 2));
  EXPECT_EQ(ledger::next_waiting_job(story.rows()), merlin);
  EXPECT_EQ(ledger::waiting_jobs(story.rows(), "MARI"), 2u);
  EXPECT_EQ(ledger::waiting_jobs(story.rows(), "MERLIN"), 1u);
  story.start(merlin);
  EXPECT_EQ(ledger::waiting_jobs(story.rows(), "MERLIN"), 0u);
}

TEST_F(ViewsListsTest, InstrumentKnowsItsRuns) {
  story.refuse_file(999, "/archive/MARI/999.raw");
  EXPECT_EQ(ledger::total_runs(story.rows(), "MARI"), 4u);
  EXPECT_EQ(ledger::last_run(story.rows(), "MARI"), 256u);
  story.detect(999);
  EXPECT_EQ(ledger::total_runs(story.rows(), "MARI"), 4u);
  EXPECT_EQ(ledger::last_run(story.rows(), "MARI"), 999u);
}

TEST_F(ViewsListsTest, FilesOfAnInstrumentComeOnPages) {
  auto page = ledger::list_files(story.rows(), "MARI", 2);
  EXPECT_EQ(page.rows.size(), 2u);
  auto rest = ledger::list_files(story.rows(), "MARI", 2, page.next);
  EXPECT_EQ(rest.rows.size(), 1u);
  EXPECT_TRUE(rest.next.empty());
  EXPECT_EQ(ledger::list_files(story.rows(), "MAR", 100).rows.size(), 1u);
}

TEST_F(ViewsListsTest, RunsWithoutAProposalAreNoExperiment) {
  // "-1" was an experiment of everybody's runs.
  story.detect(11, "f", {}, "-1");
  EXPECT_FALSE(ledger::find_experiment(story.rows(), "-1"));
  story.detect(10, "rewritten", {}, "0");
  EXPECT_FALSE(ledger::find_experiment(story.rows(), "0"));
  EXPECT_FALSE(ledger::find_experiment(story.rows(), "E2"));
}

}  // namespace
}  // namespace rules_test
