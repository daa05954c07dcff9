// What is asked of one server: accounts, their groups, the groups of a kind with their accounts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ldap/connection.h"
#include "ldap/membership.h"
#include "ldap/name_pattern.h"

namespace ldap {

/// An account as its entry has it.
struct FoundAccount {
  Account account;                       // without groups
  std::vector<std::string> member_of;    // DNs
  bool disabled = false;
};

/// Owns:    nothing; borrows the settings and a connection that may search.
/// Threads: as the connection.
/// Errors:  those of the connection, and kUnavailable where the answer would be a part only.
class Reader {
 public:
  Reader(const Settings& settings, Connection& connection, Moment until) : settings_(settings), connection_(connection), until_(until) {}

  /// nullopt: there is no such account, or more than one (which several() says), or it is disabled.
  base::Result<std::optional<Account>> find(const std::string& name);
  /// The same if the password is its own, which is tried on `binder`; nullopt: refused. A name without an account costs a bind all the same, so that
  /// the server's time does not tell.
  base::Result<std::optional<Account>> authenticate(const std::string& name, const Secret& password, Connection& binder);
  base::Result<std::vector<Group>> groups(const std::vector<NamePattern>& patterns);
  /// The last account asked for was more than one.
  bool several() const { return several_; }

 private:
  /// nullopt: there is none of this name, or more than one.
  base::Result<std::optional<FoundAccount>> account(const std::string& name);
  base::Result<std::optional<Account>> with_groups(FoundAccount found);
  /// Names of all groups of the account, sorted.
  base::Result<std::vector<std::string>> groups_of(const FoundAccount& account);
  base::Result<std::vector<GroupEntry>> groups_where(const std::string& condition);
  base::Result<std::vector<GroupEntry>> groups_having(const std::vector<std::string>& dns);
  base::Result<std::vector<GroupEntry>> groups_at(const std::vector<std::string>& dns);
  base::Result<std::map<std::string, std::string>> accounts_at(const std::vector<std::string>& dns);
  base::Result<std::vector<std::string>> accounts_named(const std::vector<std::string>& names);
  base::Result<std::vector<GroupEntry>> direct_groups(const FoundAccount& account);
  base::Result<std::vector<GroupEntry>> parents_of(const std::vector<GroupEntry>& groups);
  GroupEntry group_of(const Entry& entry);
  std::vector<std::string> account_attributes() const;
  std::vector<std::string> group_attributes() const;

  const Settings& settings_;
  Connection& connection_;
  const Moment until_;
  bool several_ = false;
  std::map<std::string, std::vector<std::string>> parents_by_dn_;  // memberOf of the groups read so far
};

}  // namespace ldap
