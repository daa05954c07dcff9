#include <gmock/gmock.h>

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
    EXPECT_EQ(run.getJobs().size(), run.getVersion());
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

INSTANTIATE_TEST_SUITE_P(Seeds, P3AViewIsAFoldTest, ::testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace rules_test
