// Groups in groups, resolved: pure but for the questions it asks.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "ldap/directory.h"

namespace ldap {

/// A group as its entry has it.
struct GroupEntry {
  std::string dn;
  std::vector<std::string> names;
  std::vector<std::string> accounts;  // names of accounts (memberUid)
  std::vector<std::string> members;   // DNs of accounts and groups (member, uniqueMember)
};

/// Names of the groups in `direct` and, up to `levels` above them, of those that they are in; sorted, each once. `parents_of` answers the groups that
/// have one of these groups as a member; it is never asked twice about one.
base::Result<std::vector<std::string>> names_with_parents(std::vector<GroupEntry> direct, int levels,
                                                          const std::function<base::Result<std::vector<GroupEntry>>(const std::vector<GroupEntry>&)>& parents_of);

/// Where names lead. Each is asked once for all names of one level.
struct MemberSource {
  /// Account names by DN, of those that are accounts in use.
  std::function<base::Result<std::map<std::string, std::string>>(const std::vector<std::string>& dns)> accounts_at;
  /// Groups by DN, of those that are groups; in the result, `dn` is the one that was asked for.
  std::function<base::Result<std::vector<GroupEntry>>(const std::vector<std::string>& dns)> groups_at;
  /// Of these account names, those that are accounts in use.
  std::function<base::Result<std::vector<std::string>>(const std::vector<std::string>& names)> accounts_named;
};

/// The accounts of each of these groups and of those in them, up to `levels` below; one Group for each name that `wanted` takes, sorted. What leads
/// nowhere is left out.
base::Result<std::vector<Group>> groups_with_members(std::vector<GroupEntry> roots, int levels, const std::function<bool(const std::string&)>& wanted,
                                                     const MemberSource& source);

}  // namespace ldap
