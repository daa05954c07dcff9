// vars: settings that follow the script, settings that apply to no run yet, values with their types.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/temporary_folder.h"
#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class VarsCommandsTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    Message<schema::VariableSet> defaults;
    add_variable(defaults, "mon", "1", schema::Variable::Group::STANDARD);
    add_variable(defaults, "grid", "[]", schema::Variable::Group::ADVANCED);
    ledger.instruments["MARI"].get().getScript().setDefaults(as_data(ledger.add_document(defaults)));
  }
  schema::VariableRule::Builder add_rule(const char* name, const char* value) {
    auto rule = ledger.rules.emplace_back().get();
    rule.getVariable().setName(name);
    rule.getVariable().setValue(value);
    rule.setSetBy("alice");
    rule.setSetAt(kNoon);
    return rule;
  }
};

TEST_F(VarsCommandsTest, ResetLetsVariablesFollowTheScript) {
  const Ran ran = command({"vars", "reset", "MARI", "mon", "grid", "--from-run", "28000", "--comment", "as written"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "MARI: mon, grid follow the script for runs from 28000 (event 901)\n");
  EXPECT_EQ(command({"vars", "reset", "MARI", "advanced.grid", "--default"}).out, "MARI: advanced.grid follows the script for default (event 902)\n");
  EXPECT_THAT(ledger.asked, ElementsAre("set MARI from 28000 to 0 standard.mon follows the script advanced.grid follows the script (as written)",
                                        "set MARI default advanced.grid follows the script ()"));
  for (const char* wrong : {"mno", "mon=1"}) EXPECT_EQ(command({"vars", "reset", "MARI", wrong, "--default"}).exit_code, 2) << wrong;
  EXPECT_EQ(command({"vars", "reset", "MARI", "mon"}).exit_code, 2) << "for which runs?";
  EXPECT_EQ(ledger.asked.size(), 2u);
}

TEST_F(VarsCommandsTest, SettingThatFollowsTheScriptIsShownAsSuch) {
  add_rule("mon", "").getVariable().setFollowsScript(true);
  EXPECT_THAT(command({"vars", "show", "MARI"}).out, HasSubstr("mon       standard  follows the script  default         alice"));
  const json rule = json_of({"vars", "show", "MARI"})[0];
  EXPECT_TRUE(rule["value"].is_null());
  EXPECT_EQ(rule["follows_script"], true);
  auto set = ledger.add_event("alice").getBody().initVariablesSet();
  set.setInstrument("MARI");
  auto variable = set.initVariables(1)[0];
  variable.setName("mon");
  variable.setFollowsScript(true);
  EXPECT_EQ(json_of({"vars", "history", "MARI"})[0]["text"], "MARI: mon follows the script set for default");
}

TEST_F(VarsCommandsTest, UpcomingIsWhatNoRunHasGotYet) {
  ledger.add_run("MARI", 28001).setExperiment("17");
  auto status = ledger.status.get().initInstruments(1)[0];
  status.setInstrument("MARI");
  status.setLastRun(28001);
  add_rule("mon", "1").getScope().setFromRun(28001);
  add_rule("mon", "2").getScope().setExperiment("17");
  add_rule("mon", "3").getScope().setDefault();
  EXPECT_EQ(json_of({"vars", "upcoming", "MARI"}, 1), json::array());
  EXPECT_THAT(command({"vars", "upcoming", "MARI"}).err, HasSubstr("MARI: nothing is set for runs that are still to come; its last is 28001"));
  add_rule("mon", "4").getScope().setFromRun(28002);
  add_rule("grid", "[1]").getScope().setExperiment("18");
  EXPECT_THAT(command({"vars", "upcoming", "MARI"}).out, AllOf(HasSubstr("mon       4      runs from 28002  alice   2026-11-01 12:00:00\n"),
                                                               HasSubstr("grid      [1]    experiment 18    alice   2026-11-01 12:00:00\n"), Not(HasSubstr("28001"))));
  EXPECT_EQ(json_of({"vars", "upcoming", "MARI"}).size(), 2u);
}

TEST_F(VarsCommandsTest, DryRunShowsTheTypesThatValuesWillHave) {
  const Ran ran = command({"vars", "set", "MARI", "mon=2", "grid=[1, \"a\"]", "--default", "--dry-run"});
  EXPECT_THAT(ran.out, testing::StartsWith("mon = 2 (int)\ngrid = [1, \"a\"] (list)\n"));
  const std::vector<std::pair<const char*, const char*>> types = {{"2.0", "float"}, {"None", "str"}, {"null", "None"}, {"true", "bool"}, {"True", "str"}, {"{\"a\": 1}", "dict"}};
  for (const auto& [value, type] : types) {
    EXPECT_EQ(json_of({"vars", "set", "MARI", std::string("mon=") + value, "--default", "--dry-run"})["values"][0]["type"], type) << value;
  }
}

TEST_F(VarsCommandsTest, ValueMayBeWhatAFileHolds) {
  support::TemporaryFolder folder;
  const auto path = (folder.path() / "grid.json").string();
  std::ofstream(path) << "[1, 2,\n 3]\n";
  const auto text = (folder.path() / "text").string();
  std::ofstream(text) << "two\nlines\n";
  EXPECT_EQ(command({"vars", "set", "MARI", "grid=@" + path, "mon=@" + text, "--default"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("set MARI default advanced.grid=[1, 2,\n 3] standard.mon=\"two\\nlines\" ()"));
  ledger.asked.clear();
  const Ran gone = command({"vars", "set", "MARI", "grid=@/nowhere/grid", "--default"});
  EXPECT_EQ(gone.exit_code, 2);
  EXPECT_THAT(gone.err, AllOf(HasSubstr("the file /nowhere/grid cannot be read: No such file"), HasSubstr("a text that begins with @")));
  std::ofstream(text) << std::string((1u << 20) + 1, 'x');
  EXPECT_THAT(command({"vars", "set", "MARI", "mon=@" + text, "--default"}).err, HasSubstr("more than 1048576 bytes"));
  EXPECT_THAT(ledger.asked, IsEmpty());
}

}  // namespace
}  // namespace fake
