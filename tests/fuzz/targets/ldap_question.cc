#include "ldap_question.h"

#include <chrono>
#include <memory>
#include <utility>

#include "ldap/reader.h"

namespace fuzz {
namespace {

const std::string kSuffix = "dc=facility,dc=example";

ldap::Settings settings_of(LdapQuestion question) {
  ldap::Settings settings;
  settings.plaintext = true;
  settings.user_base = "ou=people," + kSuffix;
  settings.group_base = "ou=groups," + kSuffix;
  settings.member_of = question.member_of;
  settings.page_size = 2;
  return settings;
}

template <typename T>
base::Result<LdapAnswer> put(base::Result<T> from, T LdapAnswer::* to) {
  if (!from.is_ok()) return from.status();
  LdapAnswer answer;
  answer.*to = std::move(*from);
  return answer;
}

}  // namespace

base::Result<LdapAnswer> ask(LdapQuestion question, const std::string& name, ldap::Socket searching, ldap::Socket binding) {
  static ldap::TimeLimits limits;
  const ldap::Settings settings = settings_of(question);
  const ldap::Server server{false, "127.0.0.1", 389, "ldap://127.0.0.1"};
  const ldap::Moment until = std::chrono::steady_clock::now() + std::chrono::milliseconds(settings.whole_ms);

  auto searcher = ldap::Connection::over(std::move(searching), settings, server, limits, until);
  if (!searcher.is_ok()) return searcher.status();
  auto bound = (*searcher)->bind("cn=reader,ou=services," + kSuffix, "the password of reader", until);
  if (!bound.is_ok()) return bound.status();

  ldap::Reader reader(settings, **searcher, until);
  switch (question.kind) {
    case LdapQuestion::Kind::kAuthenticate: {
      auto binder = ldap::Connection::over(std::move(binding), settings, server, limits, until);
      if (!binder.is_ok()) return binder.status();
      return put(reader.authenticate(name, ldap::Secret("the password of " + name), **binder), &LdapAnswer::account);
    }
    case LdapQuestion::Kind::kFind: return put(reader.find(name), &LdapAnswer::account);
    case LdapQuestion::Kind::kGroups: return put(reader.groups({*ldap::NamePattern::parse("IPTS-2{experiment}")}), &LdapAnswer::groups);
  }
  return LdapAnswer();
}

}  // namespace fuzz
