// What one connection may have under way: calls that are not over, capabilities in a message.
#include <capnp/rpc.capnp.h>
#include <capnp/serialize-async.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/rpc/hostile_fixture.h"

namespace {

using capnp::rpc::Message;

class OpenCallsTest : public echo::HostileClientsTest {
 protected:
  void send(kj::AsyncIoStream& to, const std::function<void(Message::Builder)>& write) {
    capnp::MallocMessageBuilder message;
    write(message.initRoot<Message>());
    loop_.wait(capnp::writeMessage(to, message));
  }
  void call_hang(kj::AsyncIoStream& to, uint32_t id, const std::function<void(capnp::rpc::Payload::Builder)>& write) {
    send(to, [&](Message::Builder message) {
      auto call = message.initCall();
      call.setQuestionId(id);
      call.initTarget().initPromisedAnswer().setQuestionId(0);
      call.setInterfaceId(capnp::typeId<echo::Echo>());
      call.setMethodId(5);
      write(call.initParams());
    });
  }
};

TEST_F(OpenCallsTest, AsManyAsMayBeAreServed) {
  listen_and_work();
  auto busy = client();
  std::vector<kj::Promise<void>> calls;
  while (calls.size() + 1 < rpc::kMaxOpenCalls) calls.push_back(busy.echo.hangRequest().send().ignoreResult());
  wait_until([&] { return seen_.hanging == static_cast<int>(calls.size()); });
  calls.clear();
  wait_until([&] { return seen_.hanging == 0; });
  for (int round = 0; round < 3; ++round) {
    kj::Vector<kj::Promise<void>> again;
    for (size_t i = 0; i + 2 < rpc::kMaxOpenCalls; ++i) again.add(busy.echo.sayRequest().send().ignoreResult());
    loop_.wait(kj::joinPromises(again.releaseAsArray()));
  }
  expect_unharmed();
}

TEST_F(OpenCallsTest, MoreThanMayBeEndTheirConnection) {
  listen_and_work();
  auto greedy = client();
  std::vector<kj::Promise<void>> calls;
  for (size_t i = 0; i <= rpc::kMaxOpenCalls; ++i) calls.push_back(greedy.echo.hangRequest().send().ignoreResult());
  EXPECT_THAT(failure(std::move(calls.front())), testing::HasSubstr("4096 calls"));
  wait_until([&] { return listener_->connections() == 1 && seen_.hanging == 0; });
  EXPECT_TRUE(log_->has("is ended: a connection may have 4096 calls"));
  expect_unharmed();
}

TEST_F(OpenCallsTest, AnswersThatAreKeptCount) {
  listen_and_work();
  auto greedy = client();
  using Kept = capnp::Response<echo::Echo::NextResults>;
  std::vector<Kept> kept;
  std::string why;
  for (size_t i = 0; i <= rpc::kMaxOpenCalls && why.empty(); ++i) {
    why = failure(greedy.echo.nextRequest().send().then([&](Kept&& answer) { kept.push_back(kj::mv(answer)); }));
  }
  EXPECT_THAT(why, testing::HasSubstr("4096 calls"));
  wait_until([&] { return listener_->connections() == 1; });
  expect_unharmed();
}

TEST_F(OpenCallsTest, CallsThatRunThoughTheirClientGaveThemUpCount) {
  listen_and_work();
  auto greedy = client();
  for (size_t i = 0; i <= rpc::kMaxOpenCalls; ++i) auto given_up = greedy.echo.stayRequest().send();
  loop_.wait(greedy.connection.on_disconnect());
  EXPECT_LE(seen_.staying.size(), rpc::kMaxOpenCalls);
  EXPECT_GT(seen_.staying.size(), 0u);
  expect_unharmed();
  for (auto& call : seen_.staying) call->fulfill();
  wait_until([&] { return listener_->connections() == 1; });
}

TEST_F(OpenCallsTest, AMessageFullOfCapabilitiesEndsItsConnection) {
  listen_and_work();
  auto bad = shaken(raw());
  send(*bad, [](Message::Builder message) { message.initBootstrap().setQuestionId(0); });
  call_hang(*bad, 1, [](auto params) {
    auto table = params.initCapTable(rpc::kMaxCapabilitiesOfMessage + 1);
    for (unsigned i = 0; i < table.size(); ++i) table[i].setSenderHosted(i);
  });
  wait_for_end(*bad);
  wait_until([&] { return listener_->connections() == 1; });
  EXPECT_TRUE(log_->has("is ended: a message may pass 64 capabilities"));
  expect_unharmed();
}

}  // namespace
