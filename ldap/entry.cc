#include "ldap/entry.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace ldap {
namespace {

constexpr size_t kNameBytes = 256;

bool says_true(const Entry& entry, std::string_view attribute) {
  const auto& values = entry.values(attribute);
  return !values.empty() && base::ascii_lower(values.front()) == "true";
}

std::optional<int64_t> number(const Entry& entry, std::string_view attribute) {
  const auto& values = entry.values(attribute);
  if (values.empty()) return std::nullopt;
  const std::string& text = values.front();
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

const std::vector<std::string>& Entry::values(std::string_view name) const {
  static const std::vector<std::string> kNone;
  auto found = attributes.find(base::ascii_lower(name));
  return found == attributes.end() ? kNone : found->second;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytes && text.find('\0') == std::string_view::npos && base::is_utf8(text);
}

std::vector<std::string> names(const Entry& entry, std::string_view attribute) {
  std::vector<std::string> found;
  for (const std::string& value : entry.values(attribute)) {
    if (is_name(value)) found.push_back(value);
  }
  return found;
}

std::string first_name(const Entry& entry, std::string_view attribute) {
  std::vector<std::string> found = names(entry, attribute);
  return found.empty() ? std::string() : std::move(found.front());
}

bool is_disabled(const Entry& entry, int64_t now_s) {
  if (says_true(entry, "nsAccountLock") || says_true(entry, "loginDisabled")) return true;
  const auto& locked = entry.values("pwdAccountLockedTime");
  if (!locked.empty() && locked.front() == "000001010000Z") return true;  // draft-behera-ldap-password-policy: until an administrator ends it
  constexpr int64_t kAccountDisable = 2;                                  // of userAccountControl
  if ((number(entry, "userAccountControl").value_or(0) & kAccountDisable) != 0) return true;
  // 100 ns since 1601; 0 and the largest number mean never.
  constexpr int64_t kTicksPerSecond = 10'000'000, kSecondsTo1970 = 11'644'473'600;
  int64_t expires = number(entry, "accountExpires").value_or(0);
  if (expires > 0 && expires / kTicksPerSecond - kSecondsTo1970 <= now_s) return true;
  // Days since 1970, the first on which it is closed; shadow(5): 0 should not be used, -1 is never.
  constexpr int64_t kDay = 86'400;
  int64_t day = number(entry, "shadowExpire").value_or(0);
  return day > 0 && day <= now_s / kDay;
}

const std::vector<std::string>& disabling_attributes() {
  static const std::vector<std::string> kAttributes = {"nsAccountLock",  "loginDisabled",  "pwdAccountLockedTime",
                                                       "userAccountControl", "accountExpires", "shadowExpire"};
  return kAttributes;
}

}  // namespace ldap
