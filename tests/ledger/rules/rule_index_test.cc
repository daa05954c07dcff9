#include "ledger/rule_index.h"

#include <gmock/gmock.h>

#include <optional>
#include <random>

#include "base/experiment.h"
#include "ledger/variables.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ledger::RuleIndex;
using ledger::view;
using Group = RuleIndex::Group;
using Rule = RuleIndex::Rule;
using ::testing::ElementsAre;

/// A script's variables and settings, told one by one.
class Settings {
 public:
  struct Each {
    std::string name, value;  // empty value: as the script has it
    std::function<void(schema::Scope::Builder)> scope;
    Group group = Group::STANDARD;
  };
  Settings(std::vector<std::string> script, std::vector<Each> all) {
    auto own = own_.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(script.size()));
    for (uint32_t i = 0; i < script.size(); ++i) {
      own[i].setName(script[i]);
      own[i].setValue("\"own " + script[i] + "\"");
    }
    auto list = rules_.initRoot<schema::VariableRules>().initRules(static_cast<uint32_t>(all.size()));
    for (uint32_t i = 0; i < all.size(); ++i) {
      list[i].getVariable().setName(all[i].name);
      list[i].getVariable().setGroup(all[i].group);
      list[i].getVariable().setValue(all[i].value);
      list[i].getVariable().setFollowsScript(all[i].value.empty());
      list[i].setSeq(100 + i);
      if (all[i].scope) all[i].scope(list[i].initScope());
    }
  }
  schema::VariableSet::Reader own() { return own_.getRoot<schema::VariableSet>().asReader(); }
  RuleIndex::Settings rules() { return rules_.getRoot<schema::VariableRules>().asReader().getRules(); }
  RuleIndex index() { return {own(), rules()}; }

 private:
  capnp::MallocMessageBuilder own_, rules_;
};

auto from(uint64_t first, uint64_t last = 0) {
  return [=](schema::Scope::Builder scope) {
    scope.setFromRun(first);
    scope.setToRun(last);
  };
}
auto of(std::string experiment) {
  return [=](schema::Scope::Builder scope) { scope.setExperiment(experiment); };
}

/// The value of `name`, and the seq of the setting that chose it.
std::string chosen(const RuleIndex& index, std::string_view name, std::string_view experiment, uint64_t run_number) {
  const size_t place = index.find(Group::STANDARD, name);
  const RuleIndex::Setting* setting = index.setting(place, index.place(experiment, run_number));
  return std::string(index.value(place, setting)) + (setting == nullptr ? " own" : " " + std::to_string(setting->seq));
}

TEST(RuleIndexTest, RunsOfOneStretchAreAtOnePlace) {
  Settings settings({"a", "b"}, {{"a", "1", from(10, 19)}, {"b", "2", from(15)}, {"a", "3", of("E1")}});
  const RuleIndex index = settings.index();
  EXPECT_EQ(index.place("", 10), index.place("E9", 14));
  EXPECT_NE(index.place("", 14), index.place("", 15));
  EXPECT_NE(index.place("", 19), index.place("", 20));
  EXPECT_EQ(index.place("", 20), index.place("", 1'000'000));
  EXPECT_NE(index.place("", 20), index.place("E1", 20));
}

TEST(RuleIndexTest, WhatEndsSoonerGivesWayToWhatHeldBefore) {
  Settings settings({"a"}, {{"a", "1", from(10)}, {"a", "2", from(10, 30)}, {"a", "3", from(12, 14)}, {"a", "4", from(20, 40)}, {"a", "5", {}}});
  const RuleIndex index = settings.index();
  EXPECT_EQ(chosen(index, "a", "", 9), "5 104");
  EXPECT_EQ(chosen(index, "a", "", 11), "2 101");
  EXPECT_EQ(chosen(index, "a", "", 14), "3 102");
  EXPECT_EQ(chosen(index, "a", "", 15), "2 101");
  EXPECT_EQ(chosen(index, "a", "", 31), "4 103");
  EXPECT_EQ(chosen(index, "a", "", 41), "1 100");
}

TEST(RuleIndexTest, FollowingTheScriptWinsOverWhatIsLessParticular) {
  Settings settings({"a"}, {{"a", "1", {}}, {"a", "", from(10, 19)}, {"a", "", of("E1")}});
  const RuleIndex index = settings.index();
  EXPECT_EQ(chosen(index, "a", "", 9), "1 100");
  EXPECT_EQ(chosen(index, "a", "", 10), "\"own a\" 101");
  EXPECT_EQ(chosen(index, "a", "E1", 20), "\"own a\" 102");
}

TEST(RuleIndexTest, NoExperimentIsNoneThatSomethingIsSetFor) {
  Settings settings({"a"}, {{"a", "1", of("0")}, {"a", "2", of("-1")}, {"a", "3", of("RB1")}});
  const RuleIndex index = settings.index();
  for (const char* none : {"", "0", "-1", "RB2"}) EXPECT_EQ(chosen(index, "a", none, 1), "\"own a\" own") << none;
}

TEST(RuleIndexTest, NamesAreKeptApartByGroup) {
  Settings settings({"a"}, {{"a", "1", {}, Group::ADVANCED}});
  const RuleIndex index = settings.index();
  EXPECT_EQ(chosen(index, "a", "", 1), "\"own a\" own");
  const size_t advanced = index.find(Group::ADVANCED, "a");
  ASSERT_LT(advanced, index.names().size());
  EXPECT_FALSE(index.names()[advanced].in_script);
  EXPECT_EQ(index.find(Group::ADVANCED, "b"), index.names().size());
}

TEST(RuleIndexTest, AResetOfWhatTheScriptNoLongerHasIsNotCalledUnknown) {
  // Nobody asks for a value with it.
  Settings settings({"a"}, {{"gone", "", {}}, {"missed", "1", {}}});
  EXPECT_THAT(ledger::resolve(settings.index(), "", 1).unknown, ElementsAre("missed"));
}

/// The ranking written down as docs/reducing.md says it, one setting after the other.
std::optional<schema::VariableRule::Reader> naive(RuleIndex::Settings settings, std::string_view name, std::string_view experiment, uint64_t run) {
  std::optional<schema::VariableRule::Reader> best_default, best_from, best_experiment;
  const auto last = [](auto rule) { return rule.getScope().getToRun() == 0 ? UINT64_MAX : rule.getScope().getToRun(); };
  for (auto rule : settings) {
    if (view(rule.getVariable().getName()) != name) continue;
    const auto scope = rule.getScope();
    if (scope.isDefault()) best_default = rule;
    if (scope.isExperiment() && base::names_experiment(experiment) && view(scope.getExperiment()) == experiment) best_experiment = rule;
    if (!scope.isFromRun() || scope.getFromRun() > run || last(rule) < run) continue;
    const bool sooner = best_from && best_from->getScope().getFromRun() == scope.getFromRun() && last(rule) < last(*best_from);
    if (!best_from || best_from->getScope().getFromRun() < scope.getFromRun() || sooner) best_from = rule;
  }
  return best_experiment ? best_experiment : best_from ? best_from : best_default;
}

TEST(RuleIndexTest, ItChoosesAsLookingAtEverySettingDoes) {
  for (unsigned seed = 1; seed <= 15; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint64_t end) { return random() % end; };
    const std::vector<std::string> names{"a", "b", "c", "not of the script"};
    const std::vector<std::string> experiments{"", "0", "E1", "E2", "E3"};
    std::map<std::string, Settings::Each> each;  // one a name and scope, as the view keeps them
    for (uint64_t i = below(25); i > 0; --i) {
      const std::string name = names[below(names.size())], value = below(5) == 0 ? "" : std::to_string(i);
      const uint64_t first = 1 + below(12), last = below(3) == 0 ? 0 : first + below(8);
      const std::string experiment = experiments[1 + below(experiments.size() - 1)];
      switch (below(5)) {
        case 0: each[name] = {name, value, {}}; break;
        case 1: each[name + experiment] = {name, value, of(experiment)}; break;
        default: each[name + std::to_string(first) + "-" + std::to_string(last)] = {name, value, from(first, last)}; break;
      }
    }
    std::vector<Settings::Each> all;
    for (const auto& [key, setting] : each) all.push_back(setting);
    std::shuffle(all.begin(), all.end(), random);
    Settings settings({"b", "a", "c"}, all);
    const RuleIndex index = settings.index();
    for (uint64_t run = 0; run < 25; ++run) {
      for (const std::string& experiment : experiments) {
        const auto place = index.place(experiment, run);
        const RuleIndex::OneRun only{experiment, run};
        const RuleIndex its(settings.own(), settings.rules(), &only);
        for (size_t name = 0; name < index.names().size(); ++name) {
          const auto expected = naive(settings.rules(), index.names()[name].name, experiment, run);
          const RuleIndex::Setting* found = index.setting(name, place);
          ASSERT_EQ(found == nullptr ? 0 : found->seq, expected ? expected->getSeq() : 0)
              << "seed " << seed << ": " << index.names()[name].name << " of run " << run << ", experiment '" << experiment << "'";
          const bool own = !expected || expected->getVariable().getFollowsScript();
          const size_t there = its.find(index.names()[name].group, index.names()[name].name);
          const RuleIndex::Setting* alone = there == its.names().size() ? nullptr : its.setting(there, its.place(experiment, run));
          ASSERT_EQ(alone == nullptr ? 0 : alone->seq, found == nullptr ? 0 : found->seq) << "made for the run alone, seed " << seed;
          ASSERT_EQ(index.value(name, found), own ? index.names()[name].own : view(expected->getVariable().getValue()));
        }
      }
    }
  }
}

}  // namespace
}  // namespace rules_test
