// Files as a script, a share or the record name them: nothing is waited for that may have been put in their place.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace daemons {

/// Set when nobody wants any more what is being read.
using StopFlag = std::shared_ptr<std::atomic<bool>>;

/// Owns: a descriptor, closed when dropped.
class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenFile();
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// The functions below block: run them on the pool.

/// "PATH: WHAT: No such file or directory", by errno. kUnavailable.
base::Status file_trouble(const std::string& path, std::string_view what);
/// SHA-256 (32 bytes) of all of it. kUnavailable, also when `stop` was set meanwhile.
base::Result<std::string> hash_of_file(const std::string& path, const StopFlag& stop = nullptr);
/// A path as the file system has it, from the record's text, where bytes that are not UTF-8 are written \xHH.
std::string path_bytes(const std::string& recorded);
/// The file's content if it is a regular one of at most `limit` bytes.
std::optional<std::string> read_small_file(const std::string& path, size_t limit);
base::Status write_file(const std::string& path, std::string_view bytes);

/// A file name that stays in its folder.
bool is_plain_name(std::string_view name);
/// A relative path whose every part is such a name.
bool stays_below(std::string_view path);
/// Whether `path` is `folder` or lies below it, by their names alone.
bool lies_in(std::string_view path, std::string_view folder);

}  // namespace daemons
