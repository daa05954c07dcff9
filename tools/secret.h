// A text that does not stay in memory.
#pragma once

#include <string.h>

#include <array>
#include <cstddef>
#include <string_view>

namespace tools {

/// A password, in one place and overwritten when that goes: nothing is reallocated, a move leaves nothing behind.
///
/// Owns:    its bytes. Threads: one at a time. Errors: append() is false when it is full.
class Secret {
 public:
  static constexpr size_t kMaxBytes = 1024;
  Secret() = default;
  ~Secret() { wipe(); }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_), size_(other.size_) { other.wipe(); }
  Secret& operator=(Secret&&) = delete;

  bool append(char byte) {
    if (size_ == bytes_.size()) return false;
    bytes_[size_++] = byte;
    return true;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }
  void wipe() {
    explicit_bzero(bytes_.data(), bytes_.size());
    size_ = 0;
  }

 private:
  std::array<char, kMaxBytes> bytes_{};
  size_t size_ = 0;
};

}  // namespace tools
