// Values as they stand in search filters and names.
#pragma once

#include <string>
#include <string_view>

namespace ldap {

/// `value` as an assertion value of a search filter (RFC 4515 section 3): it matches itself and nothing else.
std::string filter_value(std::string_view value);

/// `value` as an attribute value in a distinguished name (RFC 4514 section 2.4).
std::string dn_value(std::string_view value);

}  // namespace ldap
