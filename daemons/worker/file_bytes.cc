#include "daemons/worker/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"

namespace daemons {

using base::Code;
using base::Status;

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status file_trouble(const std::string& path, std::string_view what) {
  return {Code::kUnavailable, fmt::format("{}: {}: {}", base::to_utf8(path), what, strerror(errno))};
}

base::Result<std::string> hash_of_file(const std::string& path, const StopFlag& stop) {
  OpenFile file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) return file_trouble(path, "cannot be read");
  base::Sha256Stream hash;
  std::vector<char> buffer(1u << 20);
  for (;;) {
    if (stop && *stop) return Status(Code::kUnavailable, base::to_utf8(path) + ": stopped");
    ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return file_trouble(path, "cannot be read");
    if (size == 0) return std::string(base::as_bytes(hash.finish()));
    hash.update(buffer.data(), static_cast<size_t>(size));
  }
}

std::string path_bytes(const std::string& recorded) {
  struct stat info {};
  if (recorded.find("\\x") == recorded.npos || lstat(recorded.c_str(), &info) == 0) return recorded;
  std::string bytes;
  for (size_t i = 0; i < recorded.size(); ++i) {
    auto digits = recorded.compare(i, 2, "\\x") == 0 ? base::from_hex(recorded.substr(i + 2, 2)) : std::nullopt;
    if (digits && digits->size() == 1) {
      bytes += *digits;
      i += 3;
    } else {
      bytes += recorded[i];
    }
  }
  return lstat(bytes.c_str(), &info) == 0 ? bytes : recorded;
}

std::optional<std::string> read_small_file(const std::string& path, size_t limit) {
  // The script could have put anything there: no link is followed, nothing is waited for.
  OpenFile file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info {};
  if (!file.is_open() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (static_cast<uint64_t>(info.st_size) > limit) return std::nullopt;
  std::string content(static_cast<size_t>(info.st_size), '\0');
  ssize_t size = ::read(file.get(), content.data(), content.size());
  content.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return content;
}

Status write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file.good() ? Status() : file_trouble(path, "cannot be written");
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

bool stays_below(std::string_view path) {
  for (;;) {
    size_t end = std::min(path.find('/'), path.size());
    if (!is_plain_name(path.substr(0, end))) return false;
    if (end == path.size()) return true;
    path.remove_prefix(end + 1);
  }
}

bool lies_in(std::string_view path, std::string_view folder) {
  while (!folder.empty() && folder.back() == '/') folder.remove_suffix(1);
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace daemons
