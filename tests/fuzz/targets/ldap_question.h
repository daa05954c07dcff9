// What ldap_answers asks of a server, and fuzz_seeds of a real one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ldap/connection.h"
#include "ldap/directory.h"

namespace fuzz {

/// As the first byte of an input says it.
struct LdapQuestion {
  enum class Kind : uint8_t { kAuthenticate, kFind, kGroups };
  Kind kind = Kind::kAuthenticate;
  bool member_of = false;

  static LdapQuestion of(uint8_t byte) { return {static_cast<Kind>(byte % 3), (byte & 0x80) != 0}; }
  uint8_t byte() const { return static_cast<uint8_t>(static_cast<int>(kind) + (member_of ? 0x81 : 0)); }
};

struct LdapAnswer {
  std::optional<ldap::Account> account;
  std::vector<ldap::Group> groups;
};

/// Puts it to the server at the other end of both connections, as ldap::Directory does: one searches, the other tries the password of `name`.
base::Result<LdapAnswer> ask(LdapQuestion question, const std::string& name, ldap::Socket searching, ldap::Socket binding);

}  // namespace fuzz
