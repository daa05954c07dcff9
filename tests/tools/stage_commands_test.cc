// stage, combine: rules over results, what they made, one result of several runs.
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Over = schema::StageRule::Over;

class StageCommandsTest : public CommandsTest {
 protected:
  schema::StageResultRow::Builder add_result(const char* stage, std::initializer_list<uint64_t> runs, schema::RunState state) {
    auto row = ledger.reducing.stage_results.emplace_back().get();
    row.setInstrument("MARI");
    row.setStage(stage);
    row.setOver(Over::RUNS);
    auto list = row.initRuns(static_cast<uint32_t>(runs.size()));
    uint32_t i = 0;
    for (const uint64_t run : runs) list.set(i++, run);
    row.setState(state);
    return row;
  }
};

TEST_F(StageCommandsTest, SetAsksForTheWholeRule) {
  ledger.instruments["MARI"].get().getConfig().setContract(schema::Contract::ISIS);
  const Ran ran = command({"stage", "set", "mari", "sum", "--after", "reduction,plot", "--over", "runs", "--script", "/scripts/sum.py", "--contract", "fia",
                           "--interpreter", "mantid", "--inputs", "*.nxs", "--inputs", "*.txt", "--output", "/out/{run}-v{version}", "--time-limit", "2h",
                           "--memory-limit", "1GiB"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ledger.asked, ElementsAre(R"(set stage (instrument = "MARI", name = "sum", after = ["reduction", "plot"], over = runs, scriptPath = "/scripts/sum.py", )"
                                        R"(contract = fia, interpreter = "mantid", inputPatterns = ["*.nxs", "*.txt"], outputPattern = "/out/{run}-v{version}", )"
                                        R"(timeLimitMs = 7200000, memoryLimitBytes = 1073741824, fromSite = false))"));
  EXPECT_EQ(ran.out, "MARI: stage sum is set (event 901)\n");
  ledger.asked.clear();
  EXPECT_EQ(command({"stage", "set", "MARI", "plot", "--after", "reduction", "--script", "/s.py", "--output", "/o/{run}-{version}"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre(AllOf(HasSubstr("over = run,"), HasSubstr("contract = isis"))));
}

TEST_F(StageCommandsTest, SetSaysWhatIsWrong) {
  const std::vector<std::string> rule = {"stage", "set", "MARI", "sum", "--script", "/s.py", "--output", "/o"};
  const std::vector<std::pair<std::vector<std::string>, const char*>> wrong = {{{"--time-limit", "long"}, "--time-limit 'long': write 60m or 2h"},
                                                                               {{"--memory-limit", "8 parsecs"}, "--memory-limit '8 parsecs': write 8GiB"},
                                                                               {{"--contract", "ess"}, "'ess' is no contract; there are isis, sns, fia"},
                                                                               {{"--over", "day"}, "day"}};
  for (const auto& [options, message] : wrong) {
    auto words = rule;
    words.insert(words.end(), options.begin(), options.end());
    const Ran ran = command(words);
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, HasSubstr(message));
  }
  EXPECT_THAT(ledger.asked, IsEmpty());
}

TEST_F(StageCommandsTest, ListAndRemove) {
  EXPECT_EQ(json_of({"stage", "list", "MARI"}, 1), json::array());
  auto row = ledger.reducing.stages.emplace_back().get();
  row.getRule().setInstrument("MARI");
  row.getRule().setName("sum");
  row.getRule().initAfter(1).set(0, "reduction");
  row.getRule().setOver(Over::EXPERIMENT);
  row.getRule().setScriptPath("/scripts/sum.py");
  row.getRule().setFromSite(true);
  row.setSetAt(kNoon);
  EXPECT_THAT(command({"stage", "list", "MARI"}).out, HasSubstr("MARI        sum    reduction  a whole experiment  /scripts/sum.py  -       the site file"));
  const json stage = json_of({"stage", "list", "MARI"})[0];
  EXPECT_EQ(stage["after"], json::array({"reduction"}));
  EXPECT_EQ(stage["over"], "experiment");
  EXPECT_TRUE(stage["time_limit_ms"].is_null());
  EXPECT_EQ(command({"stage", "remove", "MARI", "sum", "--comment", "by hand"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("remove stage sum (by hand)"));
}

TEST_F(StageCommandsTest, ResultsSayWhatWaitsAndWhy) {
  add_result("sum", {28001, 28002}, schema::RunState::DETECTED).getReason().setText("waits for MARI 28002");
  auto done = add_result("plot", {28001}, schema::RunState::SUCCEEDED);
  done.setVersion(2);
  done.setJob(17);
  add_result("plot", {28002}, schema::RunState::FAILED);
  EXPECT_EQ(json_of({"stage", "results", "MARI"}).size(), 3u) << "every page";
  EXPECT_EQ(json_of({"stage", "results", "MARI", "plot"}).size(), 2u);
  EXPECT_THAT(command({"stage", "results", "MARI"}).out, AllOf(HasSubstr("sum    MARI 28001-28002  waits for its inputs  -          -  waits for MARI 28002\n"),
                                                               HasSubstr("plot   MARI 28001        succeeded             v2        17\n")));
  EXPECT_EQ(command({"stage", "results", "MARI", "none"}).exit_code, 1);
}

TEST_F(StageCommandsTest, CombineTakesTheRunsThereAre) {
  for (const uint64_t number : {1, 2, 4, 9}) ledger.add_run("MARI", number);
  EXPECT_EQ(command({"combine", "MARI", "1-5,9", "--stage", "sum"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("combine MARI 1 2 4 9 by sum"));
  const Ran none = command({"combine", "MARI", "1,20-30", "--stage", "sum"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("MARI 20-30: there is no such run, so nothing was asked for"));
  EXPECT_EQ(command({"combine", "MARI", "--stage", "sum"}).exit_code, 2);
  EXPECT_EQ(ledger.asked.size(), 1u);
}

TEST_F(StageCommandsTest, CombineThatIsWaitedForSaysWhatItCameTo) {
  ledger.add_run("MARI", 1);
  ledger.add_run("MARI", 2);
  add_result("sum", {1, 3}, schema::RunState::FAILED);
  // A result these runs had before is not taken for the one that was asked for.
  auto row = add_result("sum", {1, 2}, schema::RunState::SUCCEEDED);
  row.setVersion(1);
  row.setPendingRequest(901);
  ledger.live.push_back([this] {
    auto of_row = ledger.reducing.stage_results[1].get();
    of_row.setPendingRequest(0);
    of_row.setVersion(2);
    of_row.setState(schema::RunState::FAILED);
    of_row.getReason().setText("ValueError: two monitors");
    const uint64_t job = ledger.events.size() + 1;
    auto queued = ledger.add_event().getBody().initJobQueued();
    auto runs = queued.initRuns(2);
    for (uint32_t i = 0; i < 2; ++i) {
      runs[i].setInstrument("MARI");
      runs[i].setRunNumber(i + 1);
    }
    queued.setStage("sum");
    queued.setKind(schema::JobKind::STAGE);
    queued.setVersion(2);
    ledger.add_event().getBody().initJobFailed().setJob(job);
  });
  const Ran ran = command({"combine", "MARI", "1-2", "--stage", "sum", "--wait"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "MARI 1-2: stage sum asked for (event 901)\nMARI 1-2 sum v2 failed: ValueError: two monitors\n");
  EXPECT_THAT(ran.err, HasSubstr("MARI 1-2 sum v2: failed"));
}

}  // namespace
}  // namespace fake
