#include "tools/near_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::vector<std::string> kCommands = {"status", "runs", "show", "rerun", "resume", "script"};

TEST(NearWordsTest, SlipsOfTheFingerAreFound) {
  EXPECT_THAT(tools::near_words("sattus", kCommands), ElementsAre("status"));
  EXPECT_THAT(tools::near_words("shw", kCommands), ElementsAre("show"));
  EXPECT_THAT(tools::near_words("reruns", kCommands), ElementsAre("rerun", "runs"));
  EXPECT_THAT(tools::near_words("stat", kCommands), ElementsAre("status"));
  EXPECT_THAT(tools::near_words("mrai", std::vector<std::string>{"MARI", "MAPS"}), ElementsAre("MARI"));
}

TEST(NearWordsTest, NearestComesFirstAndFarOnesAreLeftOut) {
  EXPECT_THAT(tools::near_words("run", kCommands), ElementsAre("runs"));
  EXPECT_THAT(tools::near_words("resuem", std::vector<std::string>{"reset", "rescuers", "resume"}), ElementsAre("resume", "reset"));
  EXPECT_THAT(tools::near_words("frobnicate", kCommands), IsEmpty());
  EXPECT_THAT(tools::near_words("", kCommands), IsEmpty());
  EXPECT_THAT(tools::near_words(std::string(1000, 's'), kCommands), IsEmpty());
}

TEST(NearWordsTest, QuestionNamesWhatIsNear) {
  EXPECT_EQ(tools::did_you_mean("statsu", kCommands), "; did you mean status?");
  EXPECT_EQ(tools::did_you_mean("frobnicate", kCommands), "");
}

}  // namespace
