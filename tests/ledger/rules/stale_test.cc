#include "ledger/stale.h"

#include <gmock/gmock.h>

#include "base/text.h"
#include "tests/ledger/rules/reduced_story.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string hex(std::string_view content) { return base::hex(hash_of(content)).substr(0, 8); }

class StaleTest : public ::testing::Test {
 protected:
  StaleTest() {
    story.use_script("script 1", {{"mask", "\"/masks/m.xml\""}, {"mon", "1"}}, {{"reduce_vars.py", "vars 1"}, {"utils.py", "utils 1"}});
    for (uint64_t run = 1; run <= 3; ++run) story.detect(run, "raw", {}, run == 3 ? "E3" : "E1");
  }
  /// "KIND NAME was>now event", hashes by their first digits.
  std::vector<std::string> why(uint64_t run) {
    static const char* const kKinds[] = {"script", "file", "variable", "support"};
    std::vector<std::string> texts;
    ledger::StaleLook look(story.rows());
    for (const auto& each : look.look(story.run(run).get()).why) {
      const auto shown = [&](const std::string& value) { return each.kind == ledger::StaleReason::Kind::kVariable ? value : value.substr(0, 8); };
      texts.push_back(std::string(kKinds[static_cast<size_t>(each.kind)]) + " " + each.name + " " + shown(each.was) + ">" + shown(each.now) + " " +
                      std::to_string(each.event));
    }
    return texts;
  }
  static std::string at(const Told& told) { return " " + std::to_string(told.first()); }
  static auto from(uint64_t first) {
    return [=](schema::Scope::Builder scope) { scope.setFromRun(first); };
  }
  static auto experiment(const char* name) {
    return [=](schema::Scope::Builder scope) { scope.setExperiment(name); };
  }
  ReducedStory story;
};

TEST_F(StaleTest, WhatWouldBeMadeTheSameWayIsNot) {
  story.reduce(1);
  EXPECT_THAT(why(1), IsEmpty());
  EXPECT_THAT(why(2), IsEmpty()) << "it has no result";
}

TEST_F(StaleTest, AnotherScriptAndFilesBesideItAreNamed) {
  story.reduce(1);
  const auto registered = story.use_script("script 2", {{"mask", "\"/masks/m.xml\""}, {"mon", "1"}}, {{"fresh.py", "fresh"}, {"utils.py", "utils 2"}});
  EXPECT_THAT(why(1), ElementsAre("script  " + hex("script 1") + ">" + hex("script 2") + at(registered), "file fresh.py >" + hex("fresh") + at(registered),
                                  "file reduce_vars.py " + hex("vars 1") + ">" + at(registered),
                                  "file utils.py " + hex("utils 1") + ">" + hex("utils 2") + at(registered)));
}

TEST_F(StaleTest, SettingsCountForTheRunsTheyAreFor) {
  for (uint64_t run = 1; run <= 3; ++run) story.reduce(run);
  const auto later = story.set({{"mon", "2"}}, from(2));
  EXPECT_THAT(why(1), IsEmpty());
  EXPECT_THAT(why(2), ElementsAre("variable mon 1>2" + at(later)));
  EXPECT_THAT(why(3), ElementsAre("variable mon 1>2" + at(later)));
  const auto particular = story.set({{"mon", "3"}}, experiment("E3"));
  EXPECT_THAT(why(3), ElementsAre("variable mon 1>3" + at(particular)));
  story.clear({}, from(2));
  EXPECT_THAT(why(2), IsEmpty()) << "it is as it was again";
}

TEST_F(StaleTest, TheSameValueWrittenOtherwiseIsTheSame) {
  story.use_script("script 1", {{"width", "1.0"}});
  story.set({{"width", "2.50"}}, from(1));
  story.reduce(1);
  story.set({{"width", "25e-1"}}, from(1));
  EXPECT_THAT(why(1), IsEmpty());
  story.set({{"width", "2.51"}}, from(1));
  EXPECT_EQ(why(1).size(), 1u);
}

TEST_F(StaleTest, GivenValuesStayGiven) {
  story.reduce(1, {.given = {{"mon", "7"}}});
  story.set({{"mon", "2"}}, from(1));
  EXPECT_THAT(why(1), IsEmpty());
}

TEST_F(StaleTest, VariablesTheScriptNoLongerOrNewlyHasAreNamed) {
  story.reduce(1);
  const auto registered = story.use_script("script 1", {{"mask", "\"/masks/m.xml\""}, {"fresh", "5"}}, {{"reduce_vars.py", "vars 2"}, {"utils.py", "utils 1"}});
  EXPECT_THAT(why(1), ElementsAre("file reduce_vars.py " + hex("vars 1") + ">" + hex("vars 2") + at(registered), "variable fresh >5" + at(registered),
                                  "variable mon 1>" + at(registered)));
}

TEST_F(StaleTest, ASettingForAVariableTheScriptLostIsNoValue) {
  story.set({{"mon", "4"}}, from(1));
  story.reduce(1);
  const auto registered = story.use_script("script 1", {{"mask", "\"/masks/m.xml\""}}, {{"reduce_vars.py", "vars 1"}, {"utils.py", "utils 1"}});
  EXPECT_THAT(why(1), ElementsAre("variable mon 4>" + at(registered)));
}

TEST_F(StaleTest, AChangedSupportFileIsNamedUnlessItCannotBeRead) {
  story.see("/masks/m.xml", "good mask");
  story.reduce(1, {.support_files = {{"/masks/m.xml", "good mask"}}});
  EXPECT_THAT(why(1), IsEmpty());
  story.see("/masks/m.xml", "", "no such file");
  EXPECT_THAT(why(1), IsEmpty());
  const auto seen = story.see("/masks/m.xml", "better mask");
  EXPECT_THAT(why(1), ElementsAre("support /masks/m.xml " + hex("good mask") + ">" + hex("better mask") + at(seen)));
  const auto set = story.set({{"mask", "\"/masks/n.xml\""}});
  EXPECT_THAT(why(1), ElementsAre("variable mask \"/masks/m.xml\">\"/masks/n.xml\"" + at(set))) << "the old file no longer matters";
}

TEST_F(StaleTest, ItIsAboutTheNewestVersionThatSucceeded) {
  story.reduce(1);
  story.set({{"mon", "2"}});
  const uint64_t second = story.reduce(1);
  story.fail_version(1);
  ledger::StaleLook look(story.rows());
  const auto result = look.look(story.run(1).get());
  EXPECT_EQ(result.version, 2);
  EXPECT_EQ(result.job, second);
  EXPECT_FALSE(result.is_stale());
}

TEST_F(StaleTest, OneLookServesManyRuns) {
  for (uint64_t run = 1; run <= 3; ++run) story.reduce(run, {.given = run == 2 ? Story::Values{{"mon", "9"}} : Story::Values{}});
  story.set({{"mon", "2"}});
  story.set({{"mon", "1"}}, experiment("E3"));
  ledger::StaleLook look(story.rows());
  std::vector<uint64_t> stale;
  for (int round = 0; round < 2; ++round) {
    for (uint64_t run = 1; run <= 3; ++run) {
      if (look.look(story.run(run).get()).is_stale()) stale.push_back(run);
    }
  }
  EXPECT_THAT(stale, ElementsAre(1, 1));
}

TEST_F(StaleTest, NothingIsSaidOfVariablesNobodyKnows) {
  story.reduce(1);
  story.tell([&](schema::Command::Builder command) {
    story.rows().put_blob("script 2");
    auto script = command.getBody().initRegisterScript();
    script.setInstrument("MARI");
    script.setContract(schema::Contract::ISIS);
    script.setPath("/scripts/MARI/reduce.py");
    script.setSha256(ledger::data(hash_of("script 2")));
    script.setProblem("reduce_vars.py, line 1: invalid syntax");
  });
  for (const std::string& each : why(1)) EXPECT_THAT(each, ::testing::Not(::testing::StartsWith("variable")));
  EXPECT_EQ(why(1).size(), 3u);
}

}  // namespace
}  // namespace rules_test
