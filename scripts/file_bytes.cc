#include "scripts/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace scripts {
namespace {

using base::Code;

constexpr int kReadings = 3;

std::string size_words(uint64_t bytes) { return bytes >= 1 << 20 ? fmt::format("{} MiB", bytes >> 20) : fmt::format("{} bytes", bytes); }

base::Result<FileBytes> read_once(const std::filesystem::path& path, uint64_t limit_bytes) {
  auto fault = [&](Code code, std::string_view what) { return base::Status(code, fmt::format("{}: {}", path.string(), what)); };
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    const int error = errno;
    if (error == ENXIO) return fault(Code::kInvalidArgument, "not a regular file");  // a socket
    return fault(error == ENOENT || error == ENOTDIR ? Code::kNotFound : Code::kUnavailable, std::strerror(error));
  }
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return fault(Code::kUnavailable, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fault(Code::kInvalidArgument, "not a regular file");
  FileBytes file{{}, place_of(status)};
  if (file.place.size_bytes <= limit_bytes) file.bytes.reserve(file.place.size_bytes);
  char buffer[65536];
  for (;;) {
    if (file.place.size_bytes > limit_bytes || file.bytes.size() > limit_bytes) {
      return fault(Code::kInvalidArgument, fmt::format("over {}, the most that is taken of such a file", size_words(limit_bytes)));
    }
    ssize_t size = read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fault(Code::kUnavailable, std::strerror(errno));
    if (size == 0) break;
    file.bytes.append(buffer, static_cast<size_t>(size));
  }
  if (fstat(descriptor, &status) != 0) return fault(Code::kUnavailable, std::strerror(errno));
  if (place_of(status) != file.place || file.bytes.size() != file.place.size_bytes) return fault(Code::kConflict, "it is being written to");
  return file;
}

}  // namespace

base::Result<FileBytes> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  for (int reading = 1;; ++reading) {
    auto file = read_once(path, limit_bytes);
    if (file.is_ok() || file.status().code() != Code::kConflict) return file;
    if (reading == kReadings) return base::Status(Code::kUnavailable, file.status().message());
  }
}

}  // namespace scripts
