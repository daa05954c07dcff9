#include "ledger/output_compare.h"

#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Files = std::vector<std::pair<std::string, std::string>>;  // path, content; sorted

ledger::OutputDifference compare(const Files& before, const Files& after) {
  capnp::MallocMessageBuilder messages[2];
  schema::OutputManifest::Reader manifests[2];
  for (size_t side = 0; side < 2; ++side) {
    const Files& files = side == 0 ? before : after;
    auto list = messages[side].initRoot<schema::OutputManifest>().initFiles(static_cast<uint32_t>(files.size()));
    for (uint32_t i = 0; i < files.size(); ++i) {
      list[i].setPath(files[i].first);
      list[i].setSizeBytes(files[i].second.size());
      list[i].setSha256(ledger::data(hash_of(files[i].second)));
    }
    manifests[side] = messages[side].getRoot<schema::OutputManifest>().asReader();
  }
  return ledger::compare_outputs(manifests[0], manifests[1]);
}

TEST(OutputCompareTest, FilesAreHeldAgainstThoseOfTheSamePath) {
  const auto found = compare({{"a.nxs", "1"}, {"b.nxs", "22"}, {"c.nxs", "3"}}, {{"a.nxs", "1"}, {"aa.nxs", "444"}, {"b.nxs", "5"}});
  EXPECT_EQ(found.equal, 1u);
  EXPECT_EQ(found.changed, 1u);
  EXPECT_EQ(found.added, 1u);
  EXPECT_EQ(found.missing, 1u);
  EXPECT_EQ(found.bytes_before, 4u);
  EXPECT_EQ(found.bytes_after, 5u);
  EXPECT_THAT(found.paths, ElementsAre("+ aa.nxs", "~ b.nxs", "- c.nxs"));
  EXPECT_FALSE(found.is_same());
}

TEST(OutputCompareTest, ReductionLogsAreNotResults) {
  const auto found = compare({{"a.nxs", "1"}, {"reduction_log/MARI1.out", "took 3 s"}}, {{"a.nxs", "1"}, {"reduction_log/MARI1.out", "took 4 s"}, {"reduction_log/x", ""}});
  EXPECT_TRUE(found.is_same());
  EXPECT_EQ(found.equal, 1u);
  EXPECT_EQ(found.bytes_after, 1u);
}

TEST(OutputCompareTest, NothingIsTheSameAsNothing) {
  EXPECT_TRUE(compare({}, {}).is_same());
  EXPECT_THAT(compare({}, {}).paths, IsEmpty());
}

TEST(OutputCompareTest, NoMorePathsAreNamedThanPeopleRead) {
  Files many;
  for (int i = 10; i < 60; ++i) many.emplace_back(std::to_string(i), "x");
  const auto found = compare({}, many);
  EXPECT_EQ(found.added, 50u);
  EXPECT_EQ(found.paths.size(), ledger::OutputDifference::kPathsKept);
  EXPECT_EQ(found.paths.front(), "+ 10");
}

}  // namespace
}  // namespace rules_test
