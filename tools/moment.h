// How people name a point of the log: an event, a time, or so long ago.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"
#include "schema/api.capnp.h"

namespace tools {

/// Exactly one of `seq` and a time.
struct MomentName {
  uint64_t seq = 0;     // 0 = a time is named
  int64_t time_ns = 0;  // UTC
  bool zoned = true;    // false: the text names no zone, and was read as UTC
};

/// "812" (an event), "2026-11-01T12:00:05.5Z", "2026-11-01 12:00+01:00", "2026-11-01" (its first moment), "-90s", "-30m", "-2h",
/// "-3d", "-1w". kInvalidArgument: the message shows how it is written.
base::Result<MomentName> parse_moment(std::string_view text, int64_t now_ns);

void write_moment(const MomentName& named, schema::Moment::Builder moment);

}  // namespace tools
