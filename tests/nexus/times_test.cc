#include "nexus/times.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace {

std::string read(std::string_view text) {
  auto time = nexus::parse_time(text);
  return time ? base::iso_time(time->time_ns, time->zoned) : "none";
}

TEST(ParseTimeTest, IsoWithoutZoneStaysUnzoned) {
  EXPECT_EQ(read("2015-07-01T15:29:17"), "2015-07-01T15:29:17");
  EXPECT_EQ(read("2025-07-21 13:06:51"), "2025-07-21T13:06:51");
  EXPECT_EQ(read("2022-10-15T13:49:39.357"), "2022-10-15T13:49:39.357");
}

TEST(ParseTimeTest, ZonesAreTurnedIntoUtc) {
  EXPECT_EQ(read("2012-11-21T13:55:54.685008373-05:00"), "2012-11-21T18:55:54.685008373Z");
  EXPECT_EQ(read("2001-02-07T08:54:21-0600"), "2001-02-07T14:54:21Z");
  EXPECT_EQ(read("2021-03-16T15:06:05+01:00"), "2021-03-16T14:06:05Z");
  EXPECT_EQ(read("2021-03-16T15:06:05+01"), "2021-03-16T14:06:05Z");
  EXPECT_EQ(read("2025-07-21T11:06:52.318Z"), "2025-07-21T11:06:52.318Z");
  EXPECT_EQ(read("2025-02-20T17:42:26+0000"), "2025-02-20T17:42:26Z");
}

TEST(ParseTimeTest, DayMonthNameAndTwoDigitYearAreRead) {
  EXPECT_EQ(read("26-Jul-14 07:51:01"), "2014-07-26T07:51:01");
  EXPECT_EQ(read("03-DEC-1998 23:00:59"), "1998-12-03T23:00:59");
  EXPECT_EQ(read("1-Jan-70 00:00:00"), "1970-01-01T00:00:00");
}

TEST(ParseTimeTest, RepeatedHourOfAutumnIsNotMadeUtc) {
  auto time = nexus::parse_time("2015-10-25T01:30:00");
  ASSERT_TRUE(time);
  EXPECT_FALSE(time->zoned);
}

TEST(ParseTimeTest, WhatIsNoTimeIsNone) {
  for (const char* text :
       {"", " ", "1999-13-45T99:99:99", "2015-02-29T10:00:00", "2015-07-01", "2015-07-01T15", "2015-07-01T24:00:00",
        "2015-07-01T15:29:17junk", "2015-07-01T15:29:17+99:00", "2015-07-01T15:29:17.", "0000-00-00T00:00:00", "26-Foo-14 07:51:01",
        "31-Feb-14 07:51:01", "9999-12-31T23:59:59", "now", "2015-07-01T15:29:17+", "2015-07-01T15:29:17+1"}) {
    EXPECT_EQ(read(text), "none") << text;
  }
}

}  // namespace
