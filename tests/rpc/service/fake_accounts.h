// A directory a test holds in its hand.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "rpc/service/accounts.h"

namespace support {

inline rpc::Grant member(std::string experiment) { return {schema::Role::MEMBER, {}, experiment, "IPTS-" + experiment}; }
inline rpc::Grant scientist(std::string instrument) { return {schema::Role::SCIENTIST, instrument, {}, "sns_" + instrument + "_team"}; }
inline rpc::Grant administrator() { return {schema::Role::ADMINISTRATOR, {}, {}, "admins"}; }

/// Accounts with passwords and roles; changes, is silent or keeps its answers as the test says.
class FakeAccounts final : public rpc::Accounts {
 public:
  struct Account {
    std::string password;
    std::vector<rpc::Grant> grants;  // by groups
  };
  std::map<std::string, Account> known;
  std::map<std::string, std::vector<rpc::Grant>> site;  // by the site file
  std::map<std::string, std::string> aliases;          // other spellings, and the account
  bool directory = true;
  base::Status trouble;                             // kOk, or why it cannot be asked
  std::optional<kj::ForkedPromise<void>> answers;   // set: answers wait for it
  size_t asked = 0;
  bool throws = false;                              // the next reading of all fails for a reason nobody thought of

  bool has_directory() const override { return directory; }
  kj::Promise<base::Result<rpc::KnownAccount>> authenticate(std::string name, base::Secret password) override {
    if (auto alias = aliases.find(name); alias != aliases.end()) name = alias->second;
    const auto found = find_known(name);
    const bool good = found != known.end() && found->second.password == password.view();
    return answer(good ? account(found->first) : base::Result<rpc::KnownAccount>(base::Status(base::Code::kPermissionDenied, "refused")));
  }
  kj::Promise<base::Result<rpc::KnownAccount>> find(std::string name) override {
    const auto found = find_known(name);
    if (directory && found == known.end()) return answer(base::Result<rpc::KnownAccount>(base::Status(base::Code::kNotFound, name + ": no such account")));
    return answer(account(found == known.end() ? name : found->first));
  }
  using Given = std::map<std::string, std::vector<rpc::Grant>>;
  kj::Promise<base::Result<Given>> all() override {
    if (std::exchange(throws, false)) throw std::runtime_error("nobody thought of this");
    Given given = site;
    for (const auto& [name, account] : known) {
      if (!account.grants.empty()) given[name] = grants_of(name);
    }
    return answer(base::Result<Given>(std::move(given)));
  }
  std::vector<rpc::Grant> named_by_site(const std::string& name) const override {
    const auto found = std::find_if(site.begin(), site.end(), [&](const auto& each) { return base::ascii_lower(each.first) == base::ascii_lower(name); });
    return found == site.end() ? std::vector<rpc::Grant>() : found->second;
  }

 private:
  /// Upper and lower case are the same, as they are to directories.
  std::map<std::string, Account>::const_iterator find_known(const std::string& name) const {
    return std::find_if(known.begin(), known.end(), [&](const auto& each) { return base::ascii_lower(each.first) == base::ascii_lower(name); });
  }
  std::vector<rpc::Grant> grants_of(const std::string& name) const {
    std::vector<rpc::Grant> grants = named_by_site(name);
    if (auto found = known.find(name); found != known.end()) grants.insert(grants.end(), found->second.grants.begin(), found->second.grants.end());
    std::sort(grants.begin(), grants.end());
    return grants;
  }
  base::Result<rpc::KnownAccount> account(const std::string& name) const { return rpc::KnownAccount{name, grants_of(name), "a test"}; }

  template <typename T>
  kj::Promise<base::Result<T>> answer(base::Result<T> result) {
    ++asked;
    if (!trouble.is_ok()) result = trouble;
    if (!answers) return result;
    return answers->addBranch().then([result = std::move(result)]() mutable { return std::move(result); });
  }
};

}  // namespace support
