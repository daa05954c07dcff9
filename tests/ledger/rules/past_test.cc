#include "ledger/past.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "ledger/keys.h"
#include "ledger/subjects.h"
#include "ledger/views/runs.h"
#include "tests/ledger/rules/chaos.h"
#include "tests/ledger/rules/story_snapshot.h"

namespace rules_test {
namespace {


/// Everything people can ask for, as text that differs when an answer does.
std::vector<std::string> answers(const ledger::RowReader& rows) {
  std::vector<std::string> all;
  const auto add = [&](std::string what, std::string_view bytes) { all.push_back(std::move(what) + ": " + std::string(bytes)); };
  const auto add_runs = [&](const std::string& what, const ledger::RunSelection& selection) {
    std::string after;
    do {
      auto page = ledger::list_runs(rows, selection, 7, after);
      for (const auto& row : page.rows) add(what, ledger::canonical_bytes(row.get()));
      after = page.next;
    } while (!after.empty());
  };
  add_runs("runs", {});
  for (int state = 0; state < static_cast<int>(ledger::kRunStates); ++state) {
    add_runs("runs of state " + std::to_string(state), {.states = {static_cast<schema::RunState>(state)}});
  }
  for (const char* experiment : {"E0", "E1", "E2"}) add_runs(std::string("runs of ") + experiment, {.experiment = experiment});
  for (const auto& run : ledger::list_runs(rows, {}, 1000).rows) {
    for (const uint64_t job : run.get().getJobs()) {
      auto row = ledger::find_job(rows, job);
      add("job", row ? ledger::canonical_bytes(row->get()) : "missing");
    }
  }
  std::string after;
  do {
    auto page = ledger::list_queue(rows, 3, after);
    for (const auto& row : page.rows) add("queue", ledger::canonical_bytes(row.get()));
    after = page.next;
  } while (!after.empty());
  for (const auto& row : ledger::list_instruments(rows)) add("instrument", ledger::canonical_bytes(row.get()));
  for (const auto& row : ledger::list_experiments(rows, 100).rows) add("experiment", ledger::canonical_bytes(row.get()));
  for (const char* instrument : {"MARI", "MERLIN", "NONE"}) {
    for (const auto& row : ledger::scripts(rows, instrument)) add("script", ledger::canonical_bytes(row.get()));
    if (auto rules = ledger::variable_rules(rows, instrument)) add("rules", ledger::canonical_bytes(rules->get()));
    add("waiting", std::to_string(ledger::waiting_jobs(rows, instrument)));
    add("last run", std::to_string(ledger::last_run(rows, instrument)));
    for (const uint64_t count : ledger::run_counts(rows, instrument)) add("count", std::to_string(count));
  }
  for (const uint64_t count : ledger::run_counts(rows)) add("count of all", std::to_string(count));
  for (const auto& row : ledger::stage_rules(rows, "MARI")) add("stage", ledger::canonical_bytes(row.get()));
  for (const auto& row : ledger::list_support_files(rows, "MARI", 100).rows) add("support file", ledger::canonical_bytes(row.get()));
  for (const auto& row : ledger::list_campaigns(rows, 100).rows) {
    add("campaign", ledger::canonical_bytes(row.get()));
    const auto again = ledger::find_campaign(rows, row.get().getCampaign());
    add("campaign", again ? ledger::canonical_bytes(again->get()) : "missing");
    for (const auto& run : ledger::campaign_runs(rows, row.get().getCampaign(), 100).rows) add("run of it", ledger::canonical_bytes(run.get()));
  }
  return all;
}

class PastTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PastTest, EveryQuestionIsAnsweredAsItWasThen) {
  Chaos chaos(GetParam());
  std::map<uint64_t, std::vector<std::string>> then;
  for (int i = 0; chaos.story.head() < 1300; ++i) {
    chaos.step();
    const uint64_t head = chaos.story.head();
    if (i % 150 == 0 || (head >= 1023 && head <= 1025)) then[head] = answers(chaos.story.rows());
  }
  ASSERT_GT(then.size(), 5u);
  for (const auto& [seq, expected] : then) {
    ledger::Past past(std::make_unique<StorySnapshot>(chaos.story), seq);
    EXPECT_EQ(answers(past), expected) << "seed " << GetParam() << ", after event " << seq;
    EXPECT_TRUE(past.status().is_ok()) << past.status().message();
    EXPECT_EQ(past.head(), seq);
    EXPECT_FALSE(past.event(seq + 1).is_ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PastTest, ::testing::Range<uint64_t>(1, 3));

TEST(PastCostTest, OneRunCostsItsOwnEventsAndAListItsRuns) {
  Chaos chaos(1);
  while (chaos.story.head() < 1200) chaos.step();
  const uint64_t seq = 1023;  // as far from a moment as can be
  const auto run = ledger::list_runs(chaos.story.rows(), {.instrument = "MARI"}, 1).rows.at(0).get().getRun().getRunNumber();

  auto now = std::make_unique<StorySnapshot>(chaos.story);
  const StorySnapshot& read = *now;
  const size_t own = read.subject(ledger::run_subject("MARI", run), 1, 100000).size();
  ledger::Past past(std::move(now), seq);
  ASSERT_TRUE(ledger::find_run(past, "MARI", run));
  EXPECT_LE(read.events_read, own);

  now = std::make_unique<StorySnapshot>(chaos.story);
  const StorySnapshot& read_counts = *now;
  ledger::Past counted(std::move(now), seq);
  ledger::run_counts(counted);
  const uint64_t runs_there_are = 24;
  uint64_t all_own = 0;
  for (uint64_t number = 1; number <= runs_there_are; ++number) {
    for (const char* instrument : {"MARI", "MERLIN"}) all_own += read_counts.subject(ledger::run_subject(instrument, number), 1, 100000).size();
  }
  EXPECT_LE(read_counts.events_read, ledger::kEventsAMoment + 2 * all_own);
}

TEST(SeqAtTest, LastEventAtOrBeforeATimeIsFound) {
  Story story;
  story.configure();
  story.wait(10);
  story.detect(1);
  const int64_t first = story.event(1).getTime(), last = story.event(story.head()).getTime();
  ASSERT_LT(first, last);
  const StorySnapshot now(story);
  EXPECT_EQ(*ledger::seq_at(now, first - 1), 0u);
  EXPECT_EQ(*ledger::seq_at(now, first), 1u);
  EXPECT_EQ(*ledger::seq_at(now, last - 1), story.head() - 1);
  EXPECT_EQ(*ledger::seq_at(now, last), story.head());
  EXPECT_EQ(*ledger::seq_at(now, last + 1), story.head());
}

}  // namespace
}  // namespace rules_test
