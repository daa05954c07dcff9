#include "daemons/coordinator/script_capture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace daemons {
namespace {

constexpr off_t kLargestScriptBytes = 4 << 20;

base::Result<CapturedFile> read_file(const std::filesystem::path& path) {
  using base::Code;
  auto fault = [&](Code code, std::string_view what) { return base::Status(code, fmt::format("{}: {}", path.string(), what)); };
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return fault(errno == ENOENT || errno == ENOTDIR ? Code::kNotFound : Code::kUnavailable, std::strerror(errno));
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return fault(Code::kUnavailable, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fault(Code::kInvalidArgument, "not a regular file");
  CapturedFile file{path.filename().string(), {}, {}};
  char buffer[65536];
  for (;;) {
    ssize_t size = read(descriptor, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fault(Code::kUnavailable, std::strerror(errno));
    if (size == 0) break;
    file.bytes.append(buffer, static_cast<size_t>(size));
    if (file.bytes.size() > static_cast<size_t>(kLargestScriptBytes)) return fault(Code::kInvalidArgument, "over 4 MiB, which no script is");
  }
  file.sha256 = base::sha256(file.bytes);
  return file;
}

}  // namespace

base::Result<CapturedScript> capture_script(const std::filesystem::path& path, schema::Contract contract) {
  auto script = read_file(path);
  if (!script.is_ok()) return script.status();
  CapturedScript captured{std::move(*script), {}};
  if (contract == schema::Contract::ISIS) {
    auto variables = read_file(path.parent_path() / "reduce_vars.py");
    if (variables.is_ok()) {
      captured.siblings.push_back(std::move(*variables));
    } else if (variables.status().code() != base::Code::kNotFound) {
      return variables.status();
    }
  }
  return captured;
}

}  // namespace daemons
