#include "daemons/coordinator/script_defaults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/canonical.h"
#include "schema/document.capnp.h"

namespace {

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
