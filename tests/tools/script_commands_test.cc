// script: every text there ever was and what it made, the files captured beside it, how two of them differ.
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ScriptCommandsTest : public CommandsTest {
 protected:
  void register_script(std::string_view text, uint64_t seq) {
    auto row = ledger.scripts.emplace_back().get();
    row.setSeq(seq);
    row.setRegisteredAt(kNoon);
    row.getScript().setInstrument("MARI");
    row.getScript().setPath("/scripts/reduce.py");
    row.getScript().setSha256(as_data(ledger.add_blob(text)));
  }
  void reduce(uint64_t run, std::string_view script) {
    ledger.add_run("MARI", run);
    ledger.add_version(1).getQueued().setScriptSha256(as_data(ledger.add_blob(script)));
  }
  /// reduce.py and helper.py beside it, as the instrument has them now.
  void set_present(std::string_view script, std::initializer_list<std::pair<const char*, const char*>> siblings) {
    auto registered = ledger.instruments["MARI"].get().getScript();
    registered.setPath("/scripts/reduce.py");
    registered.setSha256(as_data(ledger.add_blob(script)));
    auto list = registered.initSiblings(static_cast<uint32_t>(siblings.size()));
    uint32_t i = 0;
    for (const auto& [name, text] : siblings) {
      list[i].setName(name);
      list[i++].setSha256(as_data(ledger.add_blob(text)));
    }
  }
};

TEST_F(ScriptCommandsTest, HistoryCountsWhatEachTextMade) {
  register_script("first\n", 10);
  register_script("second\n", 20);
  register_script("first\n", 30);  // back again
  for (const uint64_t run : {1, 2, 5}) reduce(run, "first\n");
  const json history = json_of({"script", "history", "MARI"});
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0]["runs"], 3);
  EXPECT_EQ(history[0]["first_run"], 1);
  EXPECT_EQ(history[0]["last_run"], 5);
  EXPECT_EQ(history[1]["runs"], 0);
  EXPECT_TRUE(history[1]["first_run"].is_null());
  EXPECT_EQ(history[2]["runs"], 3);
  EXPECT_THAT(command({"script", "history", "MARI"}).out, HasSubstr("   10  2026-11-01 12:00:00  " + history[0]["sha256"].get<std::string>().substr(0, 12) + "     3      1     5  -\n"));
  EXPECT_EQ(command({"script", "history", "SANS2D"}).exit_code, 0);
  ledger.scripts.clear();
  EXPECT_EQ(command({"script", "history", "MARI"}).exit_code, 1);
}

TEST_F(ScriptCommandsTest, ListNamesTheFilesBesideAScript) {
  register_script("first\n", 10);
  auto siblings = ledger.scripts[0].get().getScript().initSiblings(2);
  siblings[0].setName("helper.py");
  siblings[1].setName("reduce_vars.py");
  EXPECT_THAT(command({"script", "list", "MARI"}).out, HasSubstr("/scripts/reduce.py  helper.py, reduce_vars.py  -\n"));
}

TEST_F(ScriptCommandsTest, DiffComparesTheFilesBesideTheScriptsToo) {
  add_reduced_run();
  auto beside = ledger.jobs[0].get().getQueued().initSiblings(2);
  beside[0].setName("helper.py");
  beside[0].setSha256(as_data(ledger.add_blob("x = 1\n")));
  beside[1].setName("same.py");
  beside[1].setSha256(as_data(ledger.add_blob("s = 1\n")));
  set_present("def main(input_file, output_dir):\n    pass\n", {{"helper.py", "x = 2\n"}, {"new.py", "n = 1\n"}, {"same.py", "s = 1\n"}});
  const Ran ran = command({"script", "diff", "MARI/28001", "MARI"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("MARI 28001 v1 helper.py sha256 "), HasSubstr("-x = 1\n+x = 2\n"), HasSubstr("MARI 28001 v1 new.py sha256 none"), HasSubstr("+n = 1\n"),
                             Not(HasSubstr("same.py"))));
  const json diff = json_of({"script", "diff", "MARI/28001", "MARI"});
  EXPECT_EQ(diff["same"], false);
  ASSERT_EQ(diff["files"].size(), 2u);
  EXPECT_EQ(diff["files"][1]["name"], "new.py");
  EXPECT_TRUE(diff["files"][1]["a_sha256"].is_null());
  EXPECT_THAT(command({"script", "diff", "MARI/28001", "MARI", "--file", "helper.py"}).out, AllOf(HasSubstr("+x = 2\n"), Not(HasSubstr("new.py"))));
  EXPECT_EQ(command({"script", "diff", "MARI/28001", "MARI", "--file", "new.py"}).exit_code, 1) << "the run has no such file";
}

TEST_F(ScriptCommandsTest, ShowNamesTheFilesThereAreWhenNoneFits) {
  set_present("pass\n", {{"helper.py", "x = 2\n"}, {"reduce_vars.py", "v = 1\n"}});
  EXPECT_EQ(command({"script", "show", "MARI", "--file", "helper.py"}).out, "x = 2\n");
  const Ran none = command({"script", "show", "MARI", "--file", "helpers.py"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.err, "runledger: MARI: no file helpers.py was kept beside the script; there is helper.py, reduce_vars.py\n");
}

}  // namespace
}  // namespace fake
