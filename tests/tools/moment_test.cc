#include "tools/moment.h"

#include <gtest/gtest.h>

namespace tools {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kNoon = 1'793'534'400 * kSecond;  // 2026-11-01T12:00:00Z

int64_t time_of(std::string_view text) {
  const auto moment = parse_moment(text, kNoon);
  EXPECT_TRUE(moment.is_ok()) << text;
  return moment.is_ok() && moment->seq == 0 ? moment->time_ns : -1;
}

TEST(MomentTest, NumberIsAnEvent) {
  EXPECT_EQ(parse_moment("812", kNoon)->seq, 812u);
  EXPECT_FALSE(parse_moment("0", kNoon).is_ok());
}

TEST(MomentTest, TimeInEveryForm) {
  EXPECT_EQ(time_of("2026-11-01T12:00:00Z"), kNoon);
  EXPECT_EQ(time_of("2026-11-01T12:00:05.000000001Z"), kNoon + 5 * kSecond + 1);
  EXPECT_EQ(time_of("2026-11-01 12:00:00.5"), kNoon + kSecond / 2);
  EXPECT_EQ(time_of("2026-11-01T12:00"), kNoon);
  EXPECT_EQ(time_of("2026-11-01T13:00+01:00"), kNoon);
  EXPECT_EQ(time_of("2026-11-01T06:30:00-0530"), kNoon);
  EXPECT_EQ(time_of("2026-11-01T11:00-01"), kNoon);
  EXPECT_EQ(time_of("2026-11-01"), kNoon - 12 * 3600 * kSecond);
  EXPECT_EQ(time_of("2024-02-29T00:00:00Z"), 1'709'164'800 * kSecond);
}

TEST(MomentTest, ZoneThatIsNotNamedIsUtcAndTold) {
  EXPECT_TRUE(parse_moment("2026-11-01T12:00Z", kNoon)->zoned);
  EXPECT_TRUE(parse_moment("2026-11-01T12:00+02:00", kNoon)->zoned);
  EXPECT_FALSE(parse_moment("2026-11-01T12:00", kNoon)->zoned);
  EXPECT_FALSE(parse_moment("2026-11-01", kNoon)->zoned);
}

TEST(MomentTest, SoLongAgo) {
  EXPECT_EQ(time_of("-90s"), kNoon - 90 * kSecond);
  EXPECT_EQ(time_of("-30m"), kNoon - 1800 * kSecond);
  EXPECT_EQ(time_of("-2h"), kNoon - 7200 * kSecond);
  EXPECT_EQ(time_of("-3d"), kNoon - 3 * 86400 * kSecond);
  EXPECT_EQ(time_of("-1w"), kNoon - 7 * 86400 * kSecond);
  EXPECT_TRUE(parse_moment("-1w", kNoon)->zoned);
}

TEST(MomentTest, WhatIsNoMomentIsRefused) {
  for (const char* text : {"", "-", "-h", "-2", "-2y", "2h", "2023-02-29", "2026-13-01", "2026-11-01T", "2026-11-01T12", "2026-11-01T25:00",
                           "2026-11-01T12:00x", "2026-11-01T12:00:05.Z", "2026-11-01T12:00:05.0000000001Z", "2026-11-01T12:00+1",
                           "26-11-01", "yesterday", "99999999999999999999", "-99999999999999999999s", "-9999999999w"}) {
    const auto moment = parse_moment(text, kNoon);
    ASSERT_FALSE(moment.is_ok()) << text;
    EXPECT_EQ(moment.status().code(), base::Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace tools
