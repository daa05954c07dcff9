// What a script prints, in bounded memory: the beginning and the end are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace daemons {

/// Owns: at most head + tail bytes. Threads: one at a time. Errors: none. Units: bytes.
class LogCapture {
 public:
  explicit LogCapture(size_t head_bytes = 256u << 10, size_t tail_bytes = 1u << 20)
      : head_limit_(head_bytes), tail_limit_(tail_bytes) {}

  void add(std::string_view bytes);
  /// A line of ours at the end, on a line of its own.
  void note(std::string_view line);
  /// The whole, or beginning and end with a line between them that says how much was left out.
  std::string text() const;
  /// The last line that is not blank, at most `limit` bytes of it.
  std::string last_line(size_t limit = 1000) const;
  uint64_t total_bytes() const { return total_; }

 private:
  std::string tail() const;

  size_t head_limit_, tail_limit_;
  std::string head_;
  std::string ring_;  // the last bytes after head_; once full, its oldest byte is at oldest_
  size_t oldest_ = 0;
  uint64_t total_ = 0;
};

}  // namespace daemons
