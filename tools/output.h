// Standard output that knows why it failed: a reader that went away is no error, a full disk is.
#pragma once

#include <array>
#include <streambuf>

namespace tools {

/// Buffered writing to a file descriptor.
///
/// Owns:    its buffer; the descriptor is the caller's.
/// Threads: one at a time. Errors: the stream goes bad, error() has the errno of the first failed write.
class FileBuffer final : public std::streambuf {
 public:
  explicit FileBuffer(int descriptor);
  ~FileBuffer() override;
  int error() const { return error_; }

 protected:
  int overflow(int character) override;
  int sync() override;

 private:
  int descriptor_;
  int error_ = 0;
  std::array<char, 16384> buffer_;
};

}  // namespace tools
