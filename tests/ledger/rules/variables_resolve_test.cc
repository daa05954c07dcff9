#include <gmock/gmock.h>

#include "ledger/variables.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Rule = schema::ResolvedVariable::Rule;

class VariablesResolveTest : public ::testing::Test {
 protected:
  VariablesResolveTest() : defaults(story.store_variables({{"mon", "2"}, {"mask", "\"m.xml\""}})) { story.configure(); }

  ledger::ResolvedVariables resolve(uint64_t run, std::string_view experiment = "2010001") {
    auto rules = ledger::variable_rules(story.rows(), "MARI");
    return ledger::resolve(ledger::Row<schema::VariableSet>(defaults).get(),
                           rules ? rules->get().getRules() : capnp::List<schema::VariableRule>::Reader(), experiment, run, 7);
  }
  /// "VALUE rule by WHO" of `name`.
  static std::string chosen(const ledger::ResolvedVariables& resolved, std::string_view name) {
    static const char* const kRules[] = {"script", "default", "from-run", "experiment", "given"};
    ledger::Row<schema::VariableSet> set(resolved.document);
    for (auto variable : set.get().getVariables()) {
      if (ledger::view(variable.getName()) != name) continue;
      return std::string(ledger::view(variable.getValue())) + " " + kRules[static_cast<size_t>(variable.getRule())] + " by " +
             std::string(ledger::view(variable.getSetBy()));
    }
    return "not there";
  }
  static auto from(uint64_t first, uint64_t last = 0) {
    return [=](schema::Scope::Builder scope) {
      scope.setFromRun(first);
      scope.setToRun(last);
    };
  }
  Story story;
  std::string defaults;
};

TEST_F(VariablesResolveTest, MostParticularSettingWins) {
  EXPECT_EQ(chosen(resolve(28001), "mon"), "2 script by ");
  story.as_person("alice").set({{"mon", "3"}});
  EXPECT_EQ(chosen(resolve(28001), "mon"), "3 default by alice");
  story.as_person("bob").set({{"mon", "4"}}, from(28000));
  EXPECT_EQ(chosen(resolve(28001), "mon"), "4 from-run by bob");
  EXPECT_EQ(chosen(resolve(27999), "mon"), "3 default by alice");
  story.as_person("carol").set({{"mon", "5"}}, [](auto scope) { scope.setExperiment("2010001"); });
  EXPECT_EQ(chosen(resolve(28001), "mon"), "5 experiment by carol");
  EXPECT_EQ(chosen(resolve(28001, "2010002"), "mon"), "4 from-run by bob");
  EXPECT_EQ(chosen(resolve(28001, ""), "mon"), "4 from-run by bob");
}

TEST_F(VariablesResolveTest, SettingThatFollowsTheScriptGivesItsOwnValue) {
  story.as_person("alice").set({{"mon", "3"}});
  story.as_person("bob").tell([](schema::Command::Builder command) {
    auto change = command.getBody().initSetVariables();
    change.setInstrument("MARI");
    change.initScope().setFromRun(28000);
    change.initVariables(1)[0].setName("mon");
    change.getVariables()[0].setFollowsScript(true);
  });
  EXPECT_EQ(chosen(resolve(27999), "mon"), "3 default by alice");
  EXPECT_EQ(chosen(resolve(28001), "mon"), "2 from-run by bob");
  defaults = story.store_variables({{"mon", "7"}, {"mask", "\"m.xml\""}});
  EXPECT_EQ(chosen(resolve(28001), "mon"), "7 from-run by bob") << "whatever it is at the time";
}

TEST_F(VariablesResolveTest, LargestFromRunAtOrBelowTheRunWinsWhateverWasSetLast) {
  story.set({{"mon", "10"}}, from(28010));
  story.set({{"mon", "20"}}, from(28020, 28029));
  story.set({{"mon", "0"}}, from(28000));
  EXPECT_EQ(chosen(resolve(28009), "mon"), "0 from-run by coordinatord");
  EXPECT_EQ(chosen(resolve(28010), "mon"), "10 from-run by coordinatord");
  EXPECT_EQ(chosen(resolve(28020), "mon"), "20 from-run by coordinatord");
  EXPECT_EQ(chosen(resolve(28029), "mon"), "20 from-run by coordinatord");
  EXPECT_EQ(chosen(resolve(28030), "mon"), "10 from-run by coordinatord");
}

TEST_F(VariablesResolveTest, OfTwoFromTheSameRunTheOneThatEndsSoonerWins) {
  story.set({{"mon", "8"}}, from(28000, 28010));
  story.set({{"mon", "9"}}, from(28000));
  EXPECT_EQ(chosen(resolve(28005), "mon"), "8 from-run by coordinatord");
  EXPECT_EQ(chosen(resolve(28011), "mon"), "9 from-run by coordinatord");
}

TEST_F(VariablesResolveTest, SettingTheScriptNoLongerHasIsReported) {
  story.set({{"gone", "1"}, {"mon", "3"}});
  auto resolved = resolve(1);
  EXPECT_THAT(resolved.unknown, ElementsAre("gone"));
  EXPECT_EQ(chosen(resolved, "gone"), "not there");
  EXPECT_EQ(chosen(resolved, "mon"), "3 default by coordinatord");
}

TEST_F(VariablesResolveTest, DocumentIsTheSameWhateverOrderTheDefaultsHave) {
  std::string first = resolve(1).document;
  defaults = story.store_variables({{"mask", "\"m.xml\""}, {"mon", "2"}});
  EXPECT_EQ(resolve(1).document, first);
  ledger::Row<schema::VariableSet> set(first);
  EXPECT_EQ(set.get().getVariables()[0].getName(), "mask");
  EXPECT_EQ(set.get().getVariables()[0].getSetSeq(), 7u);
}

TEST_F(VariablesResolveTest, GivenValuesWinOverEverything) {
  story.set({{"mon", "5"}}, [](auto scope) { scope.setExperiment("2010001"); });
  capnp::MallocMessageBuilder message;
  auto request = message.initRoot<schema::ReductionRequested>();
  auto given = request.initVariables(2);
  given[0].setName("mon");
  given[0].setValue("6");
  given[0].setGroup(schema::Variable::Group::ADVANCED);
  given[1].setName("other");
  given[1].setValue("1");
  std::string resolved = resolve(1).document;
  auto with =
      ledger::with_given(ledger::Row<schema::VariableSet>(resolved).get(), request.asReader().getVariables(), "dave", 17, 99);
  EXPECT_EQ(chosen(with, "mon"), "6 given by dave");
  EXPECT_EQ(chosen(with, "mask"), "\"m.xml\" script by ");
  EXPECT_THAT(with.unknown, ElementsAre("other"));
}

TEST_F(VariablesResolveTest, EarlierVersionKeepsItsValuesAndTheirHistory) {
  story.as_person("alice").set({{"mon", "5"}, {"mask", "\"b.xml\""}});
  std::string previous = resolve(1).document;
  story.clear({});
  defaults = story.store_variables({{"mon", "2"}, {"fresh", "1"}});
  std::string now = resolve(1).document;
  auto with = ledger::with_previous(ledger::Row<schema::VariableSet>(now).get(), ledger::Row<schema::VariableSet>(previous).get());
  EXPECT_EQ(chosen(with, "mon"), "5 default by alice");
  EXPECT_EQ(chosen(with, "fresh"), "1 script by ");
  EXPECT_THAT(with.unknown, ElementsAre("mask"));
}

TEST_F(VariablesResolveTest, DefaultTheScriptNoLongerHasIsNotCalledUnknown) {
  // It was never set by anybody, so nobody misses it.
  std::string previous = resolve(1).document;
  defaults = story.store_variables({{"fresh", "1"}});
  std::string now = resolve(1).document;
  auto with = ledger::with_previous(ledger::Row<schema::VariableSet>(now).get(), ledger::Row<schema::VariableSet>(previous).get());
  EXPECT_TRUE(with.unknown.empty());
}

}  // namespace
}  // namespace rules_test
