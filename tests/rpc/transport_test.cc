#include "rpc/transport.h"

#include <capnp/rpc-twoparty.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "tests/rpc/echo_fixture.h"

namespace {

using echo::Echo;
using echo::EchoServer;
using echo::GreedyClient;
using echo::Seen;
using testing::HasSubstr;

class TransportTest : public echo::EchoTest {
 protected:
  TransportTest() {
    char name[] = "/tmp/runledger-transport-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ / "run" / "ledger.sock";
  }
  ~TransportTest() noexcept override {
    listener_ = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string address() const { return "unix:" + path_.string(); }

  void listen(rpc::ListenOptions options = {}) {
    auto opened = rpc::Listener::open(loop_, address(), factory(), options);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    listener_ = std::move(opened).value();
  }

  std::string refusal(const std::string& where) {
    auto opened = rpc::Listener::open(loop_, where, factory());
    return opened.is_ok() ? "" : opened.status().message();
  }

  Client client() { return EchoTest::client(address()); }

  /// A socket that speaks no RPC.
  kj::Own<kj::AsyncIoStream> raw() {
    auto target = loop_.wait(loop_.io().getNetwork().parseAddress(address()));
    return loop_.wait(target->connect());
  }

  std::filesystem::path folder_, path_;
};

TEST_F(TransportTest, TwoClientsAreServedApart) {
  listen();
  auto first = client(), second = client();
  EXPECT_EQ(say(first.echo, "MARI"), "MARI");
  EXPECT_EQ(say(first.echo, "28001"), "28001");
  auto request = second.echo.sayRequest();
  EXPECT_EQ(loop_.wait(request.send()).getCalls(), 1u);
  EXPECT_EQ(listener_->connections(), 2u);
}

TEST_F(TransportTest, ThePeerIsWhoTheKernelSays) {
  listen();
  auto me = client();
  auto answer = loop_.wait(me.echo.meRequest().send());
  EXPECT_EQ(answer.getUid(), geteuid());
  EXPECT_EQ(answer.getGid(), getegid());
  EXPECT_EQ(answer.getPid(), getpid());
  EXPECT_GT(answer.getName().size(), 0u);
  if (geteuid() == 0) {
    EXPECT_EQ(std::string(answer.getName().cStr()), "root");
  }
}

TEST_F(TransportTest, DependentCallsNeedNoAnswerBetween) {
  listen();
  auto chain = client();
  auto echo = chain.echo;
  for (int i = 0; i < 63; ++i) echo = echo.nextRequest().send().getEcho();
  EXPECT_EQ(loop_.wait(echo.nextRequest().send()).getDepth(), 64u);
}

TEST_F(TransportTest, EightMebibytesGoBothWays) {
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

TEST_F(TransportTest, ARequestBeyondTheLimitFailsAlone) {
  listen();
  auto big = client();
  auto request = big.echo.bytesRequest();
  request.initData(rpc::kMaxMessageBytes + 8);
  EXPECT_THAT(failure(kj::Promise<void>(request.send().ignoreResult())), HasSubstr("size limit"));
  EXPECT_EQ(say(big.echo, "still here"), "still here");
}

TEST_F(TransportTest, AnExceptionReachesTheCallerAndOnlyTheCall) {
  listen();
  auto caller = client();
  EXPECT_THAT(failure(kj::Promise<void>(caller.echo.failRequest().send().ignoreResult())), HasSubstr("detector is off"));
  EXPECT_EQ(say(caller.echo, "go on"), "go on");
}

TEST_F(TransportTest, GarbageCostsOnlyItsConnection) {
  listen();
  auto good = client();
  uint32_t state = 12345;
  for (int round = 0; round < 50; ++round) {
    std::array<kj::byte, 3000> noise;
    for (auto& byte : noise) byte = static_cast<kj::byte>((state = state * 1664525u + 1013904223u) >> 24);
    auto bad = raw();
    loop_.wait(bad->write(noise.data(), noise.size()));
    bad->shutdownWrite();
    // Whatever is answered (an abort message or nothing), the connection ends.
    failure(bad->readAllBytes(1 << 20));
  }
  EXPECT_EQ(say(good.echo, "unharmed"), "unharmed");
  wait_until([&] { return listener_->connections() == 1; });
}

TEST_F(TransportTest, AHugeLengthPrefixEndsItsConnectionAtOnce) {
  listen();
  auto good = client();
  auto bad = raw();
  // One segment of 2^31 words, little-endian: 16 GiB.
  const std::array<kj::byte, 8> prefix{0, 0, 0, 0, 0, 0, 0, 0x80};
  loop_.wait(bad->write(prefix.data(), prefix.size()));
  failure(bad->readAllBytes(1 << 20));
  wait_until([&] { return listener_->connections() == 1; });
  EXPECT_EQ(say(good.echo, "unharmed"), "unharmed");
}

TEST_F(TransportTest, ANumberOfSegmentsBeyondReasonEndsItsConnection) {
  listen();
  auto bad = raw();
  const std::array<kj::byte, 8> prefix{0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0};
  loop_.wait(bad->write(prefix.data(), prefix.size()));
  failure(bad->readAllBytes(1 << 20));
  wait_until([&] { return listener_->connections() == 0; });
}

TEST_F(TransportTest, APromiseThatBecomesItselfEndsItsConnection) {
  // Symptom: each such connection left its state behind when it ended, and the ledger grew.
  listen();
  auto bad = raw();
  capnp::MallocMessageBuilder message;
  auto resolve = message.initRoot<capnp::rpc::Message>().initResolve();
  resolve.setPromiseId(0);
  resolve.initCap().setSenderPromise(0);
  auto words = capnp::messageToFlatArray(message);
  loop_.wait(bad->write(words.begin(), words.asBytes().size()));
  auto answer = loop_.wait(bad->readAllBytes(1 << 20));
  EXPECT_THAT(std::string(answer.asChars().begin(), answer.size()), HasSubstr("a promise may become an object of its sender"));
  wait_until([&] { return listener_->connections() == 0; });
}

TEST_F(TransportTest, AClientThatVanishesMidCallCancelsWhatMayBeCancelled) {
  listen();
  auto good = client();
  {
    auto gone = client();
    auto call = gone.echo.hangRequest().send();
    wait_until([&] { return seen_.hanging == 1; });
    auto half = raw();
    const std::array<kj::byte, 12> part{0, 0, 0, 0, 100, 0, 0, 0, 1, 2, 3, 4};
    loop_.wait(half->write(part.data(), part.size()));
  }
  wait_until([&] { return seen_.hanging == 0 && listener_->connections() == 1; });
  EXPECT_EQ(say(good.echo, "unharmed"), "unharmed");
}

TEST_F(TransportTest, ACallerThatLosesItsServerIsTold) {
  listen();
  auto caller = client();
  auto call = caller.echo.hangRequest().send().ignoreResult();
  wait_until([&] { return seen_.hanging == 1; });
  listener_ = nullptr;
  loop_.wait(caller.connection.on_disconnect());
  try {
    loop_.wait(kj::mv(call));
    FAIL() << "the call ended well";
  } catch (const kj::Exception& exception) {
    EXPECT_EQ(exception.getType(), kj::Exception::Type::DISCONNECTED) << exception.getDescription().cStr();
  }
}

TEST_F(TransportTest, AClientThatReadsNothingIsServedNoFurtherAndDelaysNobody) {
  listen();
  GreedyClient greedy(raw());
  auto good = client();
  // Until a hundred calls of another client bring no further request of this one.
  for (int made = -1; made != seen_.made;) {
    made = seen_.made;
    for (int i = 0; i < 100; ++i) ASSERT_EQ(say(good.echo, "unharmed"), "unharmed");
  }
  EXPECT_GT(seen_.made, 0);
  EXPECT_LT(seen_.made, 64);
  loop_.wait(greedy.take_answers());
  EXPECT_EQ(greedy.got(), size_t{GreedyClient::kAnswers} << 20);
}

TEST_F(TransportTest, AClientThatTakesNoAnswersForTooLongIsGivenUp) {
  listen({.stalled_ms = 20});
  GreedyClient greedy(raw());
  auto good = client();
  wait_until([&] { return seen_.made > 0; });
  wait_until([&] { return listener_->connections() == 1; });
  EXPECT_EQ(say(good.echo, "unharmed"), "unharmed");
}

TEST_F(TransportTest, ServerAndClientMayBeOnTwoThreads) {
  std::promise<void> listening;
  auto stop = std::make_shared<std::function<void()>>();
  std::thread server([&] {
    rpc::Loop loop;
    Seen seen;
    auto opened = rpc::Listener::open(loop, address(), [&](const rpc::PeerIdentity& peer) -> capnp::Capability::Client {
      return kj::heap<EchoServer>(seen, peer);
    });
    KJ_ASSERT(opened.is_ok());
    *stop = [&] { loop.post([&] { loop.stop(); }); };
    listening.set_value();
    loop.run();
    loop.wait((*opened)->close());
  });
  listening.get_future().wait();
  {
    auto here = client();
    for (int i = 0; i < 200; ++i) ASSERT_EQ(say(here.echo, std::to_string(i)), std::to_string(i));
    auto promises = kj::heapArrayBuilder<kj::Promise<void>>(1000);
    for (int i = 0; i < 1000; ++i) promises.add(here.echo.sayRequest().send().ignoreResult());
    loop_.wait(kj::joinPromises(promises.finish()));
    (*stop)();
    loop_.wait(here.connection.on_disconnect());
  }
  server.join();
}

TEST_F(TransportTest, ManyConnectionsAreServed) {
  listen();
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(client());
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(say(clients[i].echo, std::to_string(i)), std::to_string(i));
  EXPECT_EQ(listener_->connections(), 200u);
  clients.clear();
  wait_until([&] { return listener_->connections() == 0; });
}

TEST_F(TransportTest, AConnectionBeyondTheLimitIsToldSo) {
  listen({.max_connections = 2});
  auto first = client(), second = client();
  say(first.echo, "");
  say(second.echo, "");
  {
    auto third = client();
    EXPECT_THAT(failure(kj::Promise<void>(third.echo.sayRequest().send().ignoreResult())), HasSubstr("2 connections, its limit"));
    EXPECT_EQ(say(first.echo, "unharmed"), "unharmed");
  }
  wait_until([&] { return listener_->connections() == 2; });
  { auto leaves = std::move(first); }
  wait_until([&] { return listener_->connections() == 1; });
  auto fourth = client();
  EXPECT_EQ(say(fourth.echo, "room"), "room");
}

TEST_F(TransportTest, AFactoryThatThrowsFailsThatConnectionAndTellsNoSecrets) {
  auto opened = rpc::Listener::open(loop_, address(),
                                    [](const rpc::PeerIdentity&) -> capnp::Capability::Client { KJ_FAIL_REQUIRE("secret path"); });
  ASSERT_TRUE(opened.is_ok());
  auto caller = client();
  auto text = failure(kj::Promise<void>(caller.echo.sayRequest().send().ignoreResult()));
  EXPECT_THAT(text, HasSubstr("its log says why"));
  EXPECT_THAT(text, testing::Not(HasSubstr("secret")));
}

TEST_F(TransportTest, CloseSendsWaitingAnswersThenEnds) {
  listen();
  auto caller = client();
  auto request = caller.echo.makeRequest();
  request.setSize(4 << 20);
  auto call = request.send();
  wait_until([&] { return seen_.made == 1; });
  auto closed = listener_->close();
  auto again = listener_->close();
  auto answer = loop_.wait(kj::mv(call));
  EXPECT_EQ(answer.getData().size(), 4u << 20);
  loop_.wait(kj::mv(closed));
  loop_.wait(kj::mv(again));
  loop_.wait(caller.connection.on_disconnect());
  EXPECT_EQ(listener_->connections(), 0u);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(TransportTest, CloseDoesNotWaitForeverForAClientThatReadsNothing) {
  listen({.last_answers_ms = 20});
  GreedyClient greedy(raw());
  wait_until([&] { return seen_.made > 0; });
  loop_.wait(listener_->close());
  EXPECT_EQ(listener_->connections(), 0u);
  listener_ = nullptr;
  listen();
  auto next = client();
  EXPECT_EQ(say(next.echo, "anew"), "anew");
}

TEST_F(TransportTest, TheListenerMayGoAtAnyTime) {
  listen();
  auto caller = client();
  auto call = caller.echo.hangRequest().send().ignoreResult();
  auto arriving = raw();
  auto closing = listener_->close();
  listener_ = nullptr;
  failure(kj::mv(closing));
  failure(kj::mv(call));
}

// ---- the socket file

TEST_F(TransportTest, OnlyTheOwnerMayConnectUnlessToldOtherwise) {
  umask(022);
  listen();
  struct stat socket {
  }, folder{};
  ASSERT_EQ(stat(path_.c_str(), &socket), 0);
  ASSERT_EQ(stat(path_.parent_path().c_str(), &folder), 0);
  EXPECT_EQ(socket.st_mode & 07777, 0600u);
  EXPECT_EQ(folder.st_mode & 07777, 0700u);
  listener_ = nullptr;
  listen({.socket_mode = 0666});
  ASSERT_EQ(stat(path_.c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 07777, 0666u);
}

/// A socket file as a killed process leaves it, and the socket if it shall live.
int bind_plainly(const std::filesystem::path& path, bool listening) {
  std::filesystem::create_directories(path.parent_path());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  KJ_ASSERT(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  if (listening) {
    KJ_ASSERT(listen(fd, 1) == 0);
    return fd;
  }
  close(fd);
  return -1;
}

TEST_F(TransportTest, ASocketFileLeftBehindIsReplaced) {
  bind_plainly(path_, false);
  EXPECT_THAT(failure(rpc::connect(loop_, address())), HasSubstr("no ledger is listening at"));
  listen();
  auto caller = client();
  EXPECT_EQ(say(caller.echo, "anew"), "anew");
}

TEST_F(TransportTest, ASecondListenerIsRefusedAndHarmsNothing) {
  listen();
  auto text = refusal(address());
  EXPECT_THAT(text, HasSubstr(path_.string()));
  EXPECT_THAT(text, HasSubstr("another ledger listens there (process " + std::to_string(getpid()) + ")"));
  auto caller = client();
  EXPECT_EQ(say(caller.echo, "unharmed"), "unharmed");
}

TEST_F(TransportTest, ASocketOfAnotherProgramIsNotTaken) {
  int fd = bind_plainly(path_, true);
  EXPECT_THAT(refusal(address()), HasSubstr("somebody listens there"));
  EXPECT_TRUE(std::filesystem::exists(path_));
  close(fd);
}

TEST_F(TransportTest, AFileThatIsNoSocketIsLeftAlone) {
  std::filesystem::create_directories(path_.parent_path());
  std::ofstream(path_) << "precious";
  EXPECT_THAT(refusal(address()), HasSubstr("is not a socket"));
  std::string content;
  std::ifstream(path_) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(TransportTest, ASocketFileOfAnotherIsNotRemovedAtTheEnd) {
  listen();
  std::filesystem::remove(path_);
  std::ofstream(path_) << "somebody else's";
  listener_ = nullptr;
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(TransportTest, ALongPathWorks) {
  for (int i = 0; i < 8; ++i) path_ = path_.parent_path() / std::string(40, static_cast<char>('a' + i)) / "ledger.sock";
  ASSERT_GT(path_.string().size(), 300u);
  EXPECT_THAT(failure(rpc::connect(loop_, address())), HasSubstr("no ledger is listening at"));
  listen();
  auto caller = client();
  EXPECT_EQ(say(caller.echo, "far down"), "far down");
  listener_ = nullptr;
  EXPECT_FALSE(std::filesystem::exists(path_));
  bool stale_is_replaced = refusal(address()).empty();
  EXPECT_TRUE(stale_is_replaced);
}

TEST_F(TransportTest, ANameThatIsTooLongNamesTheLimit) {
  path_ = folder_ / std::string(120, 'n');
  EXPECT_THAT(refusal(address()), HasSubstr("has 120 bytes, the system takes at most"));
  EXPECT_THAT(failure(rpc::connect(loop_, address())), HasSubstr("has 120 bytes, the system takes at most"));
}

TEST_F(TransportTest, NobodyThereSaysWhatToDo) {
  EXPECT_THAT(failure(rpc::connect(loop_, address())),
              HasSubstr("no ledger is listening at " + path_.string() + ": start it with runledger up, or give --site"));
}

/// What connect() says to an account that is neither root nor the owner, when this one is root; else to this one.
std::string refusal_of_others(const std::string& address) {
  std::string text;
  std::thread other([&] {
    constexpr int kNobody = 65534;
    if (geteuid() == 0) syscall(SYS_setresuid, kNobody, kNobody, kNobody);  // of this thread only
    rpc::Loop loop;
    try {
      loop.wait(rpc::connect(loop, address));
    } catch (const kj::Exception& exception) {
      text = exception.getDescription().cStr();
    }
  });
  other.join();
  return text;
}

TEST_F(TransportTest, WhoMayNotConnectIsToldSo) {
  listen({.socket_mode = 0});
  EXPECT_THAT(refusal_of_others(address()), HasSubstr("permission denied: " + path_.string()));
  chmod(folder_.c_str(), 0755);
  chmod(path_.parent_path().c_str(), 0755);
  EXPECT_THAT(refusal_of_others(address()), HasSubstr("permission denied: " + path_.string()));
}

TEST_F(TransportTest, AnUnknownSchemeNamesTheKnownOnes) {
  for (const char* text : {"http://ledger.example.org", "", "unix:", "/run/ledger.sock"}) {
    EXPECT_THAT(refusal(text), HasSubstr("it knows unix:PATH and tls:HOST:PORT")) << text;
    EXPECT_THAT(failure(rpc::connect(loop_, text)), HasSubstr("it knows unix:PATH and tls:HOST:PORT")) << text;
  }
  EXPECT_THAT(refusal("unix:/tmp/"), HasSubstr("names no socket file"));
}

}  // namespace
