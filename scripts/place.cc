#include "scripts/place.h"

#include <sys/stat.h>

#include <cerrno>

namespace scripts {
namespace {

int64_t nanoseconds(const timespec& time) { return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; }

}  // namespace

bool Place::is_hidden() const { return kind == Kind::kNothing && error != ENOENT && error != ENOTDIR && error != ELOOP && error != ENAMETOOLONG; }

Place look_at(const char* path) {
  struct stat status {};
  if (stat(path, &status) == 0) return place_of(status);
  Place place;
  place.error = errno;
  return place;
}

Place place_of(const struct stat& status) {
  Place place;
  place.kind = S_ISREG(status.st_mode) ? Place::Kind::kFile : S_ISDIR(status.st_mode) ? Place::Kind::kFolder : Place::Kind::kOther;
  place.device = status.st_dev;
  place.inode = status.st_ino;
  place.size_bytes = static_cast<uint64_t>(status.st_size);
  place.modified_ns = nanoseconds(status.st_mtim);
  place.changed_ns = nanoseconds(status.st_ctim);
  place.mode = status.st_mode & 07777;
  return place;
}

}  // namespace scripts
