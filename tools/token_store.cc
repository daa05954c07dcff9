#include "tools/token_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/private_file.h"

namespace tools {
namespace {

using base::Code;
using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

std::filesystem::path folder_of_environment() {
  const char* state = getenv("XDG_STATE_HOME");
  if (state && state[0] == '/') return std::filesystem::path(state) / "runledger";  // a relative one counts as none, as the specification has it
  const char* home = getenv("HOME");
  const passwd* account = home && home[0] == '/' ? nullptr : getpwuid(geteuid());
  if (account) home = account->pw_dir;
  if (!home || home[0] != '/') return {};
  return std::filesystem::path(home) / ".local" / "state" / "runledger";
}

Json json_of(const StoredLogin& login) {
  return {{"address", login.address},   {"ledger", login.ledger}, {"account", login.account},      {"token_id", login.token_id},
          {"token", login.token},       {"issued_ns", login.issued_ns}, {"expires_ns", login.expires_ns}};
}

StoredLogin login_of(const Json& json) {
  return {json.at("address"), json.at("ledger"), json.at("account"), json.at("token_id"), json.at("token"), json.at("issued_ns"), json.at("expires_ns")};
}

/// Whoever may write to the folder could put another file in the place of ours.
base::Status check_folder(const std::filesystem::path& folder) {
  struct stat about {};
  if (stat(folder.c_str(), &about) != 0) return {Code::kUnavailable, fmt::format("{}: {}", folder.string(), strerror(errno))};
  if (about.st_uid != geteuid()) return {Code::kPermissionDenied, fmt::format("{}: it belongs to another account (uid {}); no login is kept there", folder.string(), about.st_uid)};
  if ((about.st_mode & 0022) == 0) return {};
  return {Code::kPermissionDenied,
          fmt::format("{0}: others may write to it (mode {1:04o}); no login is kept there, run 'chmod 0700 {0}'", folder.string(), about.st_mode & 07777)};
}

}  // namespace

TokenStore TokenStore::of_environment() { return TokenStore(folder_of_environment()); }

base::Result<std::vector<StoredLogin>> TokenStore::all() const {
  if (folder_.empty()) return std::vector<StoredLogin>();
  base::Result<std::string> text = read_private_file(file());
  if (!text.is_ok() && text.status().code() == Code::kNotFound) return std::vector<StoredLogin>();
  if (!text.is_ok()) return text.status();
  if (base::Status status = check_folder(folder_); !status.is_ok()) return status;
  const base::Status damaged(Code::kCorruption, fmt::format("{}: cannot be read as what it should be; remove it and log in again", file().string()));
  try {
    const Json json = Json::parse(*text);
    if (json.at("format") != kFormat) {
      return base::Status(Code::kUnsupportedVersion, fmt::format("{}: another release wrote it; remove it and log in again", file().string()));
    }
    std::vector<StoredLogin> logins;
    for (const Json& each : json.at("logins")) logins.push_back(login_of(each));
    return logins;
  } catch (const Json::exception&) {
    return damaged;
  }
}

base::Result<std::optional<StoredLogin>> TokenStore::find(std::string_view address, std::string_view ledger) const {
  auto logins = all();
  if (!logins.is_ok()) return logins.status();
  for (StoredLogin& login : *logins) {
    if (login.address == address && login.ledger == ledger) return std::optional(std::move(login));
  }
  return std::optional<StoredLogin>();
}

TokenStore::Turn::Turn(Turn&& other) noexcept : lock_(std::exchange(other.lock_, -1)) {}
TokenStore::Turn::~Turn() {
  if (lock_ >= 0) close(lock_);
}

base::Result<int> TokenStore::open_lock() const {
  if (folder_.empty()) return base::Status(Code::kUnavailable, "no folder to keep a login in: neither XDG_STATE_HOME nor HOME is set");
  std::error_code problem;
  std::filesystem::create_directories(folder_.parent_path(), problem);
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::Status(Code::kUnavailable, fmt::format("{}: cannot be made: {}; no login can be kept", folder_.string(), strerror(errno)));
  }
  if (base::Status status = check_folder(folder_); !status.is_ok()) return status;
  const auto path = folder_ / "tokens.lock";
  const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return base::Status(Code::kUnavailable, fmt::format("{}: {}; no login can be kept", path.string(), strerror(errno)));
  return lock;
}

base::Result<TokenStore::Turn> TokenStore::take_turn() const {
  base::Result<int> lock = open_lock();
  if (!lock.is_ok()) return lock.status();
  while (flock(*lock, LOCK_EX) != 0 && errno == EINTR) {
  }
  return Turn(*lock);
}

std::optional<TokenStore::Turn> TokenStore::try_turn() const {
  base::Result<int> lock = open_lock();
  if (!lock.is_ok()) return std::nullopt;
  Turn turn(*lock);
  if (flock(*lock, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return turn;
}

base::Status TokenStore::keep(const Turn&, const StoredLogin& login) const {
  auto logins = others(login);
  if (!logins.is_ok()) return logins.status();
  logins->push_back(login);
  return write(*logins);
}

base::Status TokenStore::remove(const Turn&, const StoredLogin& login) const {
  auto logins = others(login);
  return logins.is_ok() ? write(*logins) : logins.status();
}

base::Result<std::vector<StoredLogin>> TokenStore::others(const StoredLogin& login) const {
  auto logins = all();
  if (!logins.is_ok()) return logins;
  std::erase_if(*logins, [&](const StoredLogin& other) { return other.address == login.address && other.ledger == login.ledger; });
  return logins;
}

base::Status TokenStore::write(const std::vector<StoredLogin>& logins) const {
  Json json = {{"format", kFormat}, {"logins", Json::array()}};
  for (const StoredLogin& login : logins) json["logins"].push_back(json_of(login));
  const auto fresh = folder_ / "tokens.json.new";
  unlink(fresh.c_str());  // left behind by a process that was killed: only who has the turn writes it
  auto made = NewPrivateFile::create(fresh);
  if (!made.is_ok()) return made.status();
  if (base::Status status = made->write(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); !status.is_ok()) return status;
  return made->keep_as(file());
}

}  // namespace tools
