// From struct stat to FileStamp; for .cc files of this folder.
#pragma once

#include <sys/stat.h>

#include "daemons/monitor/sighting.h"

namespace daemons {

inline int64_t nanoseconds(const timespec& time) { return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; }

inline FileStamp stamp_of(const struct stat& status, bool is_link) {
  return FileStamp{.size_bytes = static_cast<uint64_t>(status.st_size),
                   .modified_ns = nanoseconds(status.st_mtim),
                   .changed_ns = nanoseconds(status.st_ctim),
                   .inode = status.st_ino,
                   .linked = is_link || status.st_nlink > 1};
}

}  // namespace daemons
