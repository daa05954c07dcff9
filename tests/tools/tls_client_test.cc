// Command lines over the network: what is trusted, and what is said when it is not.
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "rpc/loop.h"
#include "rpc/transport.h"
#include "tests/support/certificates.h"
#include "tests/tools/access_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The fake ledger behind a tls address, in a process of its own.
class TlsClientTest : public AccessTest {
 protected:
  void SetUp() override {
    AccessTest::SetUp();
    unsetenv("RUNLEDGER_TLS_CA");
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    server_ = fork();
    if (server_ == 0) serve(told[1]);
    close(told[1]);
    char text[128] = {};
    ASSERT_GT(read(told[0], text, sizeof text - 1), 0);
    close(told[0]);
    address = text;
  }
  void TearDown() override {
    unsetenv("RUNLEDGER_TLS_CA");
    kill(server_, SIGKILL);
    waitpid(server_, nullptr, 0);
    AccessTest::TearDown();
  }

  /// As the program itself connects.
  Ran over_network(std::vector<std::string> words) {
    words.insert(words.end(), {"--connect", address});
    std::ostringstream out, err;
    const tools::Reach reach = {[](const tools::GlobalOptions& options) -> base::Result<std::string> { return *options.address; },
                                [](const std::string& to, const tools::GlobalOptions& options) { return tools::connect(to, tools::tls_files(options)); }};
    tools::Context context(out, err, {}, reach, tools::TokenStore(ledger.state_folder));
    const int code = tools::run_program(std::move(words), context);
    return {code, out.str(), err.str()};
  }

  const support::CertificateAuthority authority{folder.path()};
  const support::CertificateAuthority other{folder.path(), "other"};
  std::string address;

 private:
  [[noreturn]] void serve(int tell) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    rpc::Loop loop;
    const auto files = authority.server("server", {"IP:127.0.0.1", "DNS:ledger.example.org"});
    rpc::ListenOptions options;
    options.tls = {files.certificate, files.key, {}};
    auto listening = rpc::Listener::open(
        loop, "tls:127.0.0.1:0",
        [this](const auto&) -> capnp::Capability::Client { return gateway_of(ledger); }, options);
    if (!listening.is_ok()) _exit(1);
    const std::string& where = (*listening)->address();
    if (write(tell, where.data(), where.size()) < 0) _exit(1);
    loop.wait(kj::Promise<void>(kj::NEVER_DONE));
    _exit(0);
  }
  pid_t server_ = -1;
};

TEST_F(TlsClientTest, LoginAndWhatFollowsGoOverTls) {
  const Ran login = over_network({"login", "alice", "--password-fd", descriptor_with(kPassword), "--tls-ca", authority.certificate()});
  EXPECT_EQ(login.exit_code, 0) << login.err;
  EXPECT_THAT(contents(kept()), HasSubstr(address));
  setenv("RUNLEDGER_TLS_CA", authority.certificate().c_str(), 1);
  const Ran who = over_network({"whoami", "--json"});
  EXPECT_EQ(who.exit_code, 0) << who.err;
  EXPECT_EQ(json::parse(who.out)["name"], "alice");
  EXPECT_EQ(over_network({"whoami", "--tls-name", "ledger.example.org"}).exit_code, 0);
}

TEST_F(TlsClientTest, AServerThatIsNotTrustedIsToldNothing) {
  for (const std::vector<std::string>& trusting : std::vector<std::vector<std::string>>{
           {}, {"--tls-ca", other.certificate()}, {"--tls-ca", authority.certificate(), "--tls-name", "other.example.org"}}) {
    std::vector<std::string> words = {"login", "alice", "--password-fd", descriptor_with(kPassword)};
    words.insert(words.end(), trusting.begin(), trusting.end());
    const Ran ran = over_network(words);
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, AllOf(HasSubstr(address), HasSubstr("certificate")));
    EXPECT_FALSE(std::filesystem::exists(kept()));
  }
}

TEST_F(TlsClientTest, OptionsThatDoNothingAtAUnixAddressAreRefused) {
  for (const char* option : {"--tls-ca", "--tls-name", "--tls-certificate", "--tls-key"}) {
    const Ran ran = command({"status", option, "x"});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, HasSubstr(std::string(option) + " does nothing with unix:/fake.sock"));
  }
  setenv("RUNLEDGER_TLS_CA", "/nowhere/ca.pem", 1);
  EXPECT_EQ(command({"status"}).exit_code, 0);
}

}  // namespace
}  // namespace fake
