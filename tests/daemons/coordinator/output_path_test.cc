#include "daemons/coordinator/output_path.h"

#include <gtest/gtest.h>

namespace {

constexpr const char* kPattern = "/site/{instrument}/RB{experiment}/{run}/run-version-{version}";

TEST(OutputPathTest, FieldsAreFilledAndTheVersionIsLeftToTheLedger) {
  EXPECT_EQ(daemons::output_directory(kPattern, {"MARI", "2010001", "28001"}), "/site/MARI/RB2010001/28001/run-version-{version}");
}

TEST(OutputPathTest, ExperimentFromAFileNeverLeavesItsComponent) {
  EXPECT_EQ(daemons::output_directory(kPattern, {"MARI", "../../../../etc/cron.d", "1"}), "/site/MARI/RB_._.._.._.._etc_cron.d/1/run-version-{version}");
  EXPECT_EQ(daemons::output_directory(kPattern, {"MARI", "a\nb;$(id)", "1"}), "/site/MARI/RBa_b___id_/1/run-version-{version}");
  EXPECT_EQ(daemons::output_directory("/o/{experiment}/{run}", {"MARI", "..", "1"}), "/o/_./1");
}

TEST(OutputPathTest, UnknownExperimentSaysSo) { EXPECT_EQ(daemons::output_directory("/o/{experiment}/{run}", {"MARI", "", "7"}), "/o/unknown/7"); }

TEST(OutputPathTest, NumberThatNamesNoExperimentIsNoFolder) {
  // Runs without a proposal, of different people, had one folder "RB-1".
  EXPECT_EQ(daemons::output_directory(kPattern, {"MARI", "-1", "7"}), "/site/MARI/RBunknown/7/run-version-{version}");
  EXPECT_EQ(daemons::output_directory(kPattern, {"MARI", "0", "7"}), "/site/MARI/RBunknown/7/run-version-{version}");
}

TEST(OutputPathTest, FieldsInsideValuesAreNotFilledAgain) {
  EXPECT_EQ(daemons::output_directory("/o/{experiment}/{run}", {"MARI", "{run}", "7"}), "/o/_run_/7");
}

TEST(OutputPathTest, StageAndSeveralRunsHavePlacesOfTheirOwn) {
  EXPECT_EQ(daemons::output_directory("/o/{stage}/{run}/v{version}", {"MARI", "2010001", "28001-28004", "merge"}), "/o/merge/28001-28004/v{version}");
}

}  // namespace
