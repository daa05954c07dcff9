#include "ldap_seeds.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "ldap/dial.h"
#include "ldap/server.h"
#include "ldap_question.h"
#include "tests/support/slapd.h"

namespace fuzz {
namespace {

/// Stands between a client and slapd and keeps what slapd says.
class Recorder {
 public:
  explicit Recorder(const std::string& url) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socketpair");
    client_ = ldap::Socket(ends[0]);
    theirs_ = ldap::Socket(ends[1]);
    const auto server = ldap::parse_server(url).value();
    slapd_ = ldap::dial(server.host, server.port, std::chrono::steady_clock::now() + std::chrono::seconds(10), limits_).value();
    passing_ = std::thread([this] {
      while (pass(client_, slapd_, nullptr) && pass(slapd_, client_, &said_)) {
      }
    });
  }
  ~Recorder() {
    if (passing_.joinable()) passing_.join();
  }
  ldap::Socket connection() { return std::move(theirs_); }
  /// Once the client has closed.
  std::string said() {
    theirs_ = ldap::Socket();
    passing_.join();
    return std::move(said_);
  }

 private:
  /// False: one end is closed. Waits a little for something to pass.
  static bool pass(const ldap::Socket& from, const ldap::Socket& to, std::string* kept) {
    pollfd ready{from.get(), POLLIN, 0};
    if (poll(&ready, 1, 5) == 0) return true;
    std::array<char, 4096> bytes;
    const ssize_t got = read(from.get(), bytes.data(), bytes.size());
    if (got <= 0) return false;
    if (kept != nullptr) kept->append(bytes.data(), static_cast<size_t>(got));
    return send(to.get(), bytes.data(), static_cast<size_t>(got), MSG_NOSIGNAL) == got;
  }

  ldap::TimeLimits limits_;
  ldap::Socket client_, theirs_, slapd_;
  std::string said_;
  std::thread passing_;
};

}  // namespace

void record_ldap(const std::function<void(const std::string&, std::string_view)>& write) {
  const support::Slapd slapd;
  const auto record = [&](const std::string& file, LdapQuestion question, const std::string& name) {
    Recorder searching(slapd.url()), binding(slapd.url());
    const auto answer = ask(question, name, searching.connection(), binding.connection());
    if (!answer.is_ok()) throw std::runtime_error(answer.status().message());
    write(file, std::string(1, static_cast<char>(question.byte())) + searching.said());
  };
  using Kind = LdapQuestion::Kind;
  record("password", {Kind::kAuthenticate}, "trent");
  record("found", {Kind::kFind}, "trent");
  record("found_by_member_of", {Kind::kFind, true}, "peggy");
  record("nested", {Kind::kFind}, "mallory");
  record("no_such_account", {Kind::kFind}, "somebody");
  record("odd_name", {Kind::kFind}, "comma, the first");
  record("disabled", {Kind::kFind}, "gone");
  record("groups", {Kind::kGroups}, "");
}

}  // namespace fuzz
