// A login as the directory sees it, by OpenLDAP's library and nothing else: what bench_logins holds ours against.
#pragma once

#include <memory>
#include <string>

namespace bench {

struct SlapdAccess {
  std::string url, ca_file, reader, reader_password, people, groups;
};

/// Owns: two connections, one that searches and one that tries passwords. Threads: one at a time. Errors: the program ends.
class SlapdAlone {
 public:
  explicit SlapdAlone(const SlapdAccess& access);
  ~SlapdAlone();
  /// What ldap::Reader asks of an account in groups that are in no others: its entry, a bind as it, its groups, and those that these are in.
  void log_in(const std::string& name, const std::string& password);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bench
