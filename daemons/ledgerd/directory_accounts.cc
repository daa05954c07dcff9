#include "daemons/ledgerd/directory_accounts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "daemons/ledgerd/site_grants.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
using rpc::Grant;
using rpc::KnownAccount;
using Given = std::map<std::string, std::vector<Grant>>;

constexpr size_t kMaxNameBytes = 256;  // of an account or group, on record

struct Patterns {
  std::vector<ldap::RolePattern> roles;
  std::vector<std::string> names;  // of groups
};

ldap::Role ldap_role(schema::Role role) {
  switch (role) {
    case schema::Role::SCIENTIST: return ldap::Role::kScientist;
    case schema::Role::OPERATOR: return ldap::Role::kOperator;
    case schema::Role::AUDITOR: return ldap::Role::kAuditor;
    case schema::Role::ADMINISTRATOR: return ldap::Role::kAdministrator;
    default: return ldap::Role::kMember;
  }
}

schema::Role recorded_role(ldap::Role role) {
  switch (role) {
    case ldap::Role::kMember: return schema::Role::MEMBER;
    case ldap::Role::kScientist: return schema::Role::SCIENTIST;
    case ldap::Role::kOperator: return schema::Role::OPERATOR;
    case ldap::Role::kAuditor: return schema::Role::AUDITOR;
    case ldap::Role::kAdministrator: return schema::Role::ADMINISTRATOR;
  }
  return schema::Role::UNSET;
}

base::Result<Patterns> read_patterns(const site::Access& access) {
  Patterns patterns;
  for (const site::RoleRule& rule : access.roles) {
    for (const std::string& group : rule.groups) {
      auto parsed = rule.experiment.empty() ? ldap::parse_role_pattern(ldap_role(role_of(rule.role)), group)
                                            : ldap::parse_role_pattern(ldap_role(role_of(rule.role)), group, rule.experiment);
      if (!parsed.is_ok()) return parsed.status().in(rule.where);
      patterns.roles.push_back(std::move(*parsed));
      patterns.names.push_back(group);
    }
  }
  return patterns;
}

/// What being in these groups gives. A member's instrument says nothing more than his experiment does.
std::vector<Grant> grants_by(const Patterns& patterns, const std::vector<std::string>& groups) {
  std::vector<Grant> grants;
  for (const ldap::Grant& grant : ldap::grants_of(patterns.roles, groups)) {
    if (grant.group.size() > kMaxNameBytes) continue;
    grants.push_back({recorded_role(grant.role), grant.role == ldap::Role::kMember ? "" : grant.instrument, grant.experiment, grant.group});
  }
  tidy_up(grants);
  return grants;
}

/// The machine's accounts, with the site file's roles.
class SiteAccounts final : public rpc::Accounts {
 public:
  explicit SiteAccounts(SiteGrants site) : site_(std::move(site)) {}
  bool has_directory() const override { return false; }
  kj::Promise<base::Result<KnownAccount>> authenticate(std::string, base::Secret) override { return base::Result<KnownAccount>(ldap::refused()); }
  kj::Promise<base::Result<KnownAccount>> find(std::string name) override {
    std::vector<Grant> grants = site_.of(name);
    return base::Result<KnownAccount>(KnownAccount{std::move(name), std::move(grants), "the site file"});
  }
  kj::Promise<base::Result<Given>> all() override {
    Given given;
    site_.add_to(given);
    return base::Result<Given>(std::move(given));
  }
  std::vector<Grant> named_by_site(const std::string& name) const override { return site_.of(name); }

 private:
  const SiteGrants site_;
};

/// Calls of one kind that wait for the directory's threads.
template <typename T>
struct Asked {
  using Result = base::Result<T>;
  uint64_t next = 0;
  std::map<uint64_t, kj::Own<kj::PromiseFulfiller<Result>>> waiting;  // touched on the loop alone

  static kj::Promise<Result> ask(std::shared_ptr<Asked> asked, rpc::Loop& loop, const std::function<void(ldap::Done<T>)>& start) {
    auto pair = kj::newPromiseAndFulfiller<Result>();
    const uint64_t ticket = asked->next++;
    asked->waiting.emplace(ticket, kj::mv(pair.fulfiller));
    start([asked = std::weak_ptr<Asked>(asked), &loop, ticket](Result result) {
      loop.post([asked, ticket, result = std::move(result)]() mutable {
        const auto still = asked.lock();
        if (!still) return;
        still->waiting.extract(ticket).mapped()->fulfill(std::move(result));
      });
    });
    return kj::mv(pair.promise);
  }
};

class DirectoryAccounts final : public rpc::Accounts {
 public:
  DirectoryAccounts(rpc::Loop& loop, SiteGrants site, Patterns patterns, std::unique_ptr<ldap::Directory> directory, std::string by)
      : loop_(loop), site_(std::move(site)), patterns_(std::make_shared<const Patterns>(std::move(patterns))), by_(std::move(by)), directory_(std::move(directory)) {}

  bool has_directory() const override { return true; }

  kj::Promise<base::Result<KnownAccount>> authenticate(std::string name, base::Secret password) override {
    return known(accounts_->ask(accounts_, loop_, [&](ldap::Done<ldap::Account> done) { directory_->authenticate(std::move(name), std::move(password), std::move(done)); }));
  }
  kj::Promise<base::Result<KnownAccount>> find(std::string name) override {
    return known(accounts_->ask(accounts_, loop_, [&](ldap::Done<ldap::Account> done) { directory_->find(std::move(name), std::move(done)); }));
  }

  kj::Promise<base::Result<Given>> all() override {
    auto asked = groups_->ask(groups_, loop_, [&](ldap::Done<std::vector<ldap::Group>> done) { directory_->groups(patterns_->names, std::move(done)); });
    return asked.then([this](base::Result<std::vector<ldap::Group>> groups) -> kj::Promise<base::Result<Given>> {
      if (!groups.is_ok()) return base::Result<Given>(groups.status());
      return loop_.on_pool([groups = std::move(*groups), patterns = patterns_, site = site_] {
        Given given;
        for (const ldap::Group& group : groups) {
          const std::vector<Grant> grants = grants_by(*patterns, {group.name});
          for (const std::string& member : group.members) {
            if (member.empty() || member.size() > kMaxNameBytes || grants.empty()) continue;
            std::vector<Grant>& of = given[member];
            of.insert(of.end(), grants.begin(), grants.end());
          }
        }
        for (auto& [account, grants] : given) tidy_up(grants);
        site.add_to(given);
        return base::Result<Given>(std::move(given));
      });
    });
  }

  std::vector<Grant> named_by_site(const std::string& name) const override { return site_.of(name); }

 private:
  kj::Promise<base::Result<KnownAccount>> known(kj::Promise<base::Result<ldap::Account>> asked) {
    return asked.then([this](base::Result<ldap::Account> account) -> base::Result<KnownAccount> {
      if (!account.is_ok()) return account.status();
      if (account->name.empty() || account->name.size() > kMaxNameBytes) {
        return Status(Code::kNotFound, fmt::format("the directory's name for the account has {} bytes; 1 to {} are taken", account->name.size(), kMaxNameBytes));
      }
      std::vector<Grant> grants = grants_by(*patterns_, account->groups);
      const std::vector<Grant> named = site_.of(account->name);
      grants.insert(grants.end(), named.begin(), named.end());
      tidy_up(grants);
      return KnownAccount{account->name, std::move(grants), by_};
    });
  }

  rpc::Loop& loop_;
  const SiteGrants site_;
  const std::shared_ptr<const Patterns> patterns_;
  const std::string by_;
  const std::shared_ptr<Asked<ldap::Account>> accounts_ = std::make_shared<Asked<ldap::Account>>();
  const std::shared_ptr<Asked<std::vector<ldap::Group>>> groups_ = std::make_shared<Asked<std::vector<ldap::Group>>>();
  const std::unique_ptr<ldap::Directory> directory_;  // last: it calls back until it is gone
};

ldap::Settings settings_of(const site::Directory& directory) {
  ldap::Settings settings;
  const auto set = [](std::string& setting, const std::string& value) {
    if (!value.empty()) setting = value;
  };
  settings.servers = directory.servers;
  settings.plaintext = directory.plaintext;
  settings.ca_file = directory.ca;
  settings.bind_name = directory.bind_name;
  settings.bind_password_file = directory.bind_password_file;
  settings.user_base = directory.user_base;
  settings.group_base = directory.group_base;
  set(settings.user_filter, directory.user_filter);
  set(settings.user_attribute, directory.user_attribute);
  set(settings.group_filter, directory.group_filter);
  set(settings.group_attribute, directory.group_attribute);
  settings.member_of = directory.member_of;
  settings.nested_levels = static_cast<int>(directory.nested_levels);
  settings.page_size = static_cast<int>(directory.page_size);
  settings.connect_ms = static_cast<int>(directory.connect_time_limit_ms);
  settings.answer_ms = static_cast<int>(directory.answer_time_limit_ms);
  settings.whole_ms = static_cast<int>(directory.whole_time_limit_ms);
  return settings;
}

}  // namespace

base::Result<std::shared_ptr<rpc::Accounts>> make_accounts(rpc::Loop& loop, const site::Access& access, std::unique_ptr<ldap::Directory> directory, std::string by) {
  SiteGrants site(access);
  if (!directory) return std::shared_ptr<rpc::Accounts>(std::make_shared<SiteAccounts>(std::move(site)));
  auto patterns = read_patterns(access);
  if (!patterns.is_ok()) return patterns.status();
  return std::shared_ptr<rpc::Accounts>(std::make_shared<DirectoryAccounts>(loop, std::move(site), std::move(*patterns), std::move(directory), std::move(by)));
}

base::Result<std::shared_ptr<rpc::Accounts>> open_accounts(rpc::Loop& loop, const site::Access& access) {
  if (!access.directory) return make_accounts(loop, access, nullptr, {});
  auto directory = ldap::open_directory(settings_of(*access.directory));
  if (!directory.is_ok()) return directory.status().in("[access.ldap]");
  return make_accounts(loop, access, std::move(*directory), fmt::format("{}", fmt::join(access.directory->servers, " or ")));
}

}  // namespace daemons
