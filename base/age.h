// How long ago something was.
#pragma once

#include <cstdint>

namespace base {

/// The time that lies `age_ms` before `now_ns` (UTC nanoseconds); of an age that reaches further back than times do (292 years before 1970), the
/// earliest time there is: nothing is that old.
inline int64_t time_before(int64_t now_ns, uint64_t age_ms) {
  int64_t age_ns = 0, time_ns = 0;
  if (__builtin_mul_overflow(age_ms, int64_t{1'000'000}, &age_ns) || __builtin_sub_overflow(now_ns, age_ns, &time_ns)) return INT64_MIN;
  return time_ns;
}

}  // namespace base
