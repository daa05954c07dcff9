// The ways raw files write a point in time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nexus {

struct FileTime {
  int64_t time_ns = 0;  // UTC when zoned; else the clock face read as if it were UTC
  bool zoned = false;
};

/// Reads `2015-07-01T15:29:17`, a blank for the T, fractions up to nanoseconds, zones `Z`, `+01`, `+0100`, `+01:00`, and
/// `26-Jul-14 07:51:01` (a year below 70 is 20xx). nullopt: not a time, or none between the years 1900 and 2200.
std::optional<FileTime> parse_time(std::string_view text);

}  // namespace nexus
