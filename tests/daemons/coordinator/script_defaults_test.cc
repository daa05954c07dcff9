#include "daemons/coordinator/script_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/program.h"
#include "ledger/canonical.h"
#include "schema/document.capnp.h"
#include "tests/support/temporary_folder.h"

namespace {

/// With the real script runner in real processes.
class ScriptDefaultsReaderTest : public testing::Test {
 protected:
  daemons::ScriptDefaults read(const std::string& text, const std::string& interpreter = "/usr/bin/python3", bool again = false) {
    return read(schema::Contract::ISIS, {{"reduce.py", "", base::sha256("")}, {{"reduce_vars.py", text, base::sha256(text)}}, "", {}}, interpreter, again);
  }
  daemons::ScriptDefaults read(schema::Contract contract, scripts::CapturedScript captured, const std::string& interpreter = "/usr/bin/python3", bool again = false) {
    std::filesystem::path path = folder / "scripts" / captured.script.name;
    return loop.wait(reader.read(interpreter, contract, path, std::make_shared<const scripts::CapturedScript>(std::move(captured)), again));
  }
  static scripts::CapturedFile file(const std::string& name, const std::string& text) { return {name, text, base::sha256(text)}; }
  /// "mon = 1, mask = "
  static std::string values(const daemons::ScriptDefaults& defaults) {
    EXPECT_EQ(defaults.problem, "");
    if (defaults.document.empty()) return "";
    std::string text;
    ledger::Row<schema::VariableSet> set(defaults.document);
    for (auto variable : set.get().getVariables()) text += (text.empty() ? "" : ", ") + std::string(variable.getName().cStr()) + " = " + variable.getValue().cStr();
    return text;
  }
  support::TemporaryFolder folder;
  rpc::Loop loop;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(loop);
  daemons::ScriptDefaultsReader reader{loop, *launcher, base::shared_file("run_script.py"), folder / "scratch"};
};

TEST_F(ScriptDefaultsReaderTest, VariablesAreReadAndNoFileIsLeft) {
  std::string large(5u << 20, 'x');
  auto defaults = read("standard_vars = {'mon': 1, 'large': 'x' * " + std::to_string(large.size()) + "}\n");
  ASSERT_EQ(defaults.problem, "");
  ledger::Row<schema::VariableSet> set(defaults.document);
  ASSERT_EQ(set.get().getVariables().size(), 2u);
  EXPECT_EQ(std::string(set.get().getVariables()[0].getValue().cStr()), '"' + large + '"');
  EXPECT_TRUE(std::filesystem::is_empty(folder / "scratch"));
}

TEST_F(ScriptDefaultsReaderTest, TroubleNamesFileAndLineAndIsKeptUntilAskedAgain) {
  auto defaults = read("import beside\nstandard_vars = {'mon': beside.mon}\n");
  EXPECT_THAT(defaults.problem, testing::HasSubstr("reduce_vars.py, line 1: ModuleNotFoundError"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "scratch"));
  std::filesystem::create_directory(folder / "scripts");
  folder.write("scripts/beside.py", "mon = 3\n");
  EXPECT_NE(read("import beside\nstandard_vars = {'mon': beside.mon}\n").problem, "");
  EXPECT_EQ(read("import beside\nstandard_vars = {'mon': beside.mon}\n", "/usr/bin/python3", true).problem, "");
  EXPECT_EQ(read("import beside\nstandard_vars = {'mon': beside.mon}\n").problem, "");
}

TEST_F(ScriptDefaultsReaderTest, ProblemIsReadOnceForTheSameBytes) {
  // Symptom: a reduce_vars.py that did not come to an end kept every single run waiting for 30 s.
  std::string text = "with open('" + (folder / "readings").string() + "', 'a') as file: file.write('x')\nraise ValueError('no')\n";
  EXPECT_THAT(read(text).problem, testing::HasSubstr("ValueError"));
  EXPECT_THAT(read(text).problem, testing::HasSubstr("ValueError"));
  EXPECT_EQ(std::filesystem::file_size(folder / "readings"), 1u);
}

TEST_F(ScriptDefaultsReaderTest, InterpreterThatCouldNotBeStartedIsTriedAgain) {
  std::filesystem::path python = folder / "python";
  EXPECT_NE(read("", python.string()).problem, "");
  std::filesystem::create_symlink("/usr/bin/python3", python);
  EXPECT_EQ(read("", python.string()).problem, "");
}

TEST_F(ScriptDefaultsReaderTest, InterpreterThatIsNotThereIsNamed) {
  EXPECT_THAT(read("", "/no/such/python").problem, testing::HasSubstr("/no/such/python: could not be started"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "scratch"));
}

TEST_F(ScriptDefaultsReaderTest, CapturedNeighboursAreThoseTheVariablesAreReadWith) {
  std::filesystem::create_directory(folder / "scripts");
  folder.write("scripts/beside.py", "mon = 'changed since'\n");
  EXPECT_EQ(values(read(schema::Contract::ISIS, {file("reduce.py", ""), {file("beside.py", "mon = 2\n"), file("reduce_vars.py", "import beside\nstandard_vars = {'mon': beside.mon}\n")}, "", {}})),
            "mon = 2");
}

TEST_F(ScriptDefaultsReaderTest, TemplateHasItsPlacesAsVariables) {
  EXPECT_EQ(values(read(schema::Contract::SNS, {file("reduce_ARCS.py.template", "mask = ${mask}\ngrid = ${grid}\n"), {file("reduce_ARCS_default.py", "mask = 'm.xml'\n")}, "", {}})),
            "grid = , mask = \"'m.xml'\"");
}

TEST_F(ScriptDefaultsReaderTest, AssignmentsOfAFiaScriptAreItsVariables) {
  EXPECT_EQ(values(read(schema::Contract::FIA, {file("reduce.py", "import mantid\nei = 29.5\n"), {}, "", {}})), "ei = 29.5");
}

TEST_F(ScriptDefaultsReaderTest, ScriptWithoutVariablesNeedsNoInterpreter) {
  EXPECT_EQ(values(read(schema::Contract::SNS, {file("reduce_ARCS.py", ""), {}, "", {}}, "/no/such/python")), "");
  EXPECT_EQ(values(read(schema::Contract::ISIS, {file("reduce.py", ""), {file("helper.py", "")}, "", {}}, "/no/such/python")), "");
}

TEST(ScriptDefaultsTest, TypesAreKeptApartAndSorted) {
  auto defaults = daemons::parse_defaults(R"({"variables": [
    {"group": "advanced", "name": "mask", "value": null, "help": ""},
    {"group": "standard", "name": "ei", "value": "auto", "help": "energy"},
    {"group": "standard", "name": "bins", "value": [-1, 0.5, 2], "help": ""}], "problem": null})");
  ASSERT_EQ(defaults.problem, "");
  ledger::Row<schema::VariableSet> set(defaults.document);
  auto variables = set.get().getVariables();
  ASSERT_EQ(variables.size(), 3u);
  EXPECT_STREQ(variables[0].getName().cStr(), "bins");
  EXPECT_STREQ(variables[0].getValue().cStr(), "[-1,0.5,2]");
  EXPECT_STREQ(variables[1].getValue().cStr(), "\"auto\"");
  EXPECT_STREQ(variables[1].getHelp().cStr(), "energy");
  EXPECT_STREQ(variables[2].getValue().cStr(), "null");
  EXPECT_EQ(variables[2].getGroup(), schema::Variable::Group::ADVANCED);
}

TEST(ScriptDefaultsTest, PlaceWithoutADefaultHasNoValue) {
  auto defaults = daemons::parse_defaults(R"({"variables": [{"group": "standard", "name": "mask", "help": ""}], "none": false, "problem": null})");
  ledger::Row<schema::VariableSet> set(defaults.document);
  EXPECT_STREQ(set.get().getVariables()[0].getValue().cStr(), "");
}

TEST(ScriptDefaultsTest, ScriptThatHasNoneHasNoDocument) {
  auto defaults = daemons::parse_defaults(R"({"variables": [], "none": true, "problem": null})");
  EXPECT_EQ(defaults.document, "");
  EXPECT_EQ(defaults.problem, "");
}

TEST(ScriptDefaultsTest, ProblemOfTheScriptIsPassedOn) {
  auto defaults = daemons::parse_defaults(R"({"variables": [], "problem": "reduce_vars.py line 3: SyntaxError"})");
  EXPECT_EQ(defaults.document, "");
  EXPECT_EQ(defaults.problem, "reduce_vars.py line 3: SyntaxError");
}

TEST(ScriptDefaultsTest, AnswerThatIsNoListIsAProblemNotACrash) {
  for (const char* answer : {"", "[]", "{\"variables\": 3}", "{\"variables\": [3]}", "{\"variables\": [{\"name\": 5}]}", "\xff\xfe"}) {
    EXPECT_NE(daemons::parse_defaults(answer).problem, "") << answer;
  }
}

}  // namespace
