// An entry of a directory, as bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ldap {

/// What a server said of one entry: nothing about it is certain, neither that an attribute is there nor that a value is text.
struct Entry {
  std::string dn;
  std::map<std::string, std::vector<std::string>, std::less<>> attributes;  // names in lower case
  bool partial = false;                                                     // the server kept values back (;range=)

  /// `name` in any case; empty when there is none.
  const std::vector<std::string>& values(std::string_view name) const;
};

/// A name as people may have one: 1 to 256 bytes of UTF-8 without NUL.
bool is_name(std::string_view text);
/// The first value of the attribute that is_name(), or "".
std::string first_name(const Entry& entry, std::string_view attribute);
/// All values of the attribute that are names.
std::vector<std::string> names(const Entry& entry, std::string_view attribute);

/// Whether the directory says that nobody may use the account now (UTC seconds since 1970), in the words of 389 DS and FreeIPA (nsAccountLock),
/// Active Directory (userAccountControl, accountExpires), eDirectory (loginDisabled), OpenLDAP (pwdAccountLockedTime for good) and RFC 2307
/// (shadowExpire). A lock that ends by itself is not one.
bool is_disabled(const Entry& entry, int64_t now_s);
/// The attributes that is_disabled() looks at.
const std::vector<std::string>& disabling_attributes();

}  // namespace ldap
