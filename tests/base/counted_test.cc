#include "base/counted.h"

#include <gtest/gtest.h>

namespace {

TEST(CountedTest, OnlyOneIsSingular) {
  // "0 instruments, 1 folders, 1 files waiting".
  EXPECT_EQ(base::counted(0, "file"), "0 files");
  EXPECT_EQ(base::counted(1, "file"), "1 file");
  EXPECT_EQ(base::counted(2, "file"), "2 files");
}

}  // namespace
