#include "ldap/dn.h"


#include "base/text.h"
#include "ldap/library.h"

namespace ldap {
namespace {

constexpr size_t kDnBytes = 8192;

}  // namespace

std::optional<std::string> dn_key(std::string_view dn) {
  if (dn.empty() || dn.size() > kDnBytes || dn.find('\0') != std::string_view::npos || !base::is_utf8(dn)) return std::nullopt;
  LDAPDN parsed = nullptr;
  if (::ldap_str2dn(std::string(dn).c_str(), &parsed, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || !parsed) return std::nullopt;
  char* written = nullptr;
  int outcome = ::ldap_dn2str(parsed, &written, LDAP_DN_FORMAT_LDAPV3);
  ::ldap_dnfree(parsed);
  std::optional<std::string> key;
  if (outcome == LDAP_SUCCESS && written) key = base::ascii_lower(written);
  ::ldap_memfree(written);
  return key;
}

bool is_within(std::string_view key, std::string_view base_key) {
  if (!key.ends_with(base_key)) return false;
  if (key.size() == base_key.size()) return true;
  // The comma in front must separate: an escaped one belongs to a value. dn2str escapes it as \2C, or with a backslash before it.
  size_t comma = key.size() - base_key.size() - 1;
  if (key[comma] != ',') return false;
  size_t backslashes = 0;
  while (backslashes < comma && key[comma - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 0;
}

}  // namespace ldap
