// Peers of whom nobody knows yet who they are: what they can use up is bounded, and whoever is known loses nothing to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/rpc/hostile_fixture.h"

namespace {

constexpr int kLong = 600'000;  // ms

class StrangersTest : public echo::HostileClientsTest {
 protected:
  /// A connection that the server has answered, so that it is in the order of those that came.
  Client arrived() {
    auto here = client();
    say(here.echo, "I am here");
    return here;
  }
  /// As soon as its time is over.
  void show_out_a_stranger() {
    auto idle = shaken(raw());
    echo::HostileClientsTest::wait_for_end(*idle);
  }
  void wait_for_end(Client& client) { loop_.wait(client.connection.on_disconnect()); }
};

TEST_F(StrangersTest, WhoDoesNotLogInIsShownOut) {
  listen_and_work({.login_ms = 50});
  show_out_a_stranger();
  EXPECT_TRUE(log_->has("is ended: it had not logged in after 50 ms"));
  expect_unharmed();
}

TEST_F(StrangersTest, WhoSendsAMessageByteByByteIsShownOut) {
  listen_and_work({.login_ms = 50});
  auto slow = shaken(raw());
  const std::string prefix({0, 0, 0, 0, 0, 1, 0, 0});  // of a message of 256 words
  loop_.wait(slow->write(prefix.data(), prefix.size()));
  echo::HostileClientsTest::wait_for_end(*slow);
  expect_unharmed();
}

TEST_F(StrangersTest, WhoIsKnownStays) {
  listen_and_work({.login_ms = 50});
  on_peer_ = [this](size_t) { admission(1).give(); };
  auto known = arrived();
  on_peer_ = nullptr;
  show_out_a_stranger();
  EXPECT_EQ(say(known.echo, "still here"), "still here");
}

TEST_F(StrangersTest, ALoginUnderWayIsWaitedFor) {
  listen_and_work({.login_ms = 50});
  std::shared_ptr<void> deciding;
  on_peer_ = [&](size_t) { deciding = admission(1).decide(); };
  auto waits = arrived();
  on_peer_ = nullptr;
  for (int i = 0; i < 2; ++i) show_out_a_stranger();
  EXPECT_EQ(say(waits.echo, "still here"), "still here");
  deciding.reset();
  wait_for_end(waits);
}

TEST_F(StrangersTest, MoreThanAStrangerMaySendIsReadWhenItIsKnown) {
  listen_and_work({.login_ms = kLong});
  auto sends_much = arrived();
  auto request = sends_much.echo.bytesRequest();
  request.initData(4 << 20).asBytes()[0] = 7;
  bool answered = false;
  auto call = request.send().then([&](auto&& answer) {
    answered = true;
    EXPECT_EQ(answer.getData().size(), 4u << 20);
    EXPECT_EQ(answer.getData()[0], 7);
  }).eagerlyEvaluate(nullptr);
  for (int i = 0; i < 20; ++i) expect_unharmed();
  EXPECT_FALSE(answered);
  admission(1).give();
  loop_.wait(kj::mv(call));
  EXPECT_EQ(say(sends_much.echo, "and more"), "and more");
}

TEST_F(StrangersTest, TheOldestStrangerMakesRoomForANewOne) {
  listen_and_work({.login_ms = kLong, .max_strangers = 3});
  std::vector<Client> strangers;
  for (int i = 0; i < 3; ++i) strangers.push_back(arrived());
  auto deciding = admission(1).decide();  // the oldest, but its login is under way
  auto fourth = arrived();
  wait_for_end(strangers[1]);
  EXPECT_TRUE(log_->has("3 others came while it had not logged in"));
  for (auto* stays : {&strangers[0], &strangers[2], &fourth}) EXPECT_EQ(say(stays->echo, "here"), "here");
  expect_unharmed();
}

TEST_F(StrangersTest, ASourceWithManyStrangersDrivesOutItsOwn) {
  listen_and_work({.login_ms = kLong, .max_strangers = 3});
  auto honest = arrived();
  std::vector<kj::Own<rpc::TlsStream>> flood;
  for (int i = 0; i < 10; ++i) {
    flood.push_back(shaken(raw("127.0.0.2")));
    wait_until([&] { return seen_.peers.size() == flood.size() + 2; });
  }
  for (size_t i = 0; i + 2 < flood.size(); ++i) echo::HostileClientsTest::wait_for_end(*flood[i]);
  EXPECT_EQ(say(honest.echo, "still here"), "still here");
  expect_unharmed();
}

TEST_F(StrangersTest, StrangersMakeRoomWhenAllConnectionsAreTaken) {
  listen_and_work({.max_connections = 3, .login_ms = kLong});
  auto first = arrived(), second = arrived();
  auto third = arrived();
  wait_for_end(first);
  admission(2).give();
  admission(3).give();
  auto refused = client();
  EXPECT_THAT(failure(kj::Promise<void>(refused.echo.sayRequest().send().ignoreResult())), testing::HasSubstr("3 connections, its limit"));
  for (auto* stays : {&second, &third}) EXPECT_EQ(say(stays->echo, "here"), "here");
  expect_unharmed();
}

TEST_F(StrangersTest, WhereNobodyLogsInNobodyIsAStranger) {
  listen_and_work({.max_strangers = 1});
  auto first = arrived(), second = arrived();
  EXPECT_EQ(say(first.echo, "here"), "here");
  EXPECT_EQ(say(second.echo, "here"), "here");
}

}  // namespace
