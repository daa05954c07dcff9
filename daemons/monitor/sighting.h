// What is seen of a file from outside, without opening it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace daemons {

/// How a file came to notice.
enum class Notice {
  kScanned,     // a listing of its folder has it
  kCreated,     // its name appeared and the writer has yet to close it
  kClosed,      // a writer closed it
  kMovedIn,     // renamed into place
  kAttributes,  // permissions or times were set
};

/// The state of a file at one look. Units: bytes, UTC nanoseconds by the clock of its file system.
struct FileStamp {
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;  // ctime; 0 = unknown
  uint64_t inode = 0;
  bool linked = false;     // a symbolic link, or one of several names: no writer need ever close this name

  /// Nothing points to other bytes. Renames and permissions do not count.
  bool same_bytes(const FileStamp& other) const {
    return size_bytes == other.size_bytes && modified_ns == other.modified_ns && inode == other.inode;
  }
};

/// The outcome of a stat().
struct Look {
  std::optional<FileStamp> stamp;
  std::string failure;  // why there is no stamp; empty with no stamp = there is no such file
};

/// stat() of `path`, following a symbolic link. May block on a file server: call it on the pool.
Look look_at(const std::string& path);

/// Where symbolic links lead; `path` itself when they lead nowhere. The reader opens no link, so that what it opens is what was
/// checked to lie inside the raw folder. May block: call it on the pool.
std::string resolved(const std::string& path);

}  // namespace daemons
