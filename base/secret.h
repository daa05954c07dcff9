// A password or a token while it is needed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace base {

/// Bytes that are wiped when they are no longer needed.
///
/// Owns:    memory pages of its own, left out of core dumps and of children, kept from the swap where the account may lock memory.
/// Threads: one at a time.
/// Errors:  throws std::bad_alloc like any string.
class Secret {
 public:
  Secret() = default;
  /// Holds one behind the other.
  explicit Secret(std::string_view bytes, std::string_view more = {});
  /// Takes the bytes out of `text`: that is wiped and left empty.
  static Secret take(std::string& text);
  /// The first line of a file that open_secret_file() takes. The message names the file, never what is in it.
  static Result<Secret> from_file(const std::string& path);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  void wipe();
  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t mapped_bytes_ = 0;
};

}  // namespace base
