// Clients and servers that mean well, over TLS: what works, and what people are told when certificates or addresses are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "rpc/tls_context.h"
#include "rpc/tls_stream.h"
#include "tests/rpc/tls_fixture.h"

namespace {

using echo::Echo;
using echo::GreedyClient;
using testing::AllOf;
using testing::HasSubstr;

class TlsTest : public echo::TlsFixture {
 protected:
  /// What the first call of a connection with that certificate fails with.
  std::string call_failure(rpc::TlsClientFiles files) {
    auto caller = client(std::move(files));
    return failure(kj::Promise<void>(caller.echo.sayRequest().send().ignoreResult()));
  }
  const rpc::TlsPeer& last_peer() const { return std::get<rpc::TlsPeer>(seen_.peers.back()); }
};

TEST_F(TlsTest, TwoClientsAreServedApart) {
  listen();
  auto first = client(), second = client();
  EXPECT_EQ(say(first.echo, "MARI"), "MARI");
  EXPECT_EQ(say(first.echo, "28001"), "28001");
  EXPECT_EQ(loop_.wait(second.echo.sayRequest().send()).getCalls(), 1u);
  EXPECT_EQ(listener_->connections(), 2u);
}

TEST_F(TlsTest, ThePortThatWasFreeIsInTheAddress) {
  listen();
  EXPECT_GT(port(), 0);
  EXPECT_THAT(address(), testing::StartsWith("tls:127.0.0.1:"));
}

TEST_F(TlsTest, AHostWithSeveralAddressesListensOnEachAtOnePort) {
  listen({}, "localhost");
  auto here = client();
  EXPECT_EQ(say(here.echo, "by name"), "by name");
  auto v4 = EchoTest::client("tls:127.0.0.1:" + std::to_string(port()), {.tls = trusting()});
  EXPECT_EQ(say(v4.echo, "by address"), "by address");
}

TEST_F(TlsTest, IPv6WorksWhereItIs) {
  auto opened = rpc::Listener::open(loop_, "tls:[::1]:0", factory(), {.tls = shown(server_)});
  if (!opened.is_ok()) GTEST_SKIP() << "no IPv6 here: " << opened.status().message();
  listener_ = std::move(opened).value();
  auto here = client();
  EXPECT_EQ(say(here.echo, "over IPv6"), "over IPv6");
  EXPECT_EQ(last_peer().host, "::1");
  EXPECT_THAT(last_peer().address, testing::StartsWith("[::1]:"));
}

TEST_F(TlsTest, EveryAddressOfTheMachineIncludesIPv4) {
  auto opened = rpc::Listener::open(loop_, "tls:[::]:0", factory(), {.tls = shown(server_)});
  if (!opened.is_ok()) GTEST_SKIP() << "no IPv6 here: " << opened.status().message();
  listener_ = std::move(opened).value();
  auto here = EchoTest::client("tls:127.0.0.1:" + std::to_string(port()), {.tls = trusting()});
  EXPECT_EQ(say(here.echo, "over IPv4"), "over IPv4");
  EXPECT_EQ(last_peer().host, "127.0.0.1");
}

TEST_F(TlsTest, DependentCallsNeedNoAnswerBetween) {
  listen();
  auto chain = client();
  auto echo = chain.echo;
  for (int i = 0; i < 63; ++i) echo = echo.nextRequest().send().getEcho();
  EXPECT_EQ(loop_.wait(echo.nextRequest().send()).getDepth(), 64u);
}

TEST_F(TlsTest, EightMebibytesGoBothWays) {
  listen();
  auto big = client();
  std::string data(8 << 20, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 16);
  auto request = big.echo.bytesRequest();
  request.setData(capnp::Data::Reader(reinterpret_cast<const kj::byte*>(data.data()), data.size()));
  auto answer = loop_.wait(request.send());
  auto back = answer.getData();
  EXPECT_TRUE(std::string_view(reinterpret_cast<const char*>(back.begin()), back.size()) == data);
}

TEST_F(TlsTest, ManyConnectionsAreServed) {
  listen({.max_connections_per_source = 200});
  std::vector<kj::Promise<rpc::Connection>> connecting;
  for (int i = 0; i < 100; ++i) connecting.push_back(rpc::connect(loop_, address(), {.tls = trusting()}).eagerlyEvaluate(nullptr));
  std::vector<rpc::Connection> connections;
  for (auto& each : connecting) connections.push_back(loop_.wait(kj::mv(each)));
  for (size_t i = 0; i < connections.size(); ++i) {
    auto echo = connections[i].bootstrap().castAs<Echo>();
    EXPECT_EQ(say(echo, std::to_string(i)), std::to_string(i));
  }
  EXPECT_EQ(listener_->connections(), 100u);
  connections.clear();
  wait_until([&] { return listener_->connections() == 0; });
}

// ---- who the client is

TEST_F(TlsTest, AClientWithoutCertificateIsItsAddress) {
  listen();
  auto here = client();
  say(here.echo, "");
  EXPECT_EQ(last_peer().host, "127.0.0.1");
  EXPECT_THAT(last_peer().address, testing::StartsWith("127.0.0.1:"));
  EXPECT_FALSE(last_peer().certificate);
}

TEST_F(TlsTest, AClientsCertificateArrivesWithNameAndFingerprint) {
  listen();
  const auto files = authority_.client("worker", "worker-2, Halle (Süd)");
  auto worker = client(showing(files));
  EXPECT_EQ(say(worker.echo, "known"), "known");
  ASSERT_TRUE(last_peer().certificate);
  EXPECT_EQ(last_peer().certificate->name, "worker-2, Halle (Süd)");
  EXPECT_EQ(last_peer().certificate->fingerprint, files.fingerprint);
}

TEST_F(TlsTest, AServerThatTrustsNoAuthorityAsksNobodyForACertificate) {
  listen({.tls = {server_.certificate, server_.key}});
  auto worker = client(showing(authority_.client("worker", "worker")));
  EXPECT_EQ(say(worker.echo, "unknown"), "unknown");
  EXPECT_FALSE(last_peer().certificate);
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefusedOnBothSidesInWords) {
  listen();
  EXPECT_THAT(call_failure(showing(other_authority_.client("stranger", "stranger"))),
              AllOf(HasSubstr(address()), HasSubstr("refused the certificate it was shown (unknown CA)")));
  EXPECT_TRUE(log_->has("a connection from 127.0.0.1:"));
  EXPECT_TRUE(log_->has("its certificate \"stranger\" is refused: unable to get local issuer certificate"));
  EXPECT_TRUE(seen_.peers.empty());
}

TEST_F(TlsTest, AnExpiredClientCertificateIsRefused) {
  listen();
  EXPECT_THAT(call_failure(showing(authority_.client("old", "old", {-7200, -3600}))), HasSubstr("(certificate expired)"));
  EXPECT_TRUE(log_->has("its certificate \"old\" is refused: certificate has expired"));
}

TEST_F(TlsTest, AServersCertificateIsNoneForClients) {
  listen();
  EXPECT_THAT(call_failure(showing(authority_.server("another"))), HasSubstr("refused the certificate"));
  EXPECT_TRUE(log_->has("certificate purpose"));
}

// ---- who the server is

TEST_F(TlsTest, AServerOfAnUnknownAuthorityIsNotTrusted) {
  listen();
  EXPECT_THAT(connect_failure({.ca_file = other_authority_.certificate()}),
              AllOf(HasSubstr(address() + ": the server's certificate is not signed by an authority that is trusted here (" +
                              other_authority_.certificate()),
                    HasSubstr("--tls-ca")));
  EXPECT_THAT(connect_failure({}), HasSubstr("(those of the system)"));
  wait_until([&] { return log_->has("refused the certificate it was shown (unknown CA)"); });
}

TEST_F(TlsTest, AServersNameMustBeInItsCertificate) {
  listen({.tls = shown(authority_.server("elsewhere", {"DNS:ledger.example.org", "IP:192.0.2.1"}))});
  EXPECT_THAT(connect_failure(trusting()),
              HasSubstr("the server's certificate is not for 127.0.0.1 but for ledger.example.org, 192.0.2.1; connect under one of these, or name it with --tls-name"));
  auto named = trusting();
  named.server_name = "ledger.example.org";
  auto here = client(named);
  EXPECT_EQ(say(here.echo, "by its name"), "by its name");
  named.server_name = "192.0.2.1";
  auto addressed = client(named);
  EXPECT_EQ(say(addressed.echo, "by its address"), "by its address");
}

TEST_F(TlsTest, TheCommonNameOfAServerIsNotItsName) {
  listen({.tls = shown(authority_.server("ledger.example.org", {}))});
  auto named = trusting();
  named.server_name = "ledger.example.org";
  EXPECT_THAT(connect_failure(named), HasSubstr("not for ledger.example.org but for nobody"));
}

TEST_F(TlsTest, AnExpiredServerCertificateIsRefused) {
  listen({.tls = shown(authority_.server("old", {"IP:127.0.0.1"}, {-7200, -3600}))});
  EXPECT_TRUE(log_->has("the certificate has expired on"));
  EXPECT_THAT(connect_failure(trusting()), HasSubstr("the server's certificate has expired (20"));
}

TEST_F(TlsTest, AClientsCertificateIsNoneForServers) {
  listen({.tls = shown(authority_.client("worker", "127.0.0.1"))});
  EXPECT_THAT(connect_failure(trusting()), HasSubstr("the server's certificate is refused"));
}

// ---- older protocols, other protocols, nobody

/// A connection that speaks nothing newer than TLS 1.2.
rpc::Ssl old_tls(bool server, const support::CertificateFiles& files) {
  SSL_CTX* context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (server) {
    KJ_ASSERT(SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) == 1);
    KJ_ASSERT(SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  rpc::Ssl connection(SSL_new(context));
  SSL_CTX_free(context);
  server ? SSL_set_accept_state(connection.get()) : SSL_set_connect_state(connection.get());
  return connection;
}

TEST_F(TlsTest, AClientWithoutTls13IsRefused) {
  listen();
  rpc::TlsStream old(raw(), old_tls(false, server_), "the ledger");
  EXPECT_THAT(failure(old.handshake()), HasSubstr("the other side ended the connection (protocol version)"));
  wait_until([&] { return log_->has("it offers no TLS 1.3"); });
  EXPECT_TRUE(seen_.peers.empty());
}

/// A server that is none of ours: hands the first connection to `serve`.
class OtherServer {
 public:
  OtherServer(rpc::Loop& loop, std::function<kj::Promise<void>(kj::Own<kj::AsyncIoStream>)> serve)
      : receiver_(loop.wait(loop.io().getNetwork().parseAddress("127.0.0.1"))->listen()),
        serving_(receiver_->accept().then(std::move(serve)).eagerlyEvaluate([](kj::Exception&&) {})) {}
  std::string address() { return "tls:127.0.0.1:" + std::to_string(receiver_->getPort()); }

 private:
  kj::Own<kj::ConnectionReceiver> receiver_;
  kj::Promise<void> serving_;
};

TEST_F(TlsTest, AServerWithoutTls13IsRefused) {
  OtherServer server(loop_, [this](kj::Own<kj::AsyncIoStream> stream) {
    auto old = kj::heap<rpc::TlsStream>(kj::mv(stream), old_tls(true, server_), "a client");
    auto shaking = old->handshake();
    return shaking.attach(kj::mv(old));
  });
  EXPECT_THAT(failure(rpc::connect(loop_, server.address(), {.tls = trusting()})),
              HasSubstr("the server speaks TLS, but not TLS 1.3"));
}

TEST_F(TlsTest, AServerThatSpeaksNoTlsIsSaidToBeNone) {
  OtherServer server(loop_, [](kj::Own<kj::AsyncIoStream> stream) {
    constexpr std::string_view kAnswer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    auto writing = stream->write(kAnswer.data(), kAnswer.size());
    return writing.then([] { return kj::Promise<void>(kj::NEVER_DONE); }).attach(kj::mv(stream));
  });
  EXPECT_THAT(failure(rpc::connect(loop_, server.address(), {.tls = trusting()})),
              AllOf(HasSubstr(server.address()), HasSubstr("does not speak TLS; check the port")));
}

TEST_F(TlsTest, AServerThatClosesAtOnceIsToldFromOneThatIsSilent) {
  OtherServer closes(loop_, [](kj::Own<kj::AsyncIoStream>) -> kj::Promise<void> { return kj::READY_NOW; });
  EXPECT_THAT(failure(rpc::connect(loop_, closes.address(), {.tls = trusting()})),
              HasSubstr("closed the connection during the handshake"));
  OtherServer silent(loop_,
                     [](kj::Own<kj::AsyncIoStream> stream) { return kj::Promise<void>(kj::NEVER_DONE).attach(kj::mv(stream)); });
  EXPECT_THAT(failure(rpc::connect(loop_, silent.address(), {.tls = trusting(), .connect_ms = 400})),
              HasSubstr("a connection came about, but no TLS handshake within 0.4 s"));
}

TEST_F(TlsTest, NobodyThereSaysWhatToDo) {
  listen();
  const auto where = address();
  listener_ = nullptr;
  EXPECT_THAT(failure(rpc::connect(loop_, where, {.tls = trusting()})),
              HasSubstr(where + ": no ledger is listening there; start it"));
}

TEST_F(TlsTest, AHostThatIsNotKnownIsNamed) {
  EXPECT_THAT(failure(rpc::connect(loop_, "tls:nowhere.invalid:4433", {.tls = trusting()})),
              HasSubstr("tls:nowhere.invalid:4433: "));
}

TEST_F(TlsTest, AListenerWithoutCertificateOrPortSaysSo) {
  auto bare = rpc::Listener::open(loop_, "tls:127.0.0.1:0", factory());
  ASSERT_FALSE(bare.is_ok());
  EXPECT_THAT(bare.status().message(), HasSubstr("needs a certificate and its key"));
  listen();
  auto second = rpc::Listener::open(loop_, address(), factory(), {.tls = shown(server_)});
  ASSERT_FALSE(second.is_ok());
  EXPECT_EQ(second.status().code(), base::Code::kAlreadyExists);
  EXPECT_THAT(second.status().message(), HasSubstr(address() + ": another program listens at this port"));
}

// ---- while it runs

TEST_F(TlsTest, ANewCertificateIsShownWithoutEndingConnections) {
  listen({.tls = shown(authority_.server("live", {"IP:127.0.0.1"})), .reload_ms = 1});
  auto before = client();
  EXPECT_EQ(say(before.echo, "old"), "old");
  other_authority_.server("live", {"IP:127.0.0.1"});
  wait_until([&] { return log_->has(address() + ": shows the certificate of 127.0.0.1"); });
  EXPECT_THAT(connect_failure(trusting()), HasSubstr("not signed by an authority"));
  auto after = client({.ca_file = other_authority_.certificate()});
  EXPECT_EQ(say(after.echo, "new"), "new");
  EXPECT_EQ(say(before.echo, "still there"), "still there");
}

TEST_F(TlsTest, ABrokenNewCertificateLeavesTheOldOneInUse) {
  const auto files = authority_.server("live", {"IP:127.0.0.1"});
  listen({.tls = shown(files), .reload_ms = 1});
  std::ofstream(files.certificate) << "half a certi";
  wait_until([&] { return log_->has("goes on with the certificate it has"); });
  EXPECT_TRUE(log_->has(files.certificate + ": holds no certificate"));
  auto still = client();
  EXPECT_EQ(say(still.echo, "still"), "still");
  authority_.server("live", {"IP:127.0.0.1"});
  wait_until([&] { return log_->has("shows the certificate of"); });
}

TEST_F(TlsTest, AConnectionBeyondTheLimitIsToldSo) {
  listen({.max_connections = 2});
  auto first = client(), second = client();
  say(first.echo, "");
  say(second.echo, "");
  auto third = client();
  EXPECT_THAT(failure(kj::Promise<void>(third.echo.sayRequest().send().ignoreResult())), HasSubstr("2 connections, its limit"));
  EXPECT_EQ(say(first.echo, "unharmed"), "unharmed");
}

TEST_F(TlsTest, CloseSendsWaitingAnswersThenEnds) {
  listen();
  auto caller = client();
  auto request = caller.echo.makeRequest();
  request.setSize(4 << 20);
  auto call = request.send();
  wait_until([&] { return seen_.made == 1; });
  auto closed = listener_->close();
  EXPECT_EQ(loop_.wait(kj::mv(call)).getData().size(), 4u << 20);
  loop_.wait(kj::mv(closed));
  loop_.wait(caller.connection.on_disconnect());
  EXPECT_EQ(listener_->connections(), 0u);
  EXPECT_THAT(failure(rpc::connect(loop_, address(), {.tls = trusting()})), HasSubstr("no ledger is listening"));
}

TEST_F(TlsTest, CloseWaitsForAnswersThatAreOnTheirWayWhileRequestsAreUnread) {
  // Symptom: the machine reset the connection, and what it had not sent yet was lost.
  listen();
  auto context = rpc::TlsClientContext::load(trusting(), "127.0.0.1");
  ASSERT_TRUE(context.is_ok());
  auto tls = kj::heap<rpc::TlsStream>(raw(), context->new_connection(), "the ledger");
  loop_.wait(tls->handshake());
  echo::MuteStream mute(kj::mv(tls));
  capnp::TwoPartyClient caller(mute);
  auto echo = caller.bootstrap().castAs<Echo>();
  auto request = echo.makeRequest();
  request.setSize(300'000);
  auto call = request.send();
  auto other = client();
  wait_until([&] { return seen_.made == 1; });
  for (int i = 0; i < 10; ++i) say(other.echo, "");
  auto closed = listener_->close().eagerlyEvaluate(nullptr);
  auto unread = echo.bytesRequest();
  unread.initData(100'000);
  auto unanswered = unread.send();
  for (int i = 0; i < 20; ++i) loop_.wait(loop_.timer().afterDelay(1 * kj::MILLISECONDS));
  mute.allow_reading();
  EXPECT_EQ(loop_.wait(kj::mv(call)).getData().size(), 300'000u);
  loop_.wait(kj::mv(closed));
}

TEST_F(TlsTest, TheListenerMayGoAtAnyTime) {
  listen();
  auto caller = client();
  auto call = caller.echo.hangRequest().send().ignoreResult();
  auto arriving = raw();
  auto shaking = rpc::connect(loop_, address(), {.tls = trusting()}).eagerlyEvaluate(nullptr);
  wait_until([&] { return seen_.hanging == 1; });
  auto closing = listener_->close();
  listener_ = nullptr;
  failure(kj::mv(closing));
  EXPECT_NE(failure(kj::mv(call)), "");
}

}  // namespace
