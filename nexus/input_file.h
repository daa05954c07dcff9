// A file of a watched folder, opened so that neither it nor its writer can do us, or we it, any harm.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/sha256.h"
#include "nexus/verdict.h"

namespace nexus {

/// Owns:    a read-only file descriptor of a regular file.
/// Threads: one at a time.
/// Errors:  a Verdict where the file is at fault.
/// Units:   sizes bytes; times UTC nanoseconds.
class InputFile {
 public:
  /// Opens without following a link in the last component and without ever waiting (FIFO, device). Where `root` is not empty
  /// the file must lie inside it once every symlink of both paths is resolved.
  static std::variant<InputFile, Verdict> open(std::string_view path, std::string_view root);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  uint64_t size_bytes() const { return static_cast<uint64_t>(status_.st_size); }
  uint64_t inode() const { return status_.st_ino; }
  int64_t modified_ns() const;
  /// The later of the file's own clock and its file system's: when its bytes can have been written at the latest.
  int64_t arrived_ns() const;
  /// A path that opens these very bytes, whatever has happened to the name since.
  std::string descriptor_path() const;

  /// being_written or locked, if another process of this machine has the file open for writing or locked. Network file systems
  /// do not say; then nothing is found. A writer that opens the file meanwhile waits for microseconds, and is not refused.
  std::optional<Verdict> writer() const;
  /// Up to `count` bytes from `offset`; fewer at the end of the file. nullopt: the disk failed.
  std::optional<std::string> read(uint64_t offset, size_t count) const;
  /// Offset of the first byte that is not 0; nullopt if there is none.
  std::optional<uint64_t> first_nonzero() const;
  /// nullopt: the disk failed before the end.
  std::optional<base::Sha256> sha256() const;
  /// growing, if size or time of change are no longer what they were at open().
  std::optional<Verdict> changed() const;

 private:
  InputFile(int descriptor, const struct stat& status) : descriptor_(descriptor), status_(status) {}

  int descriptor_;
  struct stat status_;
};

}  // namespace nexus
