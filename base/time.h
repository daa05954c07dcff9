// Time as it is kept: UTC nanoseconds since 1970.
#pragma once

#include <cstdint>
#include <string>

namespace base {

/// Where the present comes from; given to whatever needs it, so that a test or a simulation can hold it.
class Clock {
 public:
  virtual ~Clock() = default;
  /// UTC nanoseconds since 1970. May jump: whoever needs order keeps its own.
  virtual int64_t now_ns() const = 0;
};

/// The machine's clock.
const Clock& system_clock();

/// "2026-11-01T12:00:00.123Z"; whole seconds are written without a fraction. `zoned` false leaves the Z away.
std::string iso_time(int64_t time_ns, bool zoned = true);

}  // namespace base
