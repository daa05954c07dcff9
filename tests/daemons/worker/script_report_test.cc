#include "daemons/worker/script_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

using daemons::ScriptReport;
using daemons::script_report;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void expect_nothing(const ScriptReport& report, const std::string& text) {
  EXPECT_THAT(report.declared, IsEmpty()) << text;
  EXPECT_THAT(report.extra_directories, IsEmpty()) << text;
  EXPECT_TRUE(report.touched.empty()) << text;
}

TEST(ScriptReportTest, EverythingTheRunnerSaysIsTaken) {
  ScriptReport report = script_report(R"({"declared": ["a.nxs", "/elsewhere/b"], "extra_directories": ["/extra"],
    "touched": [{"path": "/home/x", "before": null}, {"path": "/csv", "before": [12, 1700000000000000001]}],
    "touched_more": 3, "remarks": ["odd"]})");
  EXPECT_THAT(report.declared, ElementsAre("a.nxs", "/elsewhere/b"));
  EXPECT_THAT(report.extra_directories, ElementsAre("/extra"));
  ASSERT_EQ(report.touched.size(), 2u);
  EXPECT_FALSE(report.touched[0].existed);
  EXPECT_TRUE(report.touched[1].existed);
  EXPECT_EQ(report.touched[1].size_bytes, 12u);
  EXPECT_EQ(report.touched[1].modified_ns, 1700000000000000001);
  EXPECT_THAT(report.remarks, ElementsAre("odd", "the script touched 3 files more elsewhere than are listed"));
}

TEST(ScriptReportTest, ResultWithoutTheFieldsIsFine) {
  ScriptReport report = script_report(R"({"outcome": "succeeded"})");
  expect_nothing(report, "");
  EXPECT_THAT(report.remarks, IsEmpty());
}

TEST(ScriptReportTest, DamagedFileSaysNothing) {
  for (const char* text : {"", "{", "[1]", "null", "7", "\xff", "{\"declared\": [\"\xff\"]}"}) expect_nothing(script_report(text), text);
  expect_nothing(script_report(std::nullopt), "none");
}

TEST(ScriptReportTest, DeepNestingIsOnlyOdd) {
  std::string deep(200'000, '[');
  expect_nothing(script_report(deep), "open");
  ScriptReport report = script_report("{\"declared\": [" + deep + std::string(200'000, ']') + "]}");
  expect_nothing(report, "closed");
}

TEST(ScriptReportTest, FieldsOfAnotherFormArePassedOverWithARemark) {
  ScriptReport report = script_report(R"({"declared": {"a": 1}, "extra_directories": ["relative", "", 7, "/fine", "/nul\u0000x"],
    "touched": ["/x", {"path": "relative"}, {"path": "/x", "before": [1]}, {"path": "/x", "before": [-1, 2]}, {"before": null},
                {"path": "/x", "before": ["1", 2]}, {"path": "/x", "before": [1e40, 2]}],
    "touched_more": "many", "remarks": [["no"], "yes"]})");
  EXPECT_THAT(report.declared, IsEmpty());
  EXPECT_THAT(report.extra_directories, ElementsAre("/fine"));
  EXPECT_TRUE(report.touched.empty());
  EXPECT_THAT(report.remarks, ElementsAre("yes", HasSubstr("\"remarks\" holds 1 value"), HasSubstr("\"declared\" holds 1 value"),
                                          HasSubstr("\"extra_directories\" holds 4 values"), HasSubstr("\"touched\" holds 7 values")));
}

TEST(ScriptReportTest, MoreThanTheLimitsIsCutAndCounted) {
  nlohmann::json result;
  for (int i = 0; i < 1500; ++i) result["touched"].push_back({{"path", "/f" + std::to_string(i)}, {"before", nullptr}});
  for (int i = 0; i < 30; ++i) result["extra_directories"].push_back("/d" + std::to_string(i));
  for (int i = 0; i < 200; ++i) result["remarks"].push_back(std::string(5000, 'x'));
  result["declared"].push_back(std::string(5000, 'p'));
  ScriptReport report = script_report(result.dump());
  EXPECT_EQ(report.touched.size(), 1000u);
  EXPECT_EQ(report.extra_directories.size(), 20u);
  EXPECT_THAT(report.declared, IsEmpty());
  EXPECT_EQ(report.remarks.size(), 104u);
  for (const std::string& remark : report.remarks) EXPECT_LE(remark.size(), 1000u);
  EXPECT_THAT(report.remarks, testing::Contains(HasSubstr("\"touched\" holds 500 values that could not be taken")));
}

}  // namespace
