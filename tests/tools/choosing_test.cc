// Runs chosen by options, alike for every command that is about many of them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ChoosingTest : public CommandsTest {
 protected:
  /// Everything that can be said at once.
  const std::vector<std::string> everything = {"MARI", "28001-28010,28020", "--experiment", "2010001", "--state", "failed,skipped", "--reason", "script_exception",
                                               "--script-hash", "ABABABAB", "--variable", "mon=2", "--variable", "mask=/a b.xml", "--since", "2026-11-01T12:00:00Z",
                                               "--until", "2026-11-02T12:00:00Z", "--support-file", "/archive/mask.xml", "--stale"};
  std::vector<std::string> with(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(ChoosingTest, EveryOptionReachesTheLedger) {
  command(with({"runs"}, everything));
  EXPECT_EQ(ledger.reducing.filter,
            R"((instrument = "MARI", experiment = "2010001", firstRun = 28001, lastRun = 28020, states = [failed, skipped], )"
            R"(ranges = [(first = 28001, last = 28010), (first = 28020, last = 28020)], reason = "script_exception", script = "\253\253\253\253", )"
            R"(variables = [(name = "mon", value = "2"), (name = "mask", value = "\"/a b.xml\"")], detectedFrom = 1793534400000000000, )"
            R"(detectedTo = 1793620800000000000, supportFile = "/archive/mask.xml", stale = true))");
}

TEST_F(ChoosingTest, EveryCommandThatTakesManyRunsTakesTheSameOptions) {
  command(with({"runs"}, everything));
  const std::string filter = ledger.reducing.filter;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"stale"}, {"rerun"}, {"campaign", "plan"}, {"campaign", "start", "--yes", "--purpose", "why"}, {"replay", "--yes"}}) {
    ledger.reducing.filter.clear();
    const Ran ran = command(with(words, everything));
    EXPECT_EQ(ledger.reducing.filter, filter) << words[0] << ": " << ran.err;
  }
}

TEST_F(ChoosingTest, ChoiceIsSaidInWords) {
  command(with({"replay", "--yes"}, everything));
  EXPECT_THAT(ledger.asked, ElementsAre(HasSubstr("over 'MARI 28001-28010,28020, experiment 2010001, state failed or skipped, reason script_exception, script abababab, "
                                                  "mon = 2, mask = \"/a b.xml\", detected since 2026-11-01T12:00:00Z, detected until 2026-11-02T12:00:00Z, "
                                                  "with support file /archive/mask.xml, stale'")));
  ledger.asked.clear();
  command({"replay", "--yes"});
  EXPECT_THAT(ledger.asked, ElementsAre(HasSubstr("over 'every run'")));
}

TEST_F(ChoosingTest, MomentMayBeAnEvent) {
  ledger.add_event();
  ledger.add_event();
  command({"runs", "--since", "2"});
  EXPECT_THAT(ledger.reducing.filter, HasSubstr(fmt::format("detectedFrom = {}, detectedTo = 0", kNoon + 2 * kSecond)));
  const Ran none = command({"runs", "--until", "99"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.err, "runledger: --until 99: there is no such event\n");
}

TEST_F(ChoosingTest, OptionsThatCannotBeLookedForAreRefusedBeforeAnythingIsAsked) {
  const std::vector<std::pair<std::vector<std::string>, const char*>> wrong = {
      {{"--state", "sleeping"}, "'sleeping' is no state; there are detected"},
      {{"--script-hash", "abc"}, "write the first 8 or more hex digits"},
      {{"--script-hash", "ababababa"}, "an even number of them"},
      {{"--script-hash", "reduce.py"}, "write the first 8 or more hex digits"},
      {{"--variable", "mon"}, "--variable: 'mon' is not NAME=VALUE"},
      {{"--support-file", "mask.xml"}, "write the path from / on"},
      {{"--since", "yesterday"}, "--since: 'yesterday' is neither a time nor an event"},
  };
  for (const auto& [options, message] : wrong) {
    const Ran ran = command(with({"rerun", "MARI"}, options));
    EXPECT_EQ(ran.exit_code, 2) << options[0];
    EXPECT_THAT(ran.err, HasSubstr(message));
  }
  EXPECT_THAT(ledger.reducing.filter, IsEmpty());
}

TEST_F(ChoosingTest, RerunTakesWhatFits) {
  ledger.add_run("MARI", 1, schema::RunState::FAILED);
  ledger.add_run("MARI", 2);
  ledger.add_run("SANS2D", 22048, schema::RunState::FAILED);
  EXPECT_EQ(command({"rerun", "--state", "failed", "--interpreter", "mantid-6.9"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("rerun MARI 1 basis 0 stored with mantid-6.9 ()", "rerun SANS2D 22048 basis 0 stored with mantid-6.9 ()"));
  const Ran none = command({"rerun", "MARI", "--state", "skipped"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.err, "runledger: MARI, state skipped: no runs match, so nothing was asked for\n");
}

TEST_F(ChoosingTest, RerunOfManyRunsSaysHowToMakeItACampaign) {
  for (uint64_t number = 1; number <= 21; ++number) ledger.add_run("MARI", number, schema::RunState::FAILED);
  EXPECT_EQ(command({"rerun", "MARI", "1-20"}).exit_code, 0);
  EXPECT_EQ(ledger.asked.size(), 20u);
  const Ran many = command({"rerun", "mari", "--state", "failed", "--variable", "title=a b"});
  EXPECT_EQ(many.exit_code, 2);
  EXPECT_THAT(many.err, AllOf(HasSubstr("more than 20 runs; make it a campaign"),
                              HasSubstr("runledger campaign start mari --state failed --variable 'title=a b' --purpose 'why'\n")));
  EXPECT_EQ(command({"rerun", "MARI", "1-21"}).exit_code, 2);
  EXPECT_EQ(ledger.asked.size(), 20u) << "nothing more was asked for";
}

TEST_F(ChoosingTest, RerunNeedsToKnowWhichRuns) {
  const Ran nothing = command({"rerun"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("which runs?"));
}

}  // namespace
}  // namespace fake
