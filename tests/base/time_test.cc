#include "base/time.h"

#include <gtest/gtest.h>

namespace {

TEST(TimeTest, IsoTimeKeepsWhatIsThereAndNoMore) {
  EXPECT_EQ(base::iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(base::iso_time(1'500'000'000), "1970-01-01T00:00:01.5Z");
  EXPECT_EQ(base::iso_time(1435764557'000'000'000, false), "2015-07-01T15:29:17");
}

TEST(TimeTest, TimesBefore1970AreRight) { EXPECT_EQ(base::iso_time(-1), "1969-12-31T23:59:59.999999999Z"); }

}  // namespace
