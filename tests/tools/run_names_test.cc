#include "tools/run_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kKnown = {"MARI", "SANS2D", "D1", "D17", "I15-1", "VESUVIO"};

base::Result<RunSelection> selection(std::vector<std::string> words, std::span<const std::string> known = kKnown) {
  return parse_selection(words, known);
}
base::Result<RunName> run(std::vector<std::string> words) { return parse_run(words, kKnown); }
std::string refusal(std::vector<std::string> words) {
  base::Result<RunSelection> result = selection(std::move(words));
  EXPECT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().code(), base::Code::kInvalidArgument);
  return result.status().message();
}

void expect_run(const base::Result<RunName>& name, std::string_view instrument, uint64_t number, uint16_t version = 0) {
  ASSERT_TRUE(name.is_ok()) << name.status().message();
  EXPECT_EQ(name->instrument, instrument);
  EXPECT_EQ(name->run_number, number);
  EXPECT_EQ(name->version, version);
}

TEST(RunNamesTest, OneRunIsWrittenInManyWays) {
  expect_run(run({"MARI", "28001"}), "MARI", 28001);
  expect_run(run({"MARI 28001"}), "MARI", 28001);
  expect_run(run({"MARI/28001"}), "MARI", 28001);
  expect_run(run({"MARI28001"}), "MARI", 28001);
  expect_run(run({"mari00028001"}), "MARI", 28001);
  expect_run(run({"MARI_28001"}), "MARI", 28001);
}

TEST(RunNamesTest, VersionFollowsTheRun) {
  expect_run(run({"MARI/28001/v2"}), "MARI", 28001, 2);
  expect_run(run({"mari", "28001/V12"}), "MARI", 28001, 12);
  expect_run(run({"MARI28001", "v3"}), "MARI", 28001, 3);
  expect_run(run({"vesuvio", "14188"}), "VESUVIO", 14188);
}

TEST(RunNamesTest, NameThatEndsInDigitsIsTheLongestKnownOne) {
  expect_run(run({"SANS2D22048"}), "SANS2D", 22048);
  expect_run(run({"D17012345"}), "D17", 12345);
  expect_run(run({"D1012345"}), "D1", 12345);
  expect_run(run({"I15-1/5"}), "I15-1", 5);
}

TEST(RunNamesTest, UnknownInstrumentIsSplitAtTheLastDigits) {
  base::Result<RunSelection> result = selection({"ENGINX228061-228063"}, {});
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_EQ(result->instrument, "ENGINX");
  EXPECT_THAT(result->ranges, ElementsAre(RunRange{228061, 228063}));
  expect_run(parse_run(std::vector<std::string>{"HB2C_1234"}, {}), "HB2C", 1234);
}

TEST(RunNamesTest, ANameThatEndsWithADashIsNone) {
  // Symptom: "I15-1-/5" was taken and shown as "I15-1- 5", which names run 5 of another instrument.
  EXPECT_THAT(refusal({"I15-1-/5"}), HasSubstr("does not begin with an instrument"));
}

TEST(RunNamesTest, RangesAndListsAreSortedAndMerged) {
  base::Result<RunSelection> result = selection({"MARI", "28020,", "28001", "-", "28010,28005-28012"});
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_THAT(result->ranges, ElementsAre(RunRange{28001, 28012}, RunRange{28020, 28020}));
}

TEST(RunNamesTest, InstrumentAloneMeansEveryRun) {
  for (const char* name : {"mari", "SANS2D", "D17", "i15-1"}) {
    base::Result<RunSelection> result = selection({name});
    ASSERT_TRUE(result.is_ok()) << result.status().message();
    EXPECT_EQ(result->ranges.size(), 0u) << name;
  }
}

TEST(RunNamesTest, ErrorsNameTheTextAndShowAnExample) {
  EXPECT_THAT(refusal({"MARI", "28o01"}), testing::AllOf(HasSubstr("'MARI 28O01'"), HasSubstr("MARI/28001/v2")));
  EXPECT_THAT(refusal({"28001"}), HasSubstr("does not begin with an instrument"));
  EXPECT_THAT(refusal({}), HasSubstr("no run is named"));
  EXPECT_THAT(refusal({"MARI", "28010-28001"}), HasSubstr("goes backwards"));
  EXPECT_THAT(refusal({"MARI", "0"}), HasSubstr("start at 1"));
  EXPECT_THAT(refusal({"MARI", "1,,2"}), HasSubstr("'' is no run number"));
  EXPECT_THAT(refusal({"MARI", "99999999999999999999999"}), HasSubstr("is no run number"));
  EXPECT_THAT(refusal({"MARI/28001/v0"}), HasSubstr("v1"));
  EXPECT_THAT(refusal({"MARI/28001-28002/v1"}), HasSubstr("a version belongs to one run"));
  EXPECT_THAT(refusal({"MARI/"}), HasSubstr("no run number"));
  EXPECT_THAT(refusal({"MA\x1b[2JRI", "5"}), testing::Not(HasSubstr("\x1b")));
}

TEST(RunNamesTest, SeveralRunsAreRefusedWhereOneIsMeant) {
  EXPECT_THAT(run({"MARI", "1-2"}).status().message(), HasSubstr("one run is asked for"));
  EXPECT_THAT(run({"MARI"}).status().message(), HasSubstr("no run number"));
}

TEST(RunNamesTest, TextNamesRunAndVersion) {
  EXPECT_EQ(run_text("MARI", 28001), "MARI 28001");
  EXPECT_EQ(run_text("MARI", 28001, 2), "MARI 28001 v2");
}

}  // namespace
}  // namespace tools
