// Distinguished names, compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ldap {

/// The same text for every way to write a name: escapes and spaces around separators as RFC 4514 has them, ASCII letters in lower case. Other
/// letters stay as they are. nullopt: no distinguished name, or empty.
std::optional<std::string> dn_key(std::string_view dn);

/// Whether the entry `key` is `base_key` or below it; both from dn_key().
bool is_within(std::string_view key, std::string_view base_key);

}  // namespace ldap
