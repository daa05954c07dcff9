// Where accounts and their roles come from: what the service asks of the facility's directory and the site file.
#pragma once

#include <kj/async.h>

#include <map>
#include <string>
#include <vector>

#include "base/secret.h"
#include "base/status.h"
#include "rpc/access/caller.h"

namespace rpc {

/// An account as the directory has it now, with the roles its groups and the site file give it.
struct KnownAccount {
  std::string name;       // as the directory spells it
  std::vector<Grant> grants;  // sorted
  std::string by;         // who said so: "ldaps://ldap1.example.org"
};

/// Asked on the loop thread; never blocks it.
///
/// Errors: kPermissionDenied, kNotFound and kConflict as below; kUnavailable and kTimedOut: nobody could be asked, which says nothing about the account.
class Accounts {
 public:
  virtual ~Accounts() = default;
  /// False: no directory; accounts are those of the machine, and only the site file gives roles.
  virtual bool has_directory() const = 0;
  /// kPermissionDenied with one text for an unknown name and a wrong password, after the same time.
  virtual kj::Promise<base::Result<KnownAccount>> authenticate(std::string name, base::Secret password) = 0;
  /// kNotFound: there is no such account (any more). kConflict: several have this name, which says nothing of any of them. Without a
  /// directory every name is an account.
  virtual kj::Promise<base::Result<KnownAccount>> find(std::string name) = 0;
  /// Every account that has a role, with all of them: the whole directory, never a part. Accounts that the site file names are among them, whether the
  /// directory knows them or not.
  virtual kj::Promise<base::Result<std::map<std::string, std::vector<Grant>>>> all() = 0;
  /// The roles that the site file itself gives an account, for when the directory cannot be asked. Sorted.
  virtual std::vector<Grant> named_by_site(const std::string& name) const = 0;
};

}  // namespace rpc
