#include "ldap/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "base/text.h"
#include "ldap/dn.h"
#include "ldap/escape.h"

namespace ldap {
namespace {

using base::Code;
using base::Status;

constexpr size_t kNamesInOneFilter = 50;
constexpr std::string_view kUserHole = "{user}";

std::string with_user(std::string filter, std::string_view value) {
  for (size_t at = 0; (at = filter.find(kUserHole, at)) != std::string::npos; at += value.size()) filter.replace(at, kUserHole.size(), value);
  return filter;
}

/// Calls `ask` with the filter parts of some of `items` at a time.
template <typename Item, typename Part, typename Ask>
Status in_batches(const std::vector<Item>& items, const Part& part, const Ask& ask) {
  for (size_t begin = 0; begin < items.size(); begin += kNamesInOneFilter) {
    std::string any = "(|";
    for (size_t i = begin; i < std::min(items.size(), begin + kNamesInOneFilter); ++i) any += part(items[i]);
    if (Status status = ask(any + ")"); !status.is_ok()) return status;
  }
  return {};
}

/// One name for one account, whichever of several was asked for: the one in its DN, else the first in order of bytes.
std::string account_name(const Entry& entry, const std::string& attribute) {
  std::vector<std::string> all = names(entry, attribute);
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  if (auto key = dn_key(entry.dn)) {
    for (const std::string& name : all) {
      auto naming = dn_key(fmt::format("{}={}", attribute, dn_value(name)));
      if (naming && key->starts_with(*naming + ",")) return name;
    }
  }
  return all.front();
}

/// Those of the names that are `base` or below it: what lies elsewhere is not the settings' business.
std::vector<std::string> within(const std::vector<std::string>& dns, const std::string& base) {
  std::vector<std::string> inside;
  std::string base_key = dn_key(base).value_or("");
  for (const std::string& dn : dns) {
    auto key = dn_key(dn);
    if (key && is_within(*key, base_key)) inside.push_back(dn);
  }
  return inside;
}

Status partial_group() {
  return {Code::kUnavailable, "it shows a part of a group's members only (;range=); raise its limit of values in one answer"};
}

std::vector<std::string> joined(std::vector<std::string> names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}

}  // namespace

std::vector<std::string> Reader::account_attributes() const { return joined({settings_.user_attribute}, disabling_attributes()); }

std::vector<std::string> Reader::group_attributes() const {
  std::vector<std::string> wanted{settings_.group_attribute};
  if (settings_.member_of) wanted.push_back("memberOf");
  return wanted;
}

base::Result<std::optional<FoundAccount>> Reader::account(const std::string& name) {
  std::vector<std::string> wanted = account_attributes();
  if (settings_.member_of) wanted.push_back("memberOf");
  auto entries = connection_.search_two(settings_.user_base, with_user(settings_.user_filter, filter_value(name)), wanted, until_);
  if (!entries.is_ok()) return entries.status();
  several_ = entries->size() > 1;
  if (entries->size() != 1) return std::optional<FoundAccount>();
  const Entry& entry = entries->front();
  FoundAccount found;
  found.account.name = account_name(entry, settings_.user_attribute);
  found.account.dn = entry.dn;
  found.member_of = entry.values("memberOf");
  found.disabled = is_disabled(entry, std::time(nullptr));
  if (found.account.name.empty() || !dn_key(entry.dn)) return std::optional<FoundAccount>();
  if (entry.partial) return Status(Code::kUnavailable, "it shows a part of the account's groups only; set member_of = false");
  return std::optional(std::move(found));
}

base::Result<std::optional<Account>> Reader::with_groups(FoundAccount found) {
  auto groups = groups_of(found);
  if (!groups.is_ok()) return groups.status();
  found.account.groups = std::move(groups).value();
  return std::optional(std::move(found.account));
}

base::Result<std::optional<Account>> Reader::find(const std::string& name) {
  auto found = account(name);
  if (!found.is_ok()) return found.status();
  if (!*found || (*found)->disabled) return std::optional<Account>();
  return with_groups(std::move(**found));
}

base::Result<std::optional<Account>> Reader::authenticate(const std::string& name, const Secret& password, Connection& binder) {
  auto found = account(name);
  if (!found.is_ok()) return found.status();
  std::string dn = *found ? (*found)->account.dn : fmt::format("{}={},{}", settings_.user_attribute, dn_value(name), settings_.user_base);
  auto accepted = binder.bind(dn, password.view(), until_);
  if (!accepted.is_ok()) return accepted.status();
  if (!*accepted || !*found || (*found)->disabled) return std::optional<Account>();
  return with_groups(std::move(**found));
}

GroupEntry Reader::group_of(const Entry& entry) {
  GroupEntry group{entry.dn, names(entry, settings_.group_attribute), names(entry, "memberUid"), entry.values("member")};
  group.members = joined(std::move(group.members), entry.values("uniqueMember"));
  if (settings_.member_of) parents_by_dn_[entry.dn] = entry.values("memberOf");
  return group;
}

base::Result<std::vector<GroupEntry>> Reader::groups_where(const std::string& condition) {
  auto entries = connection_.search(settings_.group_base, fmt::format("(&{}{})", settings_.group_filter, condition), group_attributes(), until_);
  if (!entries.is_ok()) return entries.status();
  std::vector<GroupEntry> groups;
  for (const Entry& entry : *entries) groups.push_back(group_of(entry));
  return groups;
}

/// The groups with these names, without their members.
base::Result<std::vector<GroupEntry>> Reader::groups_having(const std::vector<std::string>& dns) {
  std::vector<std::string> inside = within(dns, settings_.group_base);
  auto entries = connection_.read(inside, settings_.group_filter, group_attributes(), until_);
  if (!entries.is_ok()) return entries.status();
  std::vector<GroupEntry> groups;
  for (const auto& entry : *entries) {
    if (entry) groups.push_back(group_of(*entry));
  }
  return groups;
}

base::Result<std::vector<GroupEntry>> Reader::direct_groups(const FoundAccount& account) {
  std::string by_name = fmt::format("(memberUid={})", filter_value(account.account.name));
  if (settings_.member_of) {
    auto found = groups_where(by_name);
    if (!found.is_ok()) return found;
    auto more = groups_having(account.member_of);
    if (!more.is_ok()) return more;
    found->insert(found->end(), more->begin(), more->end());
    return found;
  }
  std::string dn = filter_value(account.account.dn);
  return groups_where(fmt::format("(|{}(member={})(uniqueMember={}))", by_name, dn, dn));
}

base::Result<std::vector<GroupEntry>> Reader::parents_of(const std::vector<GroupEntry>& groups) {
  if (settings_.member_of) {
    std::set<std::string> dns;
    for (const GroupEntry& group : groups) {
      const auto& parents = parents_by_dn_[group.dn];
      dns.insert(parents.begin(), parents.end());
    }
    return groups_having({dns.begin(), dns.end()});
  }
  std::vector<GroupEntry> found;
  Status status = in_batches(
      groups,
      [](const GroupEntry& group) {
        std::string dn = filter_value(group.dn);
        return fmt::format("(member={})(uniqueMember={})", dn, dn);
      },
      [&](const std::string& any) -> Status {
        auto some = groups_where(any);
        if (!some.is_ok()) return some.status();
        found.insert(found.end(), some->begin(), some->end());
        return {};
      });
  if (!status.is_ok()) return status;
  return found;
}

base::Result<std::vector<std::string>> Reader::groups_of(const FoundAccount& account) {
  auto direct = direct_groups(account);
  if (!direct.is_ok()) return direct.status();
  return names_with_parents(std::move(direct).value(), settings_.nested_levels, [this](const auto& groups) { return parents_of(groups); });
}

base::Result<std::map<std::string, std::string>> Reader::accounts_at(const std::vector<std::string>& dns) {
  std::vector<std::string> inside = within(dns, settings_.user_base);
  auto entries = connection_.read(inside, with_user(settings_.user_filter, "*"), account_attributes(), until_);
  if (!entries.is_ok()) return entries.status();
  std::map<std::string, std::string> found;
  for (size_t i = 0; i < inside.size(); ++i) {
    const auto& entry = entries->at(i);
    if (!entry || is_disabled(*entry, std::time(nullptr))) continue;
    std::string name = account_name(*entry, settings_.user_attribute);
    if (!name.empty()) found.emplace(inside[i], std::move(name));
  }
  return found;
}

base::Result<std::vector<std::string>> Reader::accounts_named(const std::vector<std::string>& names) {
  std::set<std::string> asked(names.begin(), names.end());
  std::vector<std::string> found;
  Status status = in_batches(
      names, [&](const std::string& name) { return with_user(settings_.user_filter, filter_value(name)); },
      [&](const std::string& any) -> Status {
        auto entries = connection_.search(settings_.user_base, any, account_attributes(), until_);
        if (!entries.is_ok()) return entries.status();
        for (const Entry& entry : *entries) {
          std::string name = account_name(entry, settings_.user_attribute);
          if (asked.contains(name) && !is_disabled(entry, std::time(nullptr))) found.push_back(std::move(name));
        }
        return {};
      });
  if (!status.is_ok()) return status;
  return found;
}

base::Result<std::vector<GroupEntry>> Reader::groups_at(const std::vector<std::string>& dns) {
  std::vector<std::string> inside = within(dns, settings_.group_base);
  auto entries = connection_.read(inside, settings_.group_filter, {settings_.group_attribute, "memberUid", "member", "uniqueMember"}, until_);
  if (!entries.is_ok()) return entries.status();
  std::vector<GroupEntry> groups;
  for (size_t i = 0; i < inside.size(); ++i) {
    const auto& entry = entries->at(i);
    if (!entry) continue;
    if (entry->partial) return partial_group();
    groups.push_back(group_of(*entry));
    groups.back().dn = inside[i];
  }
  return groups;
}

base::Result<std::vector<Group>> Reader::groups(const std::vector<NamePattern>& patterns) {
  if (patterns.empty()) return std::vector<Group>();
  auto wanted = [&patterns](const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(), [&name](const NamePattern& pattern) { return pattern.matches(name); });
  };
  std::string any = "(|";
  for (const NamePattern& pattern : patterns) any += pattern.filter(settings_.group_attribute);
  auto entries = connection_.search(settings_.group_base, fmt::format("(&{}{}))", settings_.group_filter, any),
                                    {settings_.group_attribute, "memberUid", "member", "uniqueMember"}, until_);
  if (!entries.is_ok()) return entries.status();
  std::vector<GroupEntry> roots;
  for (const Entry& entry : *entries) {
    GroupEntry group = group_of(entry);
    if (std::none_of(group.names.begin(), group.names.end(), wanted)) continue;
    if (entry.partial) return partial_group();
    roots.push_back(std::move(group));
  }
  MemberSource source{[this](const auto& dns) { return accounts_at(dns); }, [this](const auto& dns) { return groups_at(dns); },
                      [this](const auto& names) { return accounts_named(names); }};
  return groups_with_members(std::move(roots), settings_.nested_levels, wanted, source);
}

}  // namespace ldap
