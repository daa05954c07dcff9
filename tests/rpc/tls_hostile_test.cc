// Clients that mean harm, over the network: each ends alone, while another one works on as if nothing was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "rpc/log_limit.h"
#include "tests/rpc/hostile_fixture.h"

namespace {

using echo::GreedyClient;
using echo::HostileClientsTest;
using testing::HasSubstr;

TEST_F(HostileClientsTest, GarbageEndsItsConnection) {
  listen_and_work();
  uint32_t state = 12345;
  for (int round = 0; round < 50; ++round) {
    std::array<kj::byte, 3000> noise;
    for (auto& byte : noise) byte = static_cast<kj::byte>((state = state * 1664525u + 1013904223u) >> 24);
    auto bad = raw();
    failure(bad->write(noise.data(), noise.size()));
    wait_for_end(*bad);
  }
  expect_unharmed();
  EXPECT_EQ(seen_.peers.size(), 1u);
}

TEST_F(HostileClientsTest, GarbageBehindTheHandshakeEndsItsConnection) {
  listen_and_work();
  for (int round = 0; round < 10; ++round) {
    auto bad = shaken(raw());
    std::array<kj::byte, 3000> noise;
    noise.fill(static_cast<kj::byte>(37 * round + 1));
    failure(bad->write(noise.data(), noise.size()));
    bad->shutdownWrite();
    wait_for_end(*bad);
  }
  wait_until([&] { return listener_->connections() == 1; });
  expect_unharmed();
}

TEST_F(HostileClientsTest, OtherProtocolsEndTheirConnectionAndAreNamedInTheLog) {
  listen_and_work();
  // A bootstrap request of Cap'n Proto as it goes over a Unix socket, and a browser.
  const std::string capnp({0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0});
  for (const std::string& text : {capnp, std::string("GET / HTTP/1.1\r\nHost: ledger\r\n\r\n")}) {
    auto other = raw();
    loop_.wait(other->write(text.data(), text.size()));
    wait_for_end(*other);
  }
  wait_until([&] { return log_->has("what it sent is not TLS"); });
  expect_unharmed();
}

TEST_F(HostileClientsTest, AClientThatSaysNothingIsGivenUp) {
  listen_and_work({.handshake_ms = 400});
  auto silent = raw();
  wait_for_end(*silent);
  EXPECT_TRUE(log_->has("it had not shaken hands after 400 ms"));
  expect_unharmed();
}

TEST_F(HostileClientsTest, AHandshakeByteByByteIsGivenUp) {
  listen_and_work({.handshake_ms = 400});
  auto slow = raw();
  // The beginning of a hello that promises 512 bytes.
  const std::array<kj::byte, 512> hello{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3};
  size_t sent = 0;
  std::function<kj::Promise<void>()> send_on = [&]() -> kj::Promise<void> {
    if (sent == hello.size()) return kj::NEVER_DONE;
    return slow->write(hello.data() + sent++, 1).then([&] { return loop_.timer().afterDelay(5 * kj::MILLISECONDS); }).then([&] {
      return send_on();
    });
  };
  auto sending = send_on().eagerlyEvaluate([](kj::Exception&&) {});
  wait_for_end(*slow);
  EXPECT_TRUE(log_->has("it had not shaken hands after 400 ms"));
  expect_unharmed();
}

TEST_F(HostileClientsTest, AClientThatIsRefusedAndDoesNotLeaveIsClosed) {
  listen_and_work({.handshake_ms = 400});
  auto stays = raw();
  loop_.wait(stays->write("GET / HTTP/1.1\r\n", 16));
  auto alert = stays->readAllBytes(1 << 20);
  loop_.wait(kj::mv(alert));
  // Our end stays open; the server's goes all the same, and writing to it shows that.
  wait_until([&] { return failure(stays->write("x", 1)) != ""; });
  expect_unharmed();
}

TEST_F(HostileClientsTest, TheOldestHandshakeMakesRoomForANewOne) {
  listen_and_work({.max_handshakes = 3});
  std::vector<kj::Own<kj::AsyncIoStream>> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(raw());
  auto here = client();
  wait_for_end(*silent[0]);
  EXPECT_EQ(say(here.echo, "let in"), "let in");
  EXPECT_TRUE(log_->has("3 others came while it had not shaken hands"));
  expect_unharmed();
}

TEST_F(HostileClientsTest, OneSourceCannotTakeAllConnections) {
  listen_and_work({.max_connections_per_source = 5});
  std::vector<kj::Own<kj::AsyncIoStream>> flood;
  for (int i = 0; i < 500; ++i) flood.push_back(raw("127.0.0.2"));
  for (size_t i = 5; i < flood.size(); ++i) wait_for_end(*flood[i]);
  EXPECT_TRUE(log_->has("127.0.0.2 has 5 connections, the limit for one source"));
  auto another = client();
  EXPECT_EQ(say(another.echo, "from elsewhere"), "from elsewhere");
  expect_unharmed();
  flood.clear();
  // What ended is no longer counted.
  wait_until([&] {
    auto again = raw("127.0.0.2");
    return failure(kj::evalNow([&] { return shaken(kj::mv(again)), kj::Promise<void>(kj::READY_NOW); })).empty();
  });
}

TEST_F(HostileClientsTest, AnAttackDoesNotFillTheLog) {
  listen_and_work();
  for (int i = 0; i < 200; ++i) {
    auto bad = raw();
    loop_.wait(bad->write("GET / HTTP/1.1\r\n", 16));
    wait_for_end(*bad);
  }
  EXPECT_LE(log_->count(), rpc::LogLimit::kBurst + 10u);
  expect_unharmed();
}

TEST_F(HostileClientsTest, AMessageBeyondTheLimitEndsItsConnection) {
  listen_and_work();
  auto bad = shaken(raw());
  // One segment of 2^31 words.
  const std::array<kj::byte, 8> prefix{0, 0, 0, 0, 0, 0, 0, 0x80};
  loop_.wait(bad->write(prefix.data(), prefix.size()));
  wait_for_end(*bad);
  wait_until([&] { return listener_->connections() == 1; });
  expect_unharmed();
}

TEST_F(HostileClientsTest, AClientThatVanishesMidCallCancelsWhatMayBeCancelled) {
  listen_and_work();
  {
    auto gone = client();
    auto call = gone.echo.hangRequest().send();
    wait_until([&] { return seen_.hanging == 1; });
  }
  wait_until([&] { return seen_.hanging == 0 && listener_->connections() == 1; });
  expect_unharmed();
}

TEST_F(HostileClientsTest, AClientThatReadsNothingIsServedNoFurther) {
  listen_and_work();
  GreedyClient greedy(shaken(raw()));
  for (int made = -1; made != seen_.made;) {
    made = seen_.made;
    for (int i = 0; i < 10; ++i) expect_unharmed();
  }
  EXPECT_GT(seen_.made, 0);
  EXPECT_LT(seen_.made, 64);
  loop_.wait(greedy.take_answers());
  EXPECT_EQ(greedy.got(), size_t{GreedyClient::kAnswers} << 20);
}

TEST_F(HostileClientsTest, AClientThatTakesNoAnswersForTooLongIsGivenUp) {
  listen_and_work({.stalled_ms = 20});
  GreedyClient greedy(shaken(raw()));
  wait_until([&] { return seen_.made > 0; });
  wait_until([&] { return listener_->connections() == 1; });
  expect_unharmed();
}

}  // namespace
