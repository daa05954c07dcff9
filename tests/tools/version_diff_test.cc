#include "tools/version_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tools {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(VersionDiffTest, EqualPartsAreLeftOut) { EXPECT_THAT(differences({{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "2"}}), IsEmpty()); }

TEST(VersionDiffTest, OtherValuesAndMissingOnesAreFoundInOrder) {
  EXPECT_THAT(differences({{"b", "2"}, {"c", "3"}, {"d", ""}}, {{"a", "1"}, {"b", "2"}, {"c", "4"}}),
              ElementsAre(Difference{"a", std::nullopt, "1"}, Difference{"c", "3", "4"}, Difference{"d", "", std::nullopt}));
}

}  // namespace
}  // namespace tools
