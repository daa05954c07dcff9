// [access] of the site file: who else than the account that runs the ledger may connect, and what gives them roles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace site {

/// [access.ldap]: the facility's directory. Files are absolute. What is empty or 0 is as ldap/directory.h has it.
struct Directory {
  std::vector<std::string> servers;  // "ldaps://host[:port]", "ldap://host[:port]"; asked in this order
  bool plaintext = false;            // ldap:// without StartTLS
  std::string ca;
  std::string bind_name;
  std::string bind_password_file;
  std::string user_base, user_filter, user_attribute;
  std::string group_base, group_filter, group_attribute;
  bool member_of = false;
  uint64_t nested_levels = 5;
  uint64_t page_size = 500;
  uint64_t connect_time_limit_ms = 3'000;
  uint64_t answer_time_limit_ms = 5'000;
  uint64_t whole_time_limit_ms = 20'000;
};

/// One [[access.role]] table: accounts, or the groups of the directory, that have a role.
struct RoleRule {
  std::string where;  // "line 12: [[access.role]] scientist", for messages about it
  std::string role;   // "member" | "scientist" | "operator" | "auditor" | "administrator"
  std::vector<std::string> groups;    // patterns: "sns_{instrument}_team"
  std::vector<std::string> accounts;  // by name, whatever the directory says
  std::string instrument;  // of scientists by account; upper case
  std::string experiment;  // of members: by account the experiment; by group how runs' metadata spell it, "IPTS-{experiment}"; empty = as in the group
};

struct Access {
  uint64_t login_ms = 12 * 3600'000ull;
  uint64_t machine_token_ms = 365 * 86'400'000ull;
  uint64_t refresh_ms = 300'000;
  uint32_t member_reruns = 20;
  uint32_t scientist_reruns = 10'000;
  std::string certificate, key;  // of ledgerd, for "tls:" addresses
  std::string client_ca;         // authorities that sign daemons' certificates; empty = none is asked for
  std::optional<Directory> directory;
  std::vector<RoleRule> roles;
};

}  // namespace site
