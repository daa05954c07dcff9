#include "base/time.h"

#include <gtest/gtest.h>

#include "base/age.h"

namespace {

TEST(TimeTest, IsoTimeKeepsWhatIsThereAndNoMore) {
  EXPECT_EQ(base::iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(base::iso_time(1'500'000'000), "1970-01-01T00:00:01.5Z");
  EXPECT_EQ(base::iso_time(1435764557'000'000'000, false), "2015-07-01T15:29:17");
}

TEST(TimeTest, TimesBefore1970AreRight) { EXPECT_EQ(base::iso_time(-1), "1969-12-31T23:59:59.999999999Z"); }

TEST(TimeTest, AgeBeyondAllTimesIsBeforeEverythingNotInTheFuture) {
  constexpr int64_t kNow = 1'793'534'400'000'000'000;
  constexpr uint64_t kYearMs = 365 * uint64_t{86'400'000};
  EXPECT_EQ(base::time_before(kNow, 0), kNow);
  EXPECT_EQ(base::time_before(kNow, 1'500), kNow - 1'500'000'000);
  for (const uint64_t age_ms : {300 * kYearMs, 1000 * kYearMs, 1'000'000'000 * uint64_t{86'400'000}, UINT64_MAX}) {
    EXPECT_LT(base::time_before(kNow, age_ms), -kNow) << age_ms;
    EXPECT_EQ(base::time_before(-kNow, age_ms), INT64_MIN) << age_ms;
  }
}

}  // namespace
