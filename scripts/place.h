// What stands at a path, as far as a stat tells.
#pragma once

#include <cstdint>
#include <map>
#include <string>

struct stat;

namespace scripts {

/// Two that are equal are the same unchanged thing, or both nothing for the same cause. Links are followed.
///
/// Owns: values. Threads: any. Units: `_ns` are the file server's UTC nanoseconds since 1970.
struct Place {
  enum class Kind : uint8_t { kNothing, kFile, kFolder, kOther };
  Kind kind = Kind::kNothing;
  int error = 0;  // of kNothing: ENOENT, ELOOP, EACCES, ...
  uint64_t device = 0, inode = 0, size_bytes = 0;
  int64_t modified_ns = 0, changed_ns = 0;
  uint32_t mode = 0;  // permissions

  bool operator==(const Place&) const = default;
  /// Which thing it is, not what is in it: of a folder whose names are not of interest, of a pipe.
  Place identity() const { return {kind, error, device, inode, 0, 0, 0, 0}; }
  /// There may be something, but nobody is let see it.
  bool is_hidden() const;
};

/// By absolute path: what was there, or was not, when it was looked for.
using Places = std::map<std::string, Place>;

Place look_at(const char* path);
Place place_of(const struct stat& status);

}  // namespace scripts
