#include "rpc/account_names.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace rpc {

std::string look_up_account(uid_t uid) {
  std::vector<char> buffer(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  int status = 0;
  while ((status = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < (1 << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  return status == 0 && found != nullptr ? std::string(found->pw_name) : fmt::format("uid:{}", uid);
}

AccountNames::AccountNames(Loop& loop) : loop_(loop), own_uid_(geteuid()), own_name_(look_up_account(own_uid_)) {}

kj::Promise<std::string> AccountNames::name_of(uid_t uid) {
  if (uid == own_uid_) return own_name_;
  auto known = names_.find(uid);
  auto now = loop_.timer().now();
  if (known != names_.end() && now - known->second.since < 10 * kj::MINUTES) return known->second.name;
  return loop_.on_pool([uid] { return look_up_account(uid); }).then([this, uid, now](std::string name) {
    names_.insert_or_assign(uid, Known{name, now});
    return name;
  });
}

}  // namespace rpc
