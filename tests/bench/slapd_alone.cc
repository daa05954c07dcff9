#include "tests/bench/slapd_alone.h"

#include <ldap.h>

#include <string_view>
#include <vector>

#include "tests/bench/measured.h"

namespace bench {
namespace {

constexpr const char* kGroups = "(|(objectClass=posixGroup)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))";

void must(int code, std::string_view what) {
  if (code != LDAP_SUCCESS) die(std::string(what) + ": " + ldap_err2string(code));
}

LDAP* connect(const SlapdAccess& access) {
  LDAP* handle = nullptr;
  must(ldap_initialize(&handle, access.url.c_str()), "ldap_initialize");
  const int version = LDAP_VERSION3;
  ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
  must(ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, access.ca_file.c_str()), "the CA file");
  const int own_context = 0;
  must(ldap_set_option(handle, LDAP_OPT_X_TLS_NEWCTX, &own_context), "TLS");
  return handle;
}

void bind(LDAP* handle, const std::string& dn, const std::string& password) {
  berval credentials{password.size(), const_cast<char*>(password.data())};
  must(ldap_sasl_bind_s(handle, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr), dn);
}

}  // namespace

struct SlapdAlone::Impl {
  /// DNs of what is found.
  std::vector<std::string> search(const std::string& base, const std::string& filter, std::vector<const char*> attributes) {
    attributes.push_back(nullptr);
    LDAPMessage* all = nullptr;
    must(ldap_search_ext_s(searching, base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), const_cast<char**>(attributes.data()), 0, nullptr, nullptr, nullptr,
                           LDAP_NO_LIMIT, &all),
         filter);
    std::vector<std::string> found;
    for (LDAPMessage* entry = ldap_first_entry(searching, all); entry != nullptr; entry = ldap_next_entry(searching, entry)) {
      char* dn = ldap_get_dn(searching, entry);
      found.emplace_back(dn);
      ldap_memfree(dn);
    }
    ldap_msgfree(all);
    return found;
  }

  SlapdAccess access;
  LDAP* searching = nullptr;
  LDAP* binding = nullptr;
};

SlapdAlone::SlapdAlone(const SlapdAccess& access) : impl_(std::make_unique<Impl>()) {
  impl_->access = access;
  impl_->searching = connect(access);
  impl_->binding = connect(access);
  bind(impl_->searching, access.reader, access.reader_password);
}

SlapdAlone::~SlapdAlone() {
  ldap_unbind_ext_s(impl_->searching, nullptr, nullptr);
  ldap_unbind_ext_s(impl_->binding, nullptr, nullptr);
}

void SlapdAlone::log_in(const std::string& name, const std::string& password) {
  const auto accounts = impl_->search(impl_->access.people, "(uid=" + name + ")", {"uid", "cn"});
  if (accounts.size() != 1) die(name + ": no such account");
  bind(impl_->binding, accounts[0], password);
  const std::string dn = accounts[0], filter = std::string("(&") + kGroups;
  const auto groups = impl_->search(impl_->access.groups, filter + "(|(memberUid=" + name + ")(member=" + dn + ")(uniqueMember=" + dn + ")))", {"cn"});
  std::string any;
  for (const std::string& group : groups) any += "(member=" + group + ")(uniqueMember=" + group + ")";
  if (!any.empty()) impl_->search(impl_->access.groups, filter + "(|" + any + "))", {"cn"});
}

}  // namespace bench
