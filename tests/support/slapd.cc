#include "tests/support/slapd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace support {
namespace {

constexpr std::chrono::seconds kPatience{120};

std::string contents(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

uint16_t free_port() {
  int socket = listen_on_loopback();
  uint16_t port = port_of(socket);
  ::close(socket);
  return port;
}

}  // namespace

std::string password_of(std::string_view uid) { return fmt::format("the password of {}", uid); }

int listen_on_loopback(int backlog) {
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || ::listen(socket, backlog) != 0) {
    throw std::runtime_error("cannot listen on 127.0.0.1");
  }
  return socket;
}

uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Slapd::Slapd() {
  std::string prepare = fmt::format("/usr/bin/python3 -B '{}/tests/support/slapd_under_test.py' prepare '{}'", RUNLEDGER_SOURCE, folder_.path().string());
  if (std::system(prepare.c_str()) != 0) throw std::runtime_error("cannot prepare slapd's folder; are slapd, ldap-utils and openssl installed?");
  start();
  if (as_root(fmt::format("ldapadd -e relax -f '{}'", file("facility.ldif"))) != 0) throw std::runtime_error("slapd does not take the facility");
}

Slapd::~Slapd() {
  if (process_ > 0) stop();
}

ldap::Settings Slapd::settings() const {
  ldap::Settings settings;
  settings.servers = {tls_url()};
  settings.ca_file = file("ca.pem");
  settings.bind_name = fmt::format("cn=reader,ou=services,{}", kSuffix);
  settings.bind_password_file = file("reader_password");
  settings.user_base = fmt::format("ou=people,{}", kSuffix);
  settings.group_base = fmt::format("ou=groups,{}", kSuffix);
  settings.refusal_ms = 0;
  return settings;
}

void Slapd::start() {
  bool again = port_ != 0;
  auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    if (!again) port_ = free_port(), tls_port_ = free_port();
    std::string program = file("slapd"), configuration = file("slapd.conf"), log = file("slapd.log");
    std::string listen = fmt::format("{}/ {}/ {}/", url(), tls_url(), nameless_tls_url());
    pid_t parent = ::getpid();
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(output, 1);
      ::dup2(output, 2);
      ::execl(program.c_str(), program.c_str(), "-d", "0", "-f", configuration.c_str(), "-h", listen.c_str(), nullptr);
      ::_exit(127);
    }
    // Its password is known here only: who takes it is this server and no other on the port.
    int status = 0;
    while (::waitpid(process_, &status, WNOHANG) == 0) {
      if (as_root("ldapwhoami") == 0) return;
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("slapd does not answer: " + contents(log));
    }
    process_ = -1;
    if (again || std::chrono::steady_clock::now() > give_up) throw std::runtime_error("slapd does not start: " + contents(log));
  }
}

void Slapd::stop() {
  ::kill(process_, SIGKILL);
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
}

void Slapd::suspend() {
  ::kill(process_, SIGSTOP);
  int status = 0;
  ::waitpid(process_, &status, WUNTRACED);
}

void Slapd::resume() { ::kill(process_, SIGCONT); }

void Slapd::change(std::string_view ldif) {
  folder_.write("change.ldif", ldif);
  if (as_root(fmt::format("ldapmodify -e relax -f '{}'", file("change.ldif"))) == 0) return;
  throw std::runtime_error("slapd does not take the change: " + contents(file("client.log")));
}

int Slapd::binds() {
  std::string answer;
  if (as_root("ldapsearch -LLL -b cn=Bind,cn=Operations,cn=Monitor -s base monitorOpCompleted", &answer) != 0) {
    throw std::runtime_error("slapd does not count binds");
  }
  constexpr std::string_view kName = "monitorOpCompleted: ";
  return std::stoi(answer.substr(answer.find(kName) + kName.size()));
}

int Slapd::as_root(std::string_view command, std::string* output) {
  size_t end = command.find(' ');
  std::string rest(end == std::string_view::npos ? std::string_view() : command.substr(end));
  std::string line = fmt::format("LDAPNOINIT=1 {} -x -H {} -D cn=admin,{} -y '{}'{} 2>'{}'", command.substr(0, end), url(), kSuffix, file("root_password"), rest,
                                 file("client.log"));
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start " + std::string(command));
  std::array<char, 4096> bytes;
  while (size_t got = std::fread(bytes.data(), 1, bytes.size(), pipe)) {
    if (output) output->append(bytes.data(), got);
  }
  return ::pclose(pipe);
}

}  // namespace support
