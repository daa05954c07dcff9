#include "ledger/blame.h"

#include <gmock/gmock.h>

#include "ledger/past.h"
#include "ledger/variables.h"
#include "tests/ledger/rules/story_snapshot.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BlameTest : public ::testing::Test {
 protected:
  BlameTest() {
    story.configure();
    script = story.register_script("a script", {{"mon", "1"}, {"mask", "\"m.xml\""}}).first();
  }

  /// Detects and queues a run with the variables it gets now.
  uint64_t reduce(uint64_t run, std::string_view experiment = "2010001") {
    story.detect(run, "raw", {}, experiment);
    return story.queue(run, [&](auto queued) { queued.setVariables(ledger::data(hash_of(resolved(run, experiment)))); }).first();
  }
  std::string resolved(uint64_t run, std::string_view experiment) {
    const auto row = ledger::find_instrument(story.rows(), "MARI");
    const auto defaults = story.rows().blob(ledger::view(row->get().getScript().getDefaults()));
    const auto rules = ledger::variable_rules(story.rows(), "MARI");
    const std::string document =
        ledger::resolve(ledger::Row<schema::VariableSet>(*defaults).get(),
                        rules ? rules->get().getRules() : capnp::List<schema::VariableRule>::Reader(), experiment, run,
                        row->get().getScriptSeq())
            .document;
    story.rows().put_blob(document);
    return document;
  }
  /// "EVENT VALUE by WHO [ended EVENT]: RUN/vVERSION ..."
  static std::vector<std::string> texts(const std::vector<ledger::ValueHistory>& values) {
    std::vector<std::string> all;
    for (const auto& value : values) {
      const auto rule = value.rule.get();
      std::string text = std::to_string(rule.getSeq()) + " " + std::string(ledger::view(rule.getVariable().getValue())) + " by " +
                         (value.from_script ? "script" : std::string(ledger::view(rule.getSetBy())));
      if (value.ended_seq != 0) text += " ended " + std::to_string(value.ended_seq);
      for (const auto& version : value.versions) text += " " + std::to_string(version.run_number) + "/v" + std::to_string(version.version);
      all.push_back(text);
    }
    return all;
  }
  std::vector<std::string> blame(std::string_view name, uint64_t at = 0) {
    auto now = std::make_unique<StorySnapshot>(story);
    if (at == 0) return texts(ledger::blame(*now, "MARI", name).value());
    const ledger::Past past(std::move(now), at);
    return texts(ledger::blame(past, "MARI", name).value());
  }
  static std::string text(uint64_t seq) { return std::to_string(seq); }

  Story story;
  uint64_t script = 0;
};

TEST_F(BlameTest, EachValueHasItsRuns) {
  reduce(1);
  const uint64_t set = story.as_person("alice").set({{"mon", "2"}}).first();
  reduce(2);
  reduce(3);
  const uint64_t again = story.as_person("bob").set({{"mon", "3"}}).first();
  reduce(4);
  EXPECT_THAT(blame("mon"), ElementsAre(text(script) + " 1 by script 1/v1", text(set) + " 2 by alice ended " + text(again) + " 2/v1 3/v1",
                                        text(again) + " 3 by bob 4/v1"));
  EXPECT_THAT(blame("mask"), ElementsAre(text(script) + " \"m.xml\" by script 1/v1 2/v1 3/v1 4/v1"));
  EXPECT_THAT(blame("none"), IsEmpty());
}

TEST_F(BlameTest, ScopesLiveBesideEachOtherAndEndApart) {
  const auto from = [](uint64_t run) { return [run](schema::Scope::Builder scope) { scope.setFromRun(run); }; };
  const uint64_t all = story.as_person("alice").set({{"mon", "2"}}).first();
  const uint64_t later = story.set({{"mon", "3"}}, from(10)).first();
  reduce(9);
  reduce(10);
  const uint64_t cleared = story.clear({"mon"}, from(10)).first();
  reduce(11);
  EXPECT_THAT(blame("mon"), ElementsAre(text(script) + " 1 by script", text(all) + " 2 by alice 9/v1 11/v1",
                                        text(later) + " 3 by alice ended " + text(cleared) + " 10/v1"));
}

TEST_F(BlameTest, DefaultThatStaysTheSameIsOneValue) {
  reduce(1);
  story.register_script("another script", {{"mon", "1"}});
  reduce(2);
  const uint64_t third = story.register_script("a third", {{"mon", "5"}}).first();
  reduce(3);
  EXPECT_THAT(blame("mon"), ElementsAre(text(script) + " 1 by script ended " + text(third) + " 1/v1 2/v1", text(third) + " 5 by script 3/v1"));
  EXPECT_EQ(blame("mask").size(), 1u);
  EXPECT_NE(blame("mask")[0].find("ended"), std::string::npos);
}

TEST_F(BlameTest, AsOfThenItKnowsNothingOfLater) {
  const uint64_t set = story.as_person("alice").set({{"mon", "2"}}).first();
  const uint64_t job = reduce(2);
  story.set({{"mon", "3"}});
  reduce(3);
  EXPECT_THAT(blame("mon", job), ElementsAre(text(script) + " 1 by script", text(set) + " 2 by alice 2/v1"));
}

TEST_F(BlameTest, NoMoreVersionsAreKeptThanAskedForButAllAreCounted) {
  for (uint64_t run = 1; run <= 5; ++run) reduce(run);
  const StorySnapshot now(story);
  const auto values = ledger::blame(now, "MARI", "mon", 2).value();
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].version_count, 5u);
  EXPECT_THAT(texts(values), ElementsAre(text(script) + " 1 by script 1/v1 2/v1"));
}

}  // namespace
}  // namespace rules_test
