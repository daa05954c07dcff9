#include "ledger/checkpoint_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "ledger/proof/checkpoint.h"

namespace ledger {
namespace {

constexpr size_t kMaxLine = 1024;

base::Status failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  return {base::Code::kUnavailable, fmt::format("{}: {}: {}", path.string(), what, std::strerror(error))};
}
base::Status corrupt(const std::filesystem::path& path, std::string_view why) {
  return {base::Code::kCorruption, fmt::format("{}: {}; put it back from a copy", path.string(), why)};
}

/// kNotFound: there is no such file.
base::Result<std::string> read_line(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return base::Status(base::Code::kNotFound, fmt::format("{}: is missing", path.string()));
  if (file < 0) return failed(path, "cannot be opened");
  std::string line(kMaxLine, '\0');
  const ssize_t got = ::read(file, line.data(), line.size());
  base::Status status = got < 0 ? failed(path, "cannot be read") : base::Status();
  ::close(file);
  if (!status.is_ok()) return status;
  line.resize(got);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

/// Whole or not at all, and on disk.
base::Status write_line(const std::filesystem::path& path, std::string line, mode_t mode) {
  const std::filesystem::path fresh = path.string() + ".new";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  if (file < 0) return failed(fresh, "cannot be created");
  line += '\n';
  const bool whole = ::fchmod(file, mode) == 0 && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
  base::Status status = whole ? base::Status() : failed(fresh, "cannot be written");
  ::close(file);
  OPENSSL_cleanse(line.data(), line.size());
  if (!status.is_ok()) return status;
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(path, "cannot be renamed into place");
  const int directory = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || ::fsync(directory) != 0) status = failed(path.parent_path(), "cannot be synced");
  if (directory >= 0) ::close(directory);
  return status;
}

}  // namespace

base::Result<SigningKey> open_checkpoint_key(const std::filesystem::path& folder, std::string_view id) {
  const std::filesystem::path secret_path = folder / "checkpoint.key", public_path = folder / "checkpoint.pub";
  auto secret = read_line(secret_path);
  const auto known = read_line(public_path);
  if (!known.is_ok() && known.status().code() != base::Code::kNotFound) return known.status();
  if (!secret.is_ok() && secret.status().code() != base::Code::kNotFound) return secret.status();

  std::optional<SigningKey> key;
  if (!secret.is_ok()) {
    if (known.is_ok()) return corrupt(secret_path, "is missing, though checkpoint.pub is there: without it no checkpoint can be signed");
    auto made = SigningKey::generate(checkpoint_origin(id));
    if (!made.is_ok()) return made.status();
    if (base::Status written = write_line(secret_path, made->secret_line(), 0600); !written.is_ok()) return written;
    key = *made;
  } else {
    auto parsed = SigningKey::parse(*secret);
    OPENSSL_cleanse(secret->data(), secret->size());
    if (!parsed.is_ok()) return corrupt(secret_path, parsed.status().message());
    key = *parsed;
  }
  if (key->public_key().name != checkpoint_origin(id)) {
    return corrupt(secret_path, fmt::format("is the key of {}, not of {}", key->public_key().name, checkpoint_origin(id)));
  }
  const std::string line = key->public_key().line();
  if (!known.is_ok()) {
    if (base::Status written = write_line(public_path, line, 0644); !written.is_ok()) return written;
  } else if (*known != line) {
    return corrupt(public_path, "is not the public half of checkpoint.key");
  }
  return *key;
}

base::Status write_public_key(const std::filesystem::path& folder, const NoteKey& key) {
  return write_line(folder / "checkpoint.pub", key.line(), 0644);
}

base::Result<NoteKey> read_public_key(const std::filesystem::path& folder) {
  const auto line = read_line(folder / "checkpoint.pub");
  if (!line.is_ok()) return line.status();
  auto key = NoteKey::parse(*line);
  if (!key.is_ok()) return corrupt(folder / "checkpoint.pub", key.status().message());
  return key;
}

}  // namespace ledger
