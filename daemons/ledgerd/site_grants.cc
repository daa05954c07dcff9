#include "daemons/ledgerd/site_grants.h"

#include <algorithm>

#include "base/text.h"

namespace daemons {

schema::Role role_of(const std::string& word) {
  static const std::map<std::string, schema::Role> kRoles = {{"member", schema::Role::MEMBER},
                                                             {"scientist", schema::Role::SCIENTIST},
                                                             {"operator", schema::Role::OPERATOR},
                                                             {"auditor", schema::Role::AUDITOR},
                                                             {"administrator", schema::Role::ADMINISTRATOR}};
  const auto found = kRoles.find(word);
  return found == kRoles.end() ? schema::Role::UNSET : found->second;
}

void tidy_up(std::vector<rpc::Grant>& grants) {
  std::sort(grants.begin(), grants.end());
  grants.erase(std::unique(grants.begin(), grants.end()), grants.end());
}

SiteGrants::SiteGrants(const site::Access& access) {
  for (const site::RoleRule& rule : access.roles) {
    for (const std::string& account : rule.accounts) {
      Named& named = by_lower_case_[base::ascii_lower(account)];
      if (named.account.empty()) named.account = account;
      named.grants.push_back({role_of(rule.role), rule.instrument, rule.experiment, {}});
    }
  }
  for (auto& [name, named] : by_lower_case_) tidy_up(named.grants);
}

std::vector<rpc::Grant> SiteGrants::of(const std::string& account) const {
  const auto found = by_lower_case_.find(base::ascii_lower(account));
  return found == by_lower_case_.end() ? std::vector<rpc::Grant>() : found->second.grants;
}

void SiteGrants::add_to(std::map<std::string, std::vector<rpc::Grant>>& accounts) const {
  std::map<std::string, Named> rest = by_lower_case_;
  for (auto& [account, grants] : accounts) {
    const auto named = rest.find(base::ascii_lower(account));
    if (named == rest.end()) continue;
    grants.insert(grants.end(), named->second.grants.begin(), named->second.grants.end());
    tidy_up(grants);
    rest.erase(named);
  }
  for (auto& [name, named] : rest) accounts[named.account] = std::move(named.grants);
}

}  // namespace daemons
