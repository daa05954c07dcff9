#include <gmock/gmock.h>

#include "ledger/variables.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::IsEmpty;

class DecideVariablesTest : public ::testing::Test {
 protected:
  DecideVariablesTest() {
    story.configure();
    story.register_script(
        kScript, {{"mon", "2"}, {"energy", "1.5"}, {"mask", "\"m.xml\""}, {"bank", "[1, 2]"}, {"f", R"({"python": "lambda: 0"})"}});
  }
  Story story;
};

TEST_F(DecideVariablesTest, NothingIsSetWhileTheScriptsVariablesAreNotKnown) {
  // Symptom: with a broken reduce_vars.py any name was taken, and dropped when a run came.
  Told registered = story.tell([](schema::Command::Builder command) {
    command.initBlobs(1).set(0, ledger::data(kScript));
    auto script = command.getBody().initRegisterScript();
    script.setInstrument("MARI");
    script.setContract(schema::Contract::ISIS);
    script.setPath("/scripts/MARI/reduce.py");
    script.setSha256(ledger::data(hash_of(kScript)));
    script.setProblem("reduce_vars.py, line 3: SyntaxError");
  });
  ASSERT_TRUE(registered.ok());
  EXPECT_TRUE(refused(story.set({{"mon", "3"}}), Code::kConflict,
                      "the variables of MARI's script are not known: reduce_vars.py, line 3: SyntaxError; mend that"));
}

TEST_F(DecideVariablesTest, ScriptWithoutVariablesTakesNone) {
  Told registered = story.tell([](schema::Command::Builder command) {
    command.initBlobs(1).set(0, ledger::data(kScript));
    auto script = command.getBody().initRegisterScript();
    script.setInstrument("MARI");
    script.setContract(schema::Contract::ISIS);
    script.setPath("/scripts/MARI/reduce.py");
    script.setSha256(ledger::data(hash_of(kScript)));
  });
  ASSERT_TRUE(registered.ok());
  EXPECT_TRUE(refused(story.set({{"mon", "3"}}), Code::kInvalidArgument, "no reduce_vars.py beside it"));
}

TEST_F(DecideVariablesTest, SettingIsKeptWithWhoAndWhen) {
  Told told = story.as_person("alice").set({{"mon", "3"}}, [](schema::Scope::Builder scope) { scope.setFromRun(28000); });
  auto rules = ledger::variable_rules(story.rows(), "MARI");
  ASSERT_TRUE(rules);
  auto rule = rules->get().getRules()[0];
  EXPECT_EQ(rule.getVariable().getValue(), "3");
  EXPECT_EQ(rule.getSetBy(), "alice");
  EXPECT_EQ(rule.getSeq(), told.first());
  EXPECT_EQ(rule.getScope().getFromRun(), 28000u);
}

TEST_F(DecideVariablesTest, SameValueAgainIsNothingNew) {
  story.set({{"mon", "3"}});
  EXPECT_THAT(story.set({{"mon", "3"}}).events, IsEmpty());
  EXPECT_EQ(story.set({{"mon", "4"}}).events.size(), 1u);
  EXPECT_EQ(ledger::variable_rules(story.rows(), "MARI")->get().getRules().size(), 1u);
}

TEST_F(DecideVariablesTest, UnknownNameListsTheKnownOnes) {
  EXPECT_TRUE(refused(story.set({{"mn", "3"}}), Code::kInvalidArgument,
                      "the script of MARI has no variable mn; it has mon, energy, mask, bank, f"));
}

TEST_F(DecideVariablesTest, TypeMustFitTheScripts) {
  EXPECT_TRUE(
      refused(story.set({{"mon", "\"3\""}}), Code::kInvalidArgument, "\"3\" is a text, but the script's own 2 is a whole number"));
  EXPECT_TRUE(refused(story.set({{"mon", "2.5"}}), Code::kInvalidArgument, "a whole number"));
  EXPECT_TRUE(refused(story.set({{"mask", "true"}}), Code::kInvalidArgument, "a text"));
  EXPECT_TRUE(story.set({{"energy", "2"}}).ok());
  EXPECT_TRUE(story.set({{"mon", "null"}}).ok());
  EXPECT_TRUE(story.set({{"bank", "[\"a\"]"}}).ok());
  EXPECT_TRUE(story.set({{"f", "17"}}).ok());
}

TEST_F(DecideVariablesTest, ValuesAreJsonOfBearableSize) {
  EXPECT_TRUE(refused(story.set({{"mask", "m.xml"}}), Code::kInvalidArgument, "texts go in double quotes"));
  EXPECT_TRUE(refused(story.set({{"bank", std::string(40, '[') + std::string(40, ']')}}), Code::kInvalidArgument, "nested deeper"));
  EXPECT_TRUE(refused(story.set({{"mask", '"' + std::string(33 << 10, 'x') + '"'}}), Code::kInvalidArgument, "at most 32768"));
  EXPECT_TRUE(story.set({{"mask", '"' + std::string(31 << 10, 'x') + '"'}}).ok());
  EXPECT_TRUE(refused(story.set({{"mon", "1"}, {"mon", "2"}}), Code::kInvalidArgument, "given twice"));
  EXPECT_TRUE(refused(story.set({{std::string(201, 'x'), "2"}}), Code::kInvalidArgument, "1 to 200 bytes"));
  EXPECT_TRUE(refused(story.set({}), Code::kInvalidArgument, "NAME=VALUE"));
}

TEST_F(DecideVariablesTest, ScopeMustMakeSense) {
  auto backwards = [](schema::Scope::Builder scope) {
    scope.setFromRun(10);
    scope.setToRun(9);
  };
  EXPECT_TRUE(refused(story.set({{"mon", "3"}}, backwards), Code::kInvalidArgument, "smaller number first"));
  EXPECT_TRUE(
      refused(story.set({{"mon", "3"}}, [](auto scope) { scope.setExperiment(""); }), Code::kInvalidArgument, "experiment"));
  EXPECT_TRUE(
      refused(story.set({{"mon", "3"}}, [](auto scope) { scope.setExperiment("-1"); }), Code::kInvalidArgument, "-1 names no experiment"));
  EXPECT_TRUE(refused(story.set({{"mon", "3"}}, [](auto scope) { scope.setToRun(3); }), Code::kInvalidArgument, "--from-run"));
}

TEST_F(DecideVariablesTest, ScriptOfAnyContractTakesWhatItHas) {
  story.configure("HB2C", schema::Contract::SNS);
  EXPECT_TRUE(story.set({{"anything", "3"}}, {}, "HB2C").ok()) << "no script was seen yet";
  story.register_script("reduce_HB2C.py.template", {{"grouping", ""}, {"mon", "2"}}, "HB2C");
  EXPECT_TRUE(story.set({{"grouping", "\"4x4\""}}, {}, "HB2C").ok()) << "a place without a value takes any";
  EXPECT_TRUE(story.set({{"grouping", "[1, 2]"}}, {}, "HB2C").ok());
  EXPECT_TRUE(refused(story.set({{"mon", "\"two\""}}, {}, "HB2C"), Code::kInvalidArgument, "is a text"));
  EXPECT_TRUE(refused(story.set({{"mask", "3"}}, {}, "HB2C"), Code::kInvalidArgument, "has no variable mask; it has grouping, mon"));
}

TEST_F(DecideVariablesTest, ScriptWithoutVariablesSaysWhatItsContractNeeds) {
  const auto plain_script = [&](const char* instrument, schema::Contract contract) {
    story.configure(instrument, contract);
    story.tell([&](schema::Command::Builder command) {
      command.initBlobs(1).set(0, ledger::data(kScript));
      auto registered = command.getBody().initRegisterScript();
      registered.setInstrument(instrument);
      registered.setContract(contract);
      registered.setPath("/scripts/reduce.py");
      std::string hash = hash_of(kScript);
      registered.setSha256(ledger::data(hash));
    });
    return story.set({{"mon", "3"}}, {}, instrument);
  };
  EXPECT_TRUE(refused(plain_script("HB2C", schema::Contract::SNS), Code::kInvalidArgument, "it is no template"));
  EXPECT_TRUE(refused(plain_script("TOSCA", schema::Contract::FIA), Code::kInvalidArgument, "it assigns none at its top level"));
  EXPECT_TRUE(refused(plain_script("LOQ", schema::Contract::ISIS), Code::kInvalidArgument, "no reduce_vars.py beside it"));
}

TEST_F(DecideVariablesTest, SettingMayFollowTheScript) {
  auto follow = [&](std::string name, std::string value) {
    return story.tell([&](schema::Command::Builder command) {
      auto change = command.getBody().initSetVariables();
      change.setInstrument("MARI");
      auto variable = change.initVariables(1)[0];
      variable.setName(name);
      variable.setValue(value);
      variable.setFollowsScript(true);
    });
  };
  EXPECT_TRUE(story.set({{"mon", "3"}}).ok());
  EXPECT_TRUE(follow("mon", "").ok());
  EXPECT_TRUE(follow("mon", "").events.empty());
  EXPECT_TRUE(refused(follow("mon", "3"), Code::kInvalidArgument, "so it takes no value"));
  EXPECT_TRUE(refused(follow("none", ""), Code::kInvalidArgument, "has no variable none"));
  EXPECT_TRUE(story.set({{"mon", "3"}}).first()) << "and a value again is a change";
  story.detect(28001);
  EXPECT_TRUE(refused(story.request(28001, [](auto request) {
    auto variable = request.initVariables(1)[0];
    variable.setName("mon");
    variable.setFollowsScript(true);
  }), Code::kInvalidArgument, "only a setting does"));
}

TEST_F(DecideVariablesTest, GroupIsTheScriptsOwn) {
  story.tell([](schema::Command::Builder command) {
    capnp::MallocMessageBuilder message;
    auto variable = message.initRoot<schema::VariableSet>().initVariables(1)[0];
    variable.setGroup(schema::Variable::Group::ADVANCED);
    variable.setName("deep");
    variable.setValue("1");
    std::string document = ledger::canonical_bytes(message.getRoot<schema::VariableSet>().asReader());
    auto blobs = command.initBlobs(2);
    blobs.set(0, ledger::data("two"));
    blobs.set(1, ledger::data(document));
    auto script = command.getBody().initRegisterScript();
    script.setInstrument("MARI");
    script.setContract(schema::Contract::ISIS);
    script.setPath("/scripts/reduce.py");
    script.setSha256(ledger::data(hash_of("two")));
    script.setDefaults(ledger::data(hash_of(document)));
  });
  ASSERT_TRUE(story.set({{"deep", "5"}}).ok());
  EXPECT_EQ(ledger::variable_rules(story.rows(), "MARI")->get().getRules()[0].getVariable().getGroup(),
            schema::Variable::Group::ADVANCED);
}

TEST_F(DecideVariablesTest, ClearingTakesThatScopeOnly) {
  auto experiment = [](schema::Scope::Builder scope) { scope.setExperiment("2010001"); };
  story.set({{"mon", "3"}, {"energy", "9.5"}});
  story.set({{"mon", "4"}}, experiment);
  EXPECT_TRUE(story.clear({"mon"}, experiment).ok());
  EXPECT_EQ(ledger::variable_rules(story.rows(), "MARI")->get().getRules().size(), 2u);
  EXPECT_TRUE(refused(story.clear({"mon"}, experiment), Code::kNotFound, "nothing is set for MARI for experiment 2010001"));
  EXPECT_TRUE(refused(story.clear({"bank"}), Code::kNotFound, "variable bank is not set for MARI by default"));
  EXPECT_TRUE(story.clear({}).ok());
  EXPECT_FALSE(ledger::variable_rules(story.rows(), "MARI"));
}

}  // namespace
}  // namespace rules_test
