#include "tools/output.h"

#include <unistd.h>

#include <cerrno>

namespace tools {

FileBuffer::FileBuffer(int descriptor) : descriptor_(descriptor) { setp(buffer_.data(), buffer_.data() + buffer_.size()); }

FileBuffer::~FileBuffer() { FileBuffer::sync(); }

int FileBuffer::overflow(int character) {
  if (sync() != 0) return traits_type::eof();
  if (traits_type::eq_int_type(character, traits_type::eof())) return 0;
  return sputc(traits_type::to_char_type(character));
}

int FileBuffer::sync() {
  const char* next = pbase();
  while (error_ == 0 && next < pptr()) {
    ssize_t written = write(descriptor_, next, static_cast<size_t>(pptr() - next));
    if (written > 0) {
      next += written;
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  return error_ == 0 ? 0 : -1;
}

}  // namespace tools
