#include "base/secret.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/secret_file.h"

namespace base {
namespace {

constexpr size_t kFileBytes = 4096;

}  // namespace

Secret::Secret(std::string_view bytes, std::string_view more) : size_(bytes.size() + more.size()) {
  if (size_ == 0) return;
  size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  mapped_bytes_ = (size_ + page - 1) / page * page;
  void* pages = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  ::madvise(pages, mapped_bytes_, MADV_DONTDUMP);
  ::madvise(pages, mapped_bytes_, MADV_WIPEONFORK);
  ::mlock(pages, mapped_bytes_);  // an account may not lock memory: then it may be swapped out
  bytes_ = static_cast<char*>(pages);
  std::copy(more.begin(), more.end(), std::copy(bytes.begin(), bytes.end(), bytes_));
}

Secret Secret::take(std::string& text) {
  Secret secret(text);
  ::explicit_bzero(text.data(), text.capacity());
  text.clear();
  return secret;
}

Result<Secret> Secret::from_file(const std::string& path) {
  auto opened = open_secret_file(path);
  if (!opened.is_ok()) return opened.status();
  const int file = *opened;
  std::array<char, kFileBytes + 1> bytes;
  size_t size = 0;
  ssize_t got = 0;
  while (size < bytes.size() && (got = ::read(file, bytes.data() + size, bytes.size() - size)) > 0) size += static_cast<size_t>(got);
  int error = errno;
  ::close(file);
  std::string_view line(bytes.data(), size);
  line = line.substr(0, line.find_first_of("\r\n"));
  Secret secret(size > kFileBytes ? std::string_view() : line);
  ::explicit_bzero(bytes.data(), bytes.size());
  if (got < 0) return Status(Code::kUnavailable, fmt::format("{}: {}", path, std::strerror(error)));
  if (size > kFileBytes) return Status(Code::kInvalidArgument, path + ": is longer than a secret can be");
  if (secret.empty()) return Status(Code::kInvalidArgument, path + ": is empty");
  return secret;
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)), mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::exchange(other.bytes_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() {
  if (!bytes_) return;
  ::explicit_bzero(bytes_, size_);
  ::munmap(bytes_, mapped_bytes_);
  bytes_ = nullptr;
  size_ = mapped_bytes_ = 0;
}

}  // namespace base
