// The roles that [[access.role]] tables give to accounts by name.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rpc/access/caller.h"
#include "site/access.h"

namespace daemons {

/// Owns: values. Threads: any.
class SiteGrants {
 public:
  explicit SiteGrants(const site::Access& access);
  /// Sorted. Upper and lower case are the same, as they are to directories.
  std::vector<rpc::Grant> of(const std::string& account) const;
  /// Adds them to those of accounts known by other names for the same, and accounts that are not among them.
  void add_to(std::map<std::string, std::vector<rpc::Grant>>& accounts) const;

 private:
  struct Named {
    std::string account;  // as the site file spells it
    std::vector<rpc::Grant> grants;
  };
  std::map<std::string, Named> by_lower_case_;
};

/// "scientist" -> Role::SCIENTIST
schema::Role role_of(const std::string& word);
/// Sorts, and leaves one of each.
void tidy_up(std::vector<rpc::Grant>& grants);

}  // namespace daemons
