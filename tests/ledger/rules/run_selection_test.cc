#include "ledger/run_selection.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "tests/ledger/rules/reduced_story.h"

namespace rules_test {
namespace {

using ledger::RunPick;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RunSelectionTest : public ::testing::Test {
 protected:
  RunSelectionTest() {
    story.use_script("script 1", {{"mask", "\"m.xml\""}, {"mon", "1"}}, {{"utils.py", "utils 1"}});
    for (uint64_t run = 1; run <= 6; ++run) story.detect(run, "raw", {}, run > 4 ? "E5" : "E1");
  }
  std::vector<uint64_t> picked(const RunPick& pick) {
    std::vector<uint64_t> numbers;
    for (const auto& row : ledger::pick_runs(story.rows(), pick, 100, 100).rows) numbers.push_back(row.get().getRun().getRunNumber());
    return numbers;
  }
  /// The same, a run and a considered row at a time.
  std::vector<uint64_t> by_pages(const RunPick& pick, size_t limit, uint64_t most_considered) {
    std::vector<uint64_t> numbers;
    std::string after;
    do {
      const auto page = ledger::pick_runs(story.rows(), pick, limit, most_considered, after);
      EXPECT_LE(page.rows.size(), limit);
      EXPECT_LE(page.considered, most_considered);
      for (const auto& row : page.rows) numbers.push_back(row.get().getRun().getRunNumber());
      after = page.next;
    } while (!after.empty());
    return numbers;
  }
  ReducedStory story;
};

TEST_F(RunSelectionTest, RangesMayOverlapAndStandInAnyOrder) {
  EXPECT_THAT(picked({.runs = {.instrument = "MARI"}, .ranges = {{5, 5}, {2, 3}, {3, 3}, {99, UINT64_MAX}}}), ElementsAre(2, 3, 5));
  EXPECT_THAT(picked({.ranges = {{5, 5}, {2, 3}}}), ElementsAre(2, 3, 5)) << "of all instruments";
  EXPECT_THAT(picked({.runs = {.instrument = "MARI", .first_run = 3, .last_run = 4}, .ranges = {{1, 3}, {5, 6}}}), ElementsAre(3));
  EXPECT_THAT(picked({.ranges = {{7, 2}}}), IsEmpty());
  EXPECT_THAT(picked({.ranges = {{0, UINT64_MAX}, {2, 3}}}), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(RunSelectionTest, RangesAreOfEachInstrument) {
  story.configure("LET");
  story.detect(2, "raw", {}, "E1", "LET");
  story.detect(7, "raw", {}, "E1", "LET");
  EXPECT_THAT(picked({.ranges = {{2, 2}, {7, 9}}}), ElementsAre(2, 7, 2));
  EXPECT_THAT(by_pages({.ranges = {{2, 2}, {7, 9}}}, 1, 1), ElementsAre(2, 7, 2));
}

TEST_F(RunSelectionTest, PagesContinueWhereTheLastOneEnded) {
  const RunPick pick{.runs = {.instrument = "MARI"}, .ranges = {{1, 2}, {4, 4}, {6, 6}}};
  for (size_t limit = 1; limit <= 3; ++limit) {
    for (uint64_t most = 1; most <= 3; ++most) EXPECT_THAT(by_pages(pick, limit, most), ElementsAre(1, 2, 4, 6)) << limit << " " << most;
  }
}

TEST_F(RunSelectionTest, APageMayEndBeforeAnythingMatched) {
  story.skip_run(6, "no_script", "there is no script");
  const auto page = ledger::pick_runs(story.rows(), {.reason = "no_script"}, 10, 4);
  EXPECT_EQ(page.considered, 4u);
  EXPECT_TRUE(page.rows.empty());
  EXPECT_FALSE(page.next.empty());
  EXPECT_THAT(by_pages({.reason = "no_script"}, 10, 4), ElementsAre(6));
}

TEST_F(RunSelectionTest, ReasonAndTimesAreTheRowsOwn) {
  story.skip_run(2, "no_script", "there is no script");
  EXPECT_THAT(picked({.reason = "no_script"}), ElementsAre(2));
  const int64_t third = story.run(3).get().getDetectedAt();
  EXPECT_THAT(picked({.detected_to = third}), ElementsAre(1, 2, 3));
  EXPECT_THAT(picked({.detected_from = third + 1}), ElementsAre(4, 5, 6));
}

TEST_F(RunSelectionTest, ScriptIsFoundByItsHashOrThatOfAFileWithIt) {
  story.reduce(1);
  story.use_script("script 2", {{"mon", "1"}}, {{"utils.py", "utils 1"}});
  story.reduce(2);
  EXPECT_THAT(picked({.script = hash_of("script 1").substr(0, 4)}), ElementsAre(1));
  EXPECT_THAT(picked({.script = hash_of("utils 1")}), ElementsAre(1, 2));
  EXPECT_THAT(picked({.script = hash_of("another")}), IsEmpty());
}

TEST_F(RunSelectionTest, AllValuesMustMatchEachInItsType) {
  story.use_script("script 1", {{"mask", "\"m.xml\""}, {"mon", "1"}, {"width", "1.0"}});
  for (uint64_t run = 1; run <= 5; ++run) story.reduce(run, {.given = run == 2 ? Story::Values{{"mon", "[1, 2.0]"}} : Story::Values{}});
  EXPECT_THAT(picked({.variables = {{"mon", "1"}}}), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(picked({.variables = {{"mon", "1e0"}}}), IsEmpty());
  EXPECT_THAT(picked({.variables = {{"width", "1"}}}), IsEmpty());
  EXPECT_THAT(picked({.variables = {{"width", "1e0"}}}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(picked({.variables = {{"mon", "[1,2.00]"}}}), ElementsAre(2));
  EXPECT_THAT(picked({.variables = {{"mon", "[1.0,2.0]"}}}), IsEmpty());
  EXPECT_THAT(picked({.variables = {{"mon", "true"}}}), IsEmpty());
  EXPECT_THAT(picked({.variables = {{"mon", "1"}, {"mask", "\"m.xml\""}}}), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(picked({.variables = {{"mon", "1"}, {"mask", "\"n.xml\""}}}), IsEmpty());
  EXPECT_THAT(picked({.variables = {{"mon", std::string(100'000, '[')}}}), IsEmpty());
}

TEST_F(RunSelectionTest, SupportFileIsFoundByPathOrHash) {
  story.reduce(1, {.support_files = {{"/masks/m.xml", "good"}}});
  story.reduce(2, {.support_files = {{"/masks/m.xml", "bad"}}});
  const std::string bad = base::hex(hash_of("bad"));
  EXPECT_THAT(picked({.support_file = "/masks/m.xml"}), ElementsAre(1, 2));
  EXPECT_THAT(picked({.support_file = bad.substr(0, 8)}), ElementsAre(2));
  EXPECT_THAT(picked({.support_file = bad.substr(0, 7)}), IsEmpty()) << "too few digits to be sure";
  EXPECT_THAT(picked({.support_file = "/masks/m"}), IsEmpty());
}

TEST_F(RunSelectionTest, TheNewestVersionThatSucceededCountsElseTheNewest) {
  story.reduce(1);
  story.use_script("script 2", {{"mon", "1"}});
  story.fail_version(1);
  story.fail_version(2);
  EXPECT_THAT(picked({.script = hash_of("script 1")}), ElementsAre(1));
  EXPECT_THAT(picked({.script = hash_of("script 2")}), ElementsAre(2));
}

TEST_F(RunSelectionTest, StaleResultsAlone) {
  for (uint64_t run = 1; run <= 3; ++run) story.reduce(run);
  story.set({{"mon", "2"}}, [](schema::Scope::Builder scope) { scope.setFromRun(2); });
  EXPECT_THAT(picked({.stale = true}), ElementsAre(2, 3));
  EXPECT_THAT(picked({.runs = {.last_run = 2}, .stale = true}), ElementsAre(2));
}

TEST_F(RunSelectionTest, NothingOutsideOfWhatIsSeenIsPicked) {
  RunPick pick{.reason = ""};
  pick.runs.within = {{.experiment = "E5"}};
  EXPECT_THAT(picked(pick), ElementsAre(5, 6));
  pick.ranges = {{1, 5}};
  EXPECT_THAT(picked(pick), ElementsAre(5));
}

}  // namespace
}  // namespace rules_test
