// Debian's slapd with the made-up facility, for the tests of one program; also for Python: slapd_under_test.py, which says what is in its folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ldap/directory.h"
#include "tests/support/temporary_folder.h"

namespace support {

constexpr const char* kSuffix = "dc=facility,dc=example";

/// "the password of alice", as tests/data/make_facility.py has it.
std::string password_of(std::string_view uid);

/// Runs, with the facility loaded, when the constructor returns; ends with this, and with the test program whatever becomes of that. What it cannot do it
/// throws.
class Slapd {
 public:
  Slapd();
  ~Slapd();
  Slapd(const Slapd&) = delete;
  Slapd& operator=(const Slapd&) = delete;

  /// How to ask it: ldaps, as cn=reader.
  ldap::Settings settings() const;
  std::string tls_url() const { return "ldaps://127.0.0.1:" + std::to_string(tls_port_); }
  std::string url() const { return "ldap://127.0.0.1:" + std::to_string(port_); }
  /// An address that is not in the server's certificate.
  std::string nameless_tls_url() const { return "ldaps://127.0.0.2:" + std::to_string(tls_port_); }
  std::string file(const std::string& name) const { return folder_ / name; }

  void stop();
  /// Again, on the same ports.
  void start();
  void suspend();
  void resume();
  /// Applies changes in LDIF ("changetype: modify" ...), with the rights of the administrator.
  void change(std::string_view ldif);
  /// Binds that it has answered so far.
  int binds();

 private:
  int as_root(std::string_view command, std::string* output = nullptr);

  TemporaryFolder folder_;
  pid_t process_ = -1;
  uint16_t port_ = 0, tls_port_ = 0;
};

/// A socket that listens on a free port of 127.0.0.1.
int listen_on_loopback(int backlog = 8);
uint16_t port_of(int socket);

}  // namespace support
