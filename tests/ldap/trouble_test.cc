// Servers that are stopped, stalled, not who they should be, or hostile.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "ldap/directory.h"
#include "tests/support/asked.h"
#include "tests/support/slapd.h"

namespace {

using base::Code;
using ldap::Account;
using ldap::Directory;
using ldap::Settings;
using support::authenticate;
using support::find;
using support::groups;
using support::password_of;
using support::Slapd;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using std::string_literals::operator""s;

constexpr int kForEver = 3'600'000;  // longer than any test may take

std::unique_ptr<Directory> open(Settings settings, const std::function<void(Settings&)>& change = [](Settings&) {}) {
  change(settings);
  auto directory = ldap::open_directory(settings);
  if (!directory.is_ok()) throw std::runtime_error(directory.status().message());
  return std::move(directory).value();
}
base::Result<Account> login(Directory& directory, const std::string& name = "alice") { return authenticate(directory, name, password_of(name)); }

void short_limits(Settings& settings) { settings.connect_ms = settings.answer_ms = 200; }
void no_limits(Settings& settings) { settings.connect_ms = settings.answer_ms = settings.whole_ms = kForEver; }

// ---- servers that stop and stall ----

std::string write_secret(const support::TemporaryFolder& folder, const std::string& text) {
  std::string path = folder.write("password", text);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return path;
}

class TroubleTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    first_ = std::make_unique<Slapd>();
    second_ = std::make_unique<Slapd>();
  }
  static void TearDownTestSuite() {
    first_.reset();
    second_.reset();
  }
  static void both(Settings& settings) {
    settings.servers = {first_->tls_url(), second_->tls_url()};
    settings.check_certificates = false;  // each has its own CA
  }
  static std::unique_ptr<Slapd> first_, second_;
};
std::unique_ptr<Slapd> TroubleTest::first_, TroubleTest::second_;

TEST_F(TroubleTest, TheNextServerAnswersForOneThatStopped) {
  auto directory = open(first_->settings(), both);
  EXPECT_TRUE(login(*directory).is_ok());
  first_->stop();
  EXPECT_TRUE(login(*directory).is_ok());
  second_->stop();
  first_->start();
  EXPECT_TRUE(login(*directory).is_ok());
  first_->stop();
  base::Status nobody = login(*directory).status();
  EXPECT_EQ(nobody.code(), Code::kUnavailable);
  EXPECT_THAT(nobody.message(), AllOf(HasSubstr(first_->tls_url() + ": Connection refused"), HasSubstr(second_->tls_url() + ": Connection refused"),
                                      HasSubstr("no directory server gave an answer")));
  EXPECT_EQ(find(*directory, "alice").status().code(), Code::kUnavailable);
  EXPECT_EQ(groups(*directory, {"snsadmin"}).status().code(), Code::kUnavailable);
  first_->start();
  second_->start();
  EXPECT_TRUE(login(*directory).is_ok());
}

TEST_F(TroubleTest, AServerThatWasRestartedAnswersAtOnce) {
  // Symptom: the first login after a restart of the directory failed, because the connections that were kept were gone.
  auto directory = open(first_->settings());
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(login(*directory).is_ok());
  first_->stop();
  first_->start();
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(login(*directory).is_ok()) << i;
}

TEST_F(TroubleTest, AServerThatStallsIsNotWaitedForLongerThanStated) {
  auto connected = open(first_->settings(), short_limits), fresh = open(first_->settings(), short_limits);
  auto clear = open(first_->settings(), [](Settings& settings) { short_limits(settings), settings.servers = {first_->url()}, settings.plaintext = true; });
  auto start_tls = open(first_->settings(), [](Settings& settings) { short_limits(settings), settings.servers = {first_->url()}; });
  auto pair = open(first_->settings(), [](Settings& settings) { short_limits(settings), both(settings); });
  EXPECT_TRUE(login(*connected).is_ok());
  first_->suspend();
  for (Directory* directory : {connected.get(), fresh.get(), clear.get(), start_tls.get()}) {
    base::Status status = login(*directory).status();
    EXPECT_EQ(status.code(), Code::kTimedOut) << status.message();
    EXPECT_THAT(status.message(), HasSubstr("did not answer in time"));
    EXPECT_EQ(find(*directory, "alice").status().code(), Code::kTimedOut);
    EXPECT_EQ(groups(*directory, {"snsadmin"}).status().code(), Code::kTimedOut);
  }
  EXPECT_TRUE(login(*pair).is_ok());
  first_->resume();
  EXPECT_TRUE(login(*connected).is_ok());
}

TEST_F(TroubleTest, TheWholeTimeHoldsOverAllServers) {
  auto directory = open(first_->settings(), [](Settings& settings) { both(settings), no_limits(settings), settings.whole_ms = 300; });
  first_->suspend();
  base::Status status = login(*directory).status();
  EXPECT_EQ(status.code(), Code::kTimedOut);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(first_->tls_url()), HasSubstr(second_->tls_url() + ": no time left to ask")));
  first_->resume();
}

TEST_F(TroubleTest, TheEndWaitsForNoServer) {
  auto directory = open(first_->settings(), no_limits);
  EXPECT_TRUE(login(*directory).is_ok());
  first_->suspend();
  std::vector<std::unique_ptr<support::Answer<Account>>> answers;
  for (int i = 0; i < 20; ++i) {
    answers.push_back(std::make_unique<support::Answer<Account>>());
    directory->authenticate("alice", ldap::Secret(password_of("alice")), answers.back()->done());
  }
  directory.reset();
  for (auto& answer : answers) EXPECT_THAT(answer->wait().status().code(), AnyOf(Code::kTimedOut, Code::kUnavailable));
  first_->resume();
}

TEST_F(TroubleTest, MoreRequestsThanCanWaitAreRefused) {
  auto directory = open(first_->settings(), no_limits);
  first_->suspend();
  std::vector<std::unique_ptr<support::Answer<Account>>> answers;
  for (int i = 0; i < 300; ++i) {
    answers.push_back(std::make_unique<support::Answer<Account>>());
    directory->find("alice", answers.back()->done());
  }
  base::Status last = answers.back()->wait().status();
  EXPECT_EQ(last.code(), Code::kUnavailable);
  EXPECT_THAT(last.message(), HasSubstr("256 requests wait for the directory already"));
  first_->resume();
  EXPECT_TRUE(answers.front()->wait().is_ok());
  answers.pop_back();
  directory.reset();
}

TEST_F(TroubleTest, AnAddressThatSwallowsConnectionsIsNotWaitedFor) {
  int listener = support::listen_on_loopback(0);
  uint16_t port = support::port_of(listener);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> fillers;  // its queue is full: what comes next is dropped without a word
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_TRUE(::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 || errno == EINPROGRESS);
  }
  auto there = [&](Settings& settings) { settings.servers = {fmt::format("ldaps://127.0.0.1:{}", port)}; };
  auto patient = open(first_->settings(), [&](Settings& settings) { there(settings), no_limits(settings); });
  support::Answer<Account> never;
  patient->find("alice", never.done());
  base::Status status = login(*open(first_->settings(), [&](Settings& settings) { there(settings), short_limits(settings); })).status();
  EXPECT_EQ(status.code(), Code::kTimedOut);
  EXPECT_THAT(status.message(), HasSubstr("nobody took the connection in time"));
  patient.reset();
  EXPECT_FALSE(never.wait().is_ok());
  for (int filler : fillers) ::close(filler);
  ::close(listener);
}

TEST_F(TroubleTest, AHostThatDoesNotExistIsNamed) {
  base::Status status = login(*open(first_->settings(), [](Settings& settings) { settings.servers = {"ldaps://no-such-host.invalid"}; })).status();
  EXPECT_THAT(status.code(), AnyOf(Code::kUnavailable, Code::kTimedOut));
  EXPECT_THAT(status.message(), HasSubstr("ldaps://no-such-host.invalid: "));
}

// ---- servers that are not who they should be ----

TEST_F(TroubleTest, ACertificateOfAnotherCaIsRefused) {
  for (bool ldaps : {true, false}) {
    auto wrong = [&](Settings& settings) { settings.servers = {ldaps ? first_->tls_url() : first_->url()}, settings.ca_file = first_->file("other_ca.pem"); };
    base::Status status = login(*open(first_->settings(), wrong)).status();
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("its certificate is not valid: another authority than those of ca_file signed it"));
    auto unchecked = open(first_->settings(), [&](Settings& settings) { wrong(settings), settings.check_certificates = false; });
    EXPECT_TRUE(login(*unchecked).is_ok());
  }
  // Nor do the system's certificates vouch for it.
  EXPECT_EQ(login(*open(first_->settings(), [](Settings& settings) { settings.ca_file = ""; })).status().code(), Code::kUnavailable);
}

TEST_F(TroubleTest, ACertificateForAnotherHostIsRefused) {
  auto wrong = [](Settings& settings) { settings.servers = {first_->nameless_tls_url()}; };
  base::Status status = login(*open(first_->settings(), wrong)).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(first_->nameless_tls_url() + ": its certificate is not valid"));
  EXPECT_TRUE(login(*open(first_->settings(), [&](Settings& settings) { wrong(settings), settings.check_certificates = false; })).is_ok());
}

TEST_F(TroubleTest, ATlsThatIsTooOldIsRefused) {
  // Symptom: the library was told the lowest version, took no notice over GnuTLS, and spoke TLS 1.1.
  std::FILE* server = ::popen(fmt::format("exec openssl s_server -accept 127.0.0.1:0 -naccept 1 -rev -tls1_1 -cipher ALL:@SECLEVEL=0 -cert '{}' -key '{}' 2>/dev/null",
                                          first_->file("server.pem"), first_->file("server.key")).c_str(), "r");
  std::array<char, 200> line;
  int port = 0;
  while (port == 0 && std::fgets(line.data(), line.size(), server)) std::sscanf(line.data(), "ACCEPT 127.0.0.1:%d", &port);
  base::Status status = login(*open(first_->settings(), [&](Settings& settings) { settings.servers = {fmt::format("ldaps://127.0.0.1:{}", port)}; })).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("TLS: "));
  ::pclose(server);
}

TEST_F(TroubleTest, AFileWithoutCertificatesIsNamed) {
  for (std::string file : {"none.pem", "facility.ldif"}) {
    base::Status status = login(*open(first_->settings(), [&](Settings& settings) { settings.ca_file = first_->file(file); })).status();
    EXPECT_EQ(status.code(), Code::kUnavailable) << file;
  }
  base::Status status = login(*open(first_->settings(), [&](Settings& settings) { settings.ca_file = first_->file("none.pem"); })).status();
  EXPECT_THAT(status.message(), HasSubstr(first_->file("none.pem")));
}

// ---- what servers hold back ----

TEST_F(TroubleTest, AnAnswerThatIsCutShortIsNoAnswer) {
  auto limited = [](Settings& settings) {
    settings.bind_name = std::string("cn=short,ou=services,") + support::kSuffix;  // may have ten entries of a search
    settings.bind_password_file = first_->file("short_password");
  };
  for (int page_size : {3, 7, 500}) {
    auto directory = open(first_->settings(), [&](Settings& settings) { limited(settings), settings.page_size = page_size; });
    base::Status status = groups(*directory, {"IPTS-{experiment}"}).status();
    EXPECT_EQ(status.code(), Code::kUnavailable) << page_size;
    EXPECT_THAT(status.message(), HasSubstr("cut its answer short")) << page_size;
    EXPECT_TRUE(login(*directory).is_ok());
  }
}

TEST_F(TroubleTest, ABaseThatIsNotThereIsNoEmptyAnswer) {
  // Symptom: a mistyped base, or a right to read that was withdrawn, looked as if everybody had left their groups.
  auto elsewhere = [](Settings& settings) { settings.group_base = std::string("ou=gruops,") + support::kSuffix; };
  auto directory = open(first_->settings(), elsewhere);
  for (base::Status status : {login(*directory).status(), find(*directory, "alice").status(), groups(*directory, {"snsadmin"}).status()}) {
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("it has no ou=gruops,dc=facility,dc=example, or does not show it"));
  }
  auto nobody = open(first_->settings(), [](Settings& settings) { settings.user_base = std::string("ou=poeple,") + support::kSuffix; });
  EXPECT_EQ(login(*nobody).status().code(), Code::kUnavailable);
}

TEST_F(TroubleTest, NoMessageHoldsAPassword) {
  const std::string secret = "Rosebud-1941", typed = "Xanadu-1941";
  support::TemporaryFolder folder;
  std::vector<base::Status> answers;
  auto with = [&](const std::function<void(Settings&)>& change) {
    auto directory = open(first_->settings(), [&](Settings& settings) {
      settings.bind_password_file = write_secret(folder, secret + "\n");
      change(settings);
    });
    answers.push_back(authenticate(*directory, "alice", typed).status());
    answers.push_back(find(*directory, "alice").status());
    answers.push_back(groups(*directory, {"snsadmin"}).status());
  };
  with([](Settings&) {});  // the wrong bind password
  EXPECT_THAT(answers.back().message(), HasSubstr(folder / "password"));
  with([](Settings& settings) { settings.plaintext = true, settings.servers = {first_->url()}; });
  with([](Settings& settings) { settings.ca_file = ""; });
  with([](Settings& settings) { settings.servers = {"ldaps://127.0.0.1:1"}; });
  with([](Settings& settings) { settings.bind_name = std::string("cn=nobody,") + support::kSuffix; });
  with([](Settings& settings) { settings.bind_password_file = "/nonexistent"; });
  with([](Settings& settings) { settings.bind_password_file = first_->file("reader_password"); });
  for (const base::Status& answer : answers) {
    EXPECT_THAT(answer.message(), Not(HasSubstr("Rosebud"))) << answer.message();
    EXPECT_THAT(answer.message(), Not(HasSubstr("Xanadu"))) << answer.message();
    EXPECT_THAT(answer.message(), Not(HasSubstr(password_of("reader")))) << answer.message();
  }
}

// ---- servers that are none ----

/// One element of BER with a length below 64 KiB.
std::string ber(char tag, const std::string& content) {
  std::string length{static_cast<char>(0x82), static_cast<char>(content.size() >> 8), static_cast<char>(content.size())};
  return tag + length + content;
}
std::string integer(int value) { return ber(0x02, {static_cast<char>(value)}); }
std::string octets(const std::string& bytes) { return ber(0x04, bytes); }
std::string message(int id, const std::string& operation) { return ber(0x30, integer(id) + operation); }
std::string result(char tag, int code) { return ber(tag, ber(0x0a, {static_cast<char>(code)}) + octets("") + octets("secret words of the server")); }
std::string attribute(const std::string& name, const std::vector<std::string>& values) {
  std::string all;
  for (const std::string& value : values) all += octets(value);
  return ber(0x30, octets(name) + ber(0x31, all));
}
std::string entry(const std::string& dn, const std::string& attributes) { return ber(0x64, octets(dn) + ber(0x30, attributes)); }
constexpr char kBindDone = 0x61, kSearchDone = 0x65, kExtendedDone = 0x78;

/// Says the same to whoever sends it something, and remembers what it was sent.
class FakeServer {
 public:
  explicit FakeServer(std::vector<std::string> answers) : answers_(std::move(answers)), listener_(support::listen_on_loopback()) {
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (std::thread& connection : connections_) connection.join();
    ::close(listener_);
  }
  std::string url() const { return fmt::format("ldap://127.0.0.1:{}", support::port_of(listener_)); }
  std::string received() {
    std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void run() {
    for (int connection; (connection = ::accept(listener_, nullptr, nullptr)) >= 0;) connections_.emplace_back([this, connection] { serve(connection); });
  }
  void serve(int connection) {
    std::array<char, 4096> bytes;
    size_t next = 0;
    for (ssize_t got; (got = ::recv(connection, bytes.data(), bytes.size(), 0)) > 0;) {
      {
        std::lock_guard lock(mutex_);
        received_.append(bytes.data(), static_cast<size_t>(got));
      }
      if (next == answers_.size()) {
        ::shutdown(connection, SHUT_WR);
      } else {
        const std::string& answer = answers_[next++];
        ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    }
    ::close(connection);
  }

  const std::vector<std::string> answers_;
  const int listener_;
  std::mutex mutex_;
  std::string received_;  // guarded
  std::vector<std::thread> connections_;  // of the accepting thread, and after it
  std::thread thread_;
};

Settings anonymous(const FakeServer& server, bool plaintext) {
  Settings settings;
  settings.servers = {server.url()};
  settings.plaintext = plaintext;
  settings.user_base = settings.group_base = "dc=x";
  settings.refusal_ms = 0;
  return settings;
}

TEST(FakeServerTest, WithoutTlsNothingIsSaidInTheClear) {
  support::TemporaryFolder folder;
  for (const std::string& answer : {message(1, result(kExtendedDone, 2)),   // no StartTLS here
                                    message(1, result(kExtendedDone, 53)),  //
                                    message(1, result(kExtendedDone, 0)),   // but then it speaks no TLS
                                    message(1, result(kExtendedDone, 0)) + message(2, result(kBindDone, 0)) + message(3, result(kBindDone, 0)),
                                    message(1, result(kBindDone, 0)), message(1, result(kSearchDone, 0)), "hello"s, ""s}) {
    FakeServer server({answer});
    Settings settings = anonymous(server, false);
    settings.bind_name = "cn=reader,dc=x";
    settings.bind_password_file = write_secret(folder, "Rosebud-1941");
    settings.check_certificates = false;
    short_limits(settings);
    base::Status status = authenticate(*open(settings), "alice", "Xanadu-1941").status();
    EXPECT_THAT(status.code(), AnyOf(Code::kUnavailable, Code::kTimedOut)) << status.message();
    EXPECT_THAT(server.received(), HasSubstr("1.3.6.1.4.1.1466.20037"));  // StartTLS
    for (std::string_view word : {"Rosebud", "Xanadu", "cn=reader", "alice"}) EXPECT_THAT(server.received(), Not(HasSubstr(std::string(word))));
  }
}

TEST(FakeServerTest, ARefusedStartTlsIsSaid) {
  FakeServer server({message(1, result(kExtendedDone, 2))});
  base::Status status = find(*open(anonymous(server, false)), "alice").status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("it does not take StartTLS: Protocol error"));
}

TEST(FakeServerTest, AFakeThatSpeaksLdapIsUnderstood) {
  // What the tests below change one thing of.
  FakeServer server({message(1, entry("uid=alice,dc=x", attribute("UID", {"alice"}) + attribute("cn", {"Alice"}))) + message(1, result(kSearchDone, 0)),
                     message(2, entry("cn=g,dc=x", attribute("cn", {"g"}))) + message(2, result(kSearchDone, 0)),
                     message(3, result(kSearchDone, 0))});  // no group has that one
  auto account = find(*open(anonymous(server, true)), "alice");
  ASSERT_TRUE(account.is_ok()) << account.status().message();
  EXPECT_EQ(account->name, "alice");
  EXPECT_THAT(account->groups, testing::ElementsAre("g"));
}

TEST(FakeServerTest, ANextPageThatCannotBeReadIsNotTheEnd) {
  // Symptom: a control without a value ended the process, since the library asserts one; one that says nothing was taken for the last page.
  const std::string oid = octets("1.2.840.113556.1.4.319");
  for (const std::string& control : {oid, oid + octets(""), oid + octets("\x30"), oid + octets("\x30\x03\x02\x01\x05")}) {
    FakeServer server({message(1, entry("cn=IPTS-1,dc=x", attribute("cn", {"IPTS-1"}))) +
                       message(1, result(kSearchDone, 0) + ber(static_cast<char>(0xa0), ber(0x30, control)))});
    base::Status status = groups(*open(anonymous(server, true)), {"IPTS-{experiment}"}).status();
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("what it says of its next page is no LDAP"));
  }
}

TEST(FakeServerTest, AnyBytesGetAnAnswerAndHarmNothing) {
  std::string good = entry("uid=alice,dc=x", attribute("uid", {"alice"}));
  std::string done = result(kSearchDone, 0);
  std::vector<std::string> answers = {
      "",
      "\x30",
      "\x30\x84\x7f\xff\xff\xff",
      "\x30\x84\xff\xff\xff\xff\x02\x01\x01",
      "\x30\x80\x02\x01\x01",
      "\x00\x00\x00\x00"s,
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      std::string(5000, '\xff'),
      message(1, good),                                                  // and then nothing
      message(1, good) + message(1, ber(kSearchDone, "")),               // an end without a code
      message(1, ber(0x64, "")) + message(1, done),                      // an entry without a name
      message(1, ber(0x64, octets("uid=alice,dc=x"))) + message(1, done),
      message(1, entry("uid=alice,dc=x", "\x30\x82\x7f\x7f\x04")) + message(1, done),
      message(1, entry("uid=alice,dc=x", ber(0x30, octets("uid")))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("uid", {}))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("uid", {""}))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("uid", {"a\0b"s}))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("uid", {"\xff\xfe"}))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("uid", {std::string(60'000, 'x')}))) + message(1, done),
      message(1, entry("uid=alice,dc=x", attribute("", {"alice"}))) + message(1, done),
      message(1, entry("", attribute("uid", {"alice"}))) + message(1, done),
      message(1, entry("no name at all", attribute("uid", {"alice"}))) + message(1, done),
      message(1, entry("\xff=\xff", attribute("uid", {"alice"}))) + message(1, done),
      message(2, good) + message(2, done),                               // nobody asked
      message(0, good) + message(1, done),
      message(1, result(kBindDone, 0)),
      message(1, result(kExtendedDone, 0)),
      message(1, result(kSearchDone, 10)),                               // a referral
      message(1, result(kSearchDone, 52)),
      message(1, result(kSearchDone, 4)),
      message(1, ber(0x73, octets("ldap://elsewhere/"))) + message(1, done),  // a reference, and nothing else
  };
  for (size_t i = 0; i < answers.size(); ++i) {
    FakeServer server({answers[i]});
    Settings settings = anonymous(server, true);
    short_limits(settings);
    auto answer = find(*open(settings), "alice");
    ASSERT_FALSE(answer.is_ok()) << i;
    EXPECT_THAT(answer.status().code(), AnyOf(Code::kUnavailable, Code::kTimedOut, Code::kNotFound)) << i;
    EXPECT_THAT(answer.status().message(), Not(HasSubstr("secret words"))) << i;
    answer = authenticate(*open(settings), "alice", "a password");
    EXPECT_FALSE(answer.is_ok()) << i;
  }
}

TEST(FakeServerTest, AnAnswerToAnotherQuestionIsNoSuccess) {
  // The bind of the user is the first request on its connection: an answer of another kind with its number must not let anybody in.
  std::string account = message(1, entry("uid=alice,dc=x", attribute("uid", {"alice"}))) + message(1, result(kSearchDone, 0));
  FakeServer server({account});
  EXPECT_EQ(authenticate(*open(anonymous(server, true)), "alice", "a password").status().code(), Code::kUnavailable);
}

TEST(FakeServerTest, AGroupShownInPartIsNoGroup) {
  // Active Directory shows the first 1500 members of a group and waits to be asked for more.
  FakeServer server({message(1, entry("cn=g,dc=x", attribute("cn", {"g"}) + attribute("member;range=0-1", {"uid=a,dc=x", "uid=b,dc=x"}))) +
                     message(1, result(kSearchDone, 0))});
  base::Status status = groups(*open(anonymous(server, true)), {"g"}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("a part of a group's members only"));
}

TEST(FakeServerTest, AServerThatNeverEndsItsPagesIsLeft) {
  std::string more = message(1, ber(kSearchDone, ber(0x0a, "\0"s) + octets("") + octets("")) +
                                    ber('\xa0', ber(0x30, octets("1.2.840.113556.1.4.319") + octets(ber(0x30, integer(0) + octets("cookie"))))));
  std::vector<std::string> pages;
  for (int id = 1; id < 120; ++id) {
    pages.push_back(more);
    size_t at = pages.back().find("\x02\x82\x00\x01"s);
    pages.back()[at + 4] = static_cast<char>(id);
  }
  FakeServer server(pages);
  Settings settings = anonymous(server, true);
  settings.whole_ms = 300;
  EXPECT_FALSE(groups(*open(settings), {"g"}).is_ok());
}

// ---- settings ----

TEST(SettingsTest, WhatIsWrongIsSaidBeforeAnybodyIsAsked) {
  auto refusal = [](const std::function<void(Settings&)>& change) {
    Settings settings;
    settings.servers = {"ldaps://ldap.example.org"};
    settings.user_base = settings.group_base = "dc=x";
    change(settings);
    base::Status status = ldap::open_directory(settings).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal([](Settings& settings) { settings.servers = {}; }), HasSubstr("no server is named"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.servers = {"ldap.example.org"}; }), HasSubstr("\"ldap.example.org\": it begins otherwise"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.user_base = ""; }), HasSubstr("user_base is no distinguished name"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.group_base = "groups"; }), HasSubstr("group_base is no distinguished name"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.bind_name = "cn=a"; }), HasSubstr("bind_name needs bind_password_file"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.user_filter = "(uid=alice)"; }), HasSubstr("with {user} in it"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.user_filter = "(uid={user}))"; }), HasSubstr("user_filter must be a filter"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.group_filter = "cn=*"; }), HasSubstr("group_filter must be a filter"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.group_attribute = "cn)(x"; }), HasSubstr("an attribute's name"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.page_size = 0; }), HasSubstr("page_size"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.answer_ms = 0; }), HasSubstr("time limit"));
  EXPECT_THAT(refusal([](Settings& settings) { settings.nested_levels = -1; }), HasSubstr("nested_levels"));
}

}  // namespace
