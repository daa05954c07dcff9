// A regular file's bytes, whole, as they were at one moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/status.h"
#include "scripts/place.h"

namespace scripts {

struct FileBytes {
  std::string bytes;
  Place place;  // as it was when these bytes were read
};

/// Never waits for a writer (a FIFO) and follows links.
/// kNotFound: nothing there. kUnavailable: there, but not readable now, or written to while it was read, three times.
/// kInvalidArgument: not a regular file, or over `limit_bytes`. Each message begins with the path.
base::Result<FileBytes> read_file(const std::filesystem::path& path, uint64_t limit_bytes);

}  // namespace scripts
