// Files that hold a secret: written for their owner alone, and not believed when somebody else may have read or written them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tools {

/// All of it. kNotFound: it is not there. kPermissionDenied: it may be read or written by others, or is another's; the message says what
/// to do. kInvalidArgument: it is no file, or too large for what it should be (1 MiB).
base::Result<std::string> read_private_file(const std::filesystem::path& path);

/// A file of mode 0600 that was not there before; gone again unless it is kept.
///
/// Owns:    the descriptor, and the file until keep(). Threads: one at a time.
/// Errors:  kAlreadyExists, and kUnavailable with what the system says.
class NewPrivateFile {
 public:
  static base::Result<NewPrivateFile> create(const std::filesystem::path& path);
  ~NewPrivateFile();
  NewPrivateFile(NewPrivateFile&& other) noexcept;
  NewPrivateFile& operator=(NewPrivateFile&&) = delete;

  /// All of `bytes`, on disk when it returns.
  base::Status write(std::string_view bytes);
  /// It stays, under its name or another one that it takes over.
  base::Status keep();
  base::Status keep_as(const std::filesystem::path& path);

 private:
  NewPrivateFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::filesystem::path path_;  // empty: nothing to remove
  int descriptor_;
};

}  // namespace tools
