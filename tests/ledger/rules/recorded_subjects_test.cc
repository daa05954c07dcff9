#include "ledger/recorded_subjects.h"

#include <gmock/gmock.h>

#include "tests/ledger/rules/chaos.h"
#include "tests/ledger/rules/story_snapshot.h"

namespace rules_test {
namespace {

class RecordedSubjectsTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RecordedSubjectsTest, AreThoseTheIndexHasHoweverFarTheLogWentOn) {
  Chaos chaos(GetParam());
  for (int i = 0; i < 400; ++i) chaos.step();
  const StorySnapshot snapshot(chaos.story);
  ledger::RecordedSubjects recorded;
  std::set<std::string> all;
  std::vector<std::vector<std::string>> of_events;
  for (uint64_t seq = 1; seq <= snapshot.head(); ++seq) {
    auto keys = recorded.of(snapshot, chaos.story.event(seq));
    ASSERT_TRUE(keys.is_ok()) << keys.status().message();
    all.insert(keys->begin(), keys->end());
    of_events.push_back(std::move(*keys));
  }
  for (const std::string& key : all) {
    std::vector<uint64_t> said;
    for (uint64_t seq = 1; seq <= snapshot.head(); ++seq) {
      const auto& keys = of_events[seq - 1];
      if (std::binary_search(keys.begin(), keys.end(), key)) said.push_back(seq);
    }
    EXPECT_EQ(said, snapshot.subject(key, 1, SIZE_MAX)) << "seed " << GetParam() << ", subject " << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RecordedSubjectsTest, ::testing::Range<uint64_t>(1, 7));

}  // namespace
}  // namespace rules_test
