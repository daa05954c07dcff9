// Which groups give which rights.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ldap/name_pattern.h"

namespace ldap {

enum class Role : uint8_t { kMember, kScientist, kOperator, kAuditor, kAdministrator };

/// Groups of one kind, and the role they give.
struct RolePattern {
  Role role;
  NamePattern pattern;
  std::string experiment;  // how an experiment reads in the metadata of its runs, with {experiment} where the group's part goes
};

/// A role that a group gives. `instrument` is upper case and empty where the role is for all of them; `experiment` is empty but for members.
struct Grant {
  Role role = Role::kMember;
  std::string instrument, experiment, group;
  auto operator<=>(const Grant&) const = default;
};

/// "member", "scientist", "operator", "auditor", "administrator".
std::string_view role_name(Role role);

/// A member's pattern needs {experiment} and may have {instrument}, a scientist's needs {instrument}, the others take neither:
/// kInvalidArgument otherwise. `experiment` is for members only.
base::Result<RolePattern> parse_role_pattern(Role role, std::string_view pattern, std::string_view experiment = "{experiment}");

/// What being in all of these groups gives; sorted, each once. A group whose varying part is no instrument (1 to 32 letters, digits, - and _) or
/// no experiment (1 to 64 letters, digits, . _ and -, the first a letter or a digit, and not 0), or that can be read in two ways, gives nothing.
std::vector<Grant> grants_of(const std::vector<RolePattern>& patterns, const std::vector<std::string>& group_names);

}  // namespace ldap
