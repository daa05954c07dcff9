#include "ledger/run_marks.h"

#include <gmock/gmock.h>

#include "ledger/keys.h"
#include "ledger/views/experiments.h"
#include "ledger/views/runs.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ledger::ViewId;

class RunMarksTest : public ::testing::Test {
 protected:
  using Marks = std::vector<std::pair<uint64_t, std::string>>;

  void mark(std::string_view instrument, uint64_t run, schema::RunState state, std::string_view experiment) {
    const std::string key = ledger::run_key(instrument, run);
    rows.put(ViewId::kRuns, ledger::RunsView::state_key(state, key), "");
    if (experiment.empty()) return;
    rows.put(ViewId::kExperiments, ledger::ExperimentsView::experiment_key(key), experiment);
    rows.put(ViewId::kExperiments, ledger::ExperimentsView::run_mark(experiment, key), "");
  }
  Marks marks(uint64_t first, uint64_t last, size_t most = SIZE_MAX) {
    Marks found;
    ledger::visit_run_marks(rows, "MARI", first, last, [&](uint64_t run, std::string_view experiment) {
      found.emplace_back(run, experiment);
      return found.size() < most;
    });
    return found;
  }
  support::MemoryRows rows;
};

TEST_F(RunMarksTest, RunsOfAllStatesComeInOrderWithTheirExperiments) {
  // More than are read at once of one state, and of all.
  Marks expected;
  for (uint64_t run = 1; run <= 6000; ++run) {
    const auto state = static_cast<schema::RunState>(run % 5 == 0 ? run / 5 % 9 : 5);
    const std::string experiment = run % 7 == 0 ? "" : "E" + std::to_string(run / 500);
    mark("MARI", run, state, experiment);
    if (state != schema::RunState::REFUSED) expected.emplace_back(run, experiment);
  }
  mark("LET", 17, schema::RunState::SUCCEEDED, "E0");
  mark("MARIX", 17, schema::RunState::SUCCEEDED, "E0");
  EXPECT_EQ(marks(0, UINT64_MAX), expected);
  std::erase_if(expected, [](const auto& each) { return each.first < 1000 || each.first > 5900; });
  EXPECT_EQ(marks(1000, 5900), expected);
  expected.resize(3);
  EXPECT_EQ(marks(1000, 5900, 3), expected);
}

TEST_F(RunMarksTest, AnExperimentsRunsAreThoseOfTheInstrument) {
  for (uint64_t run = 1; run <= 6; ++run) mark(run % 2 == 0 ? "MARI" : "LET", run, schema::RunState::SUCCEEDED, run == 4 ? "E2" : "E1");
  Marks found;
  ledger::visit_run_marks_of(rows, "MARI", "E1", [&](uint64_t run, std::string_view experiment) {
    found.emplace_back(run, experiment);
    return true;
  });
  EXPECT_EQ(found, (Marks{{2, "E1"}, {6, "E1"}}));
}

}  // namespace
}  // namespace rules_test
