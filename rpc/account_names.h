// The names of this machine's accounts.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "rpc/loop.h"

namespace rpc {

/// May ask the network (LDAP, sssd), so not on the loop. "uid:1234" when the system has no name for it.
std::string look_up_account(uid_t uid);

/// Account names by user id, looked up on the pool; ours once, another again when it is ten minutes old.
///
/// Threads: loop thread. It must outlive the promises it gave.
class AccountNames {
 public:
  explicit AccountNames(Loop& loop);
  kj::Promise<std::string> name_of(uid_t uid);

 private:
  struct Known {
    std::string name;
    kj::TimePoint since;
  };
  Loop& loop_;
  const uid_t own_uid_;
  const std::string own_name_;
  std::map<uid_t, Known> names_;
};

}  // namespace rpc
