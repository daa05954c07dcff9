#include "base/experiment.h"

#include <gtest/gtest.h>

namespace {

TEST(ExperimentTest, ZeroAndNegativeNumbersNameNone) {
  for (const char* text : {"", "0", "000", "-1", "-0", "-20", "-"}) EXPECT_FALSE(base::names_experiment(text)) << text;
}

TEST(ExperimentTest, AnythingElseMay) {
  for (const char* text : {"1", "0001", "123456", "IPTS-8011", "mg32775-1", "-1x", "-1.5", "2010_2_6_SCI"}) {
    EXPECT_TRUE(base::names_experiment(text)) << text;
  }
}

}  // namespace
