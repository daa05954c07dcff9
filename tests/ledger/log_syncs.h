// Counts, and fails on demand, what brings a write-ahead log file to disk. It takes the place of libc's own functions in this program.
#pragma once

#include <cstdint>

namespace support {

/// fdatasync() and fsync() calls on *.log files that succeeded so far.
uint64_t log_syncs();
/// From here on these calls fail with EIO, until the end of the object.
class FailingLogSyncs {
 public:
  FailingLogSyncs();
  ~FailingLogSyncs();
};

}  // namespace support
