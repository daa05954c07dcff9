#include "daemons/worker/printed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace {

using daemons::AttemptPlan;
using daemons::Printed;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class PrintedTest : public testing::Test {
 protected:
  PrintedTest() {
    plan.runs = {28001};
    plan.script_path = "/share/reduce_ARCS.py.template";
    plan.inputs = {{"/SNS/ARCS/ARCS_28001.nxs.h5", 0, "", 0}};
    printed.all.add("both\n");
    printed.output.add("out\n");
    printed.errors.add("err\n");
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder / "reduction_log")) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder / "reduction_log" / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> write(schema::Contract contract) {
    plan.contract = contract;
    return daemons::write_log_files(plan, printed, folder.path());
  }
  support::TemporaryFolder folder;
  AttemptPlan plan;
  Printed printed;
};

TEST_F(PrintedTest, SnsHasOneFileForEachStream) {
  EXPECT_THAT(write(schema::Contract::SNS), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("ARCS_28001.nxs.h5.err", "ARCS_28001.nxs.h5.log"));
  EXPECT_EQ(read("ARCS_28001.nxs.h5.log"), "out\n");
  EXPECT_EQ(read("ARCS_28001.nxs.h5.err"), "err\n");
}

TEST_F(PrintedTest, IsisNamesExperimentAndRuns) {
  plan.experiment = "20/10";
  plan.runs = {28001, 28002, 28004};
  EXPECT_THAT(write(schema::Contract::ISIS), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("RB_20_10_Run_28001-28004_Script.out"));
  EXPECT_EQ(read("RB_20_10_Run_28001-28004_Script.out"), "both\n");
}

TEST_F(PrintedTest, FiaNamesTheScript) {
  EXPECT_THAT(write(schema::Contract::FIA), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("reduce_ARCS.log"));
}

TEST_F(PrintedTest, WhatTheScriptPutThereIsLeftAlone) {
  fs::create_directory(folder / "reduction_log");
  folder.write("mine.txt", "mine");
  fs::create_symlink(folder / "mine.txt", folder / "reduction_log/reduce_ARCS.log");
  EXPECT_THAT(write(schema::Contract::FIA), ElementsAre(HasSubstr("reduction_log/reduce_ARCS.log could not be written: File exists")));
  std::ifstream mine(folder / "mine.txt");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(mine), {}), "mine");
}

TEST_F(PrintedTest, FolderThatLeadsElsewhereIsNotFollowed) {
  fs::create_directory(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "reduction_log");
  EXPECT_EQ(write(schema::Contract::FIA).size(), 1u);
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST_F(PrintedTest, StreamsShareAPipeWhereNobodyAsksWhichIsWhich) {
  plan.contract = schema::Contract::ISIS;
  EXPECT_FALSE(daemons::keeps_streams_apart(plan));
  plan.stderr_fails = true;
  EXPECT_TRUE(daemons::keeps_streams_apart(plan));
}

}  // namespace
