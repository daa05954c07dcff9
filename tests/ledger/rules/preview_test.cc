#include "ledger/preview.h"

#include <gmock/gmock.h>

#include <functional>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PreviewTest : public ::testing::Test {
 protected:
  PreviewTest() {
    story.configure();
    story.register_script("a script", {{"mon", "1"}, {"mask", "\"m.xml\""}});
    for (uint64_t run = 1; run <= 4; ++run) story.detect(run, "raw", {}, run == 3 ? "E3" : "2010001");
    story.refuse_file(5, "/archive/MARI5.raw");
  }
  using ScopeIs = std::function<void(schema::Scope::Builder)>;
  ledger::VariablesPreview preview(const Story::Values& values, const ScopeIs& scope = {}, size_t keep = 1000) {
    capnp::MallocMessageBuilder message;
    auto change = message.initRoot<schema::VariablesSet>();
    change.setInstrument("MARI");
    if (scope) scope(change.initScope());
    auto list = change.initVariables(static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < values.size(); ++i) {
      list[i].setName(values[i].first);
      list[i].setValue(values[i].second);
      list[i].setFollowsScript(values[i].second.empty());
    }
    return ledger::preview(story.rows(), change.asReader(), keep, keep_going);
  }
  static ScopeIs from(uint64_t first, uint64_t last = 0) {
    return [=](schema::Scope::Builder scope) {
      scope.setFromRun(first);
      scope.setToRun(last);
    };
  }
  static ScopeIs experiment(const char* name) {
    return [=](schema::Scope::Builder scope) { scope.setExperiment(name); };
  }
  static std::vector<std::string> changes(const ledger::VariablesPreview& effect) {
    std::vector<std::string> texts;
    for (const auto& each : effect.changes) texts.push_back(std::to_string(each.run_number) + " " + each.name + " " + each.before + ">" + each.after);
    return texts;
  }
  Story story;
  ledger::KeepGoing keep_going;
};

TEST_F(PreviewTest, RunsInTheScopeWouldGetOtherValues) {
  const auto effect = preview({{"mon", "2"}}, from(2, 3));
  EXPECT_THAT(changes(effect), ElementsAre("2 mon 1>2", "3 mon 1>2"));
  EXPECT_EQ(effect.considered, 2u);
  EXPECT_EQ(effect.change_count, 2u);
  EXPECT_THAT(effect.coming, ElementsAre("mon = 2: for no coming run, as the last one was 4"));
  EXPECT_THAT(effect.problems, IsEmpty());
}

TEST_F(PreviewTest, MoreParticularSettingsKeepTheirRuns) {
  story.set({{"mon", "7"}}, from(4));
  story.set({{"mon", "8"}}, experiment("E3"));
  const auto effect = preview({{"mon", "2"}});
  EXPECT_THAT(changes(effect), ElementsAre("1 mon 1>2", "2 mon 1>2"));
  EXPECT_EQ(effect.considered, 4u);
  EXPECT_THAT(effect.coming, ElementsAre("mon = 2: for every coming run; but from run 4 7 is set, for experiment E3 8 is set"));
}

TEST_F(PreviewTest, WhatItSaysOfPastRunsIsWhatSettingDoes) {
  story.set({{"mon", "7"}}, from(2, 3));
  const auto effect = preview({{"mon", "9"}, {"mask", "\"n.xml\""}}, from(3));
  EXPECT_THAT(changes(effect), ElementsAre("3 mask \"m.xml\">\"n.xml\"", "3 mon 7>9", "4 mask \"m.xml\">\"n.xml\"", "4 mon 1>9"));
}

TEST_F(PreviewTest, ExperimentIsOfItsRunsAlone) {
  const auto effect = preview({{"mon", "2"}}, experiment("E3"));
  EXPECT_THAT(changes(effect), ElementsAre("3 mon 1>2"));
  EXPECT_EQ(effect.considered, 1u);
  EXPECT_THAT(effect.coming, ElementsAre("mon = 2: for every coming run of experiment E3"));
}

TEST_F(PreviewTest, ComingRunsHaveARange) {
  EXPECT_THAT(preview({{"mon", "2"}}, from(3, 9)).coming, ElementsAre("mon = 2: for coming runs from 5 to 9"));
  EXPECT_THAT(preview({{"mon", "2"}}, from(8)).coming, ElementsAre("mon = 2: for coming runs from 8"));
  EXPECT_THAT(preview({{"mon", "2"}}, from(3)).coming, ElementsAre("mon = 2: for every coming run"));
}

TEST_F(PreviewTest, ItIsRefusedForWhatSettingIsRefusedFor) {
  const auto unknown = preview({{"monn", "2"}});
  ASSERT_EQ(unknown.problems.size(), 1u);
  EXPECT_EQ(unknown.problems[0], story.set({{"monn", "2"}}).status.message());
  EXPECT_EQ(unknown.change_count, 0u);
  EXPECT_THAT(preview({}).problems, ElementsAre(HasSubstr("no variable is given")));
}

TEST_F(PreviewTest, WhatIsSetAlreadyChangesNothing) {
  story.set({{"mon", "2"}});
  const auto effect = preview({{"mon", "2"}});
  EXPECT_THAT(effect.coming, ElementsAre(HasSubstr("nothing would change")));
  EXPECT_THAT(changes(effect), IsEmpty());
}

TEST_F(PreviewTest, WhatFollowsTheScriptGetsTheScriptsValue) {
  story.set({{"mon", "7"}}, from(2));
  const auto effect = preview({{"mon", ""}}, from(3));
  EXPECT_THAT(changes(effect), ElementsAre("3 mon 7>1", "4 mon 7>1"));
  EXPECT_THAT(effect.coming, ElementsAre("mon as the script has it: for every coming run"));
}

TEST_F(PreviewTest, WhoLooksOnMayEndIt) {
  std::vector<uint64_t> told;
  keep_going = [&](uint64_t considered) {
    told.push_back(considered);
    return false;
  };
  EXPECT_EQ(preview({{"mon", "2"}}).considered, 0u);
  EXPECT_THAT(told, ElementsAre(0));
}

TEST_F(PreviewTest, NothingIsRecordedAndNoMoreIsKeptThanAskedFor) {
  const uint64_t head = story.head();
  const auto effect = preview({{"mon", "2"}}, {}, 3);
  EXPECT_EQ(effect.changes.size(), 3u);
  EXPECT_EQ(effect.change_count, 4u);
  EXPECT_EQ(story.head(), head);
  EXPECT_FALSE(ledger::variable_rules(story.rows(), "MARI"));
}

}  // namespace
}  // namespace rules_test
