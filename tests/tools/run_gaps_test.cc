#include "tools/run_gaps.h"

#include <gtest/gtest.h>

#include "tests/tools/fake_session.h"

namespace tools {
namespace {

using schema::RunState;

class RunGapsTest : public testing::Test {
 protected:
  void run(const char* instrument, uint64_t number, RunState state = RunState::SUCCEEDED) {
    fake::Message<schema::RunRow> row;
    row.get().getRun().setInstrument(instrument);
    row.get().getRun().setRunNumber(number);
    row.get().setState(state);
    row.get().setDetectedAt(static_cast<int64_t>(number) * 10);
    if (state == RunState::REFUSED) {
      row.get().initRawFiles(1)[0].setPath("/archive/bad.nxs");
      row.get().getReason().setText("not HDF5");
    }
    finder.add(row.read());
  }
  /// "MARI 3-4 (2..5)", with the refused ones behind.
  std::vector<std::string> found(bool at_end = true) {
    std::vector<std::string> texts;
    for (const RunGap& gap : finder.take(at_end)) {
      const auto side = [](const std::optional<GapSide>& each) { return each ? std::to_string(each->run_number) : "none"; };
      std::string text = gap.instrument + " " + std::to_string(gap.first) + "-" + std::to_string(gap.last) + " (" + side(gap.before) + ".." +
                         side(gap.after) + ")";
      for (const RefusedNumber& each : gap.refused) text += " refused " + std::to_string(each.run_number);
      texts.push_back(text);
    }
    return texts;
  }
  using Texts = std::vector<std::string>;
  GapFinder finder;
};

TEST_F(RunGapsTest, RowWithoutHolesHasNone) {
  run("MARI", 28001);
  run("MARI", 28002, RunState::FAILED);
  run("MARI", 28003, RunState::SKIPPED);
  EXPECT_EQ(found(), Texts{});
}

TEST_F(RunGapsTest, HolesAreRangesBetweenRuns) {
  run("MARI", 2);
  run("MARI", 5);
  run("MARI", 6);
  run("MARI", 8);
  EXPECT_EQ(found(), (Texts{"MARI 3-4 (2..5)", "MARI 7-7 (6..8)"}));
}

TEST_F(RunGapsTest, RefusedNumbersAreInTheHoleTheyWiden) {
  run("MARI", 2);
  run("MARI", 4, RunState::REFUSED);
  run("MARI", 7);
  run("MARI", 8, RunState::REFUSED);
  run("MARI", 9);
  EXPECT_EQ(found(), (Texts{"MARI 3-6 (2..7) refused 4", "MARI 8-8 (7..9) refused 8"}));
}

TEST_F(RunGapsTest, RefusedAtTheEndsHasOneSide) {
  run("MARI", 1, RunState::REFUSED);
  run("MARI", 2);
  run("MARI", 5, RunState::REFUSED);
  EXPECT_EQ(found(), (Texts{"MARI 1-1 (none..2) refused 1", "MARI 3-5 (2..none) refused 5"}));
}

TEST_F(RunGapsTest, InstrumentsAreApart) {
  run("MARI", 1);
  run("MARI", 2, RunState::REFUSED);
  run("MERLIN", 9);
  run("MERLIN", 11);
  EXPECT_EQ(found(), (Texts{"MARI 2-2 (1..none) refused 2", "MERLIN 10-10 (9..11)"}));
}

TEST_F(RunGapsTest, AHoleIsTakenOnceAndOnlyWhenItIsComplete) {
  run("MARI", 1);
  run("MARI", 4);
  run("MARI", 5, RunState::REFUSED);
  EXPECT_EQ(found(false), (Texts{"MARI 2-3 (1..4)"}));
  run("MARI", 7);
  EXPECT_EQ(found(), (Texts{"MARI 5-6 (4..7) refused 5"}));
}

}  // namespace
}  // namespace tools
