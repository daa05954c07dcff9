#include "daemons/port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async.h>
#include <kj/debug.h>

#include "rpc/loop.h"

namespace {

using testing::ElementsAre;

/// Answers when it is told to; keeps what came, as one text of ids a call.
class FakePort final : public schema::DaemonPort::Server {
 public:
  struct State {
    std::vector<std::string> calls;
    std::vector<base::Code> codes;  // of the answers to come; then kOk
    kj::Maybe<kj::Exception> failure;
    std::string poison;  // a call with this id fails
  };
  explicit FakePort(State& state) : state_(state) {}
  kj::Promise<void> submit(SubmitContext context) override {
    std::string ids;
    for (auto command : context.getParams().getCommands()) ids += (ids.empty() ? "" : " ") + std::string(command.getId().cStr());
    state_.calls.push_back(ids);
    return kj::evalLater([this, context, ids]() mutable {
      KJ_IF_MAYBE (failure, state_.failure) kj::throwFatalException(kj::cp(*failure));
      KJ_REQUIRE(state_.poison.empty() || ids.find(state_.poison) == ids.npos, "poison");
      auto answers = context.getResults().initAnswers(context.getParams().getCommands().size());
      for (auto answer : answers) {
        base::Code code = base::Code::kOk;
        if (!state_.codes.empty()) {
          code = state_.codes.front();
          state_.codes.erase(state_.codes.begin());
        }
        answer.initRefusal().setCode(static_cast<schema::Refusal::Code>(code));
        answer.getRefusal().setText(code == base::Code::kOk ? "" : "the test refuses it");
        answer.initEvents(1).set(0, state_.calls.size());
      }
    });
  }

 private:
  State& state_;
};

class SubmitterTest : public testing::Test {
 protected:
  kj::Promise<daemons::CommandAnswer> submit(const std::string& id, size_t bytes = 0) {
    daemons::Command command(id);
    std::string blob(bytes, 'x');
    command.attach({blob});
    return submitter->submit(std::move(command));
  }
  /// How the answers to `ids`, sent at once, turn out.
  std::vector<base::Code> codes_of(std::vector<std::string> ids, size_t bytes = 0) {
    std::vector<kj::Promise<daemons::CommandAnswer>> sent;
    for (const std::string& id : ids) sent.push_back(submit(id, bytes));
    std::vector<base::Code> codes;
    for (auto& promise : sent) codes.push_back(loop.wait(kj::mv(promise)).status.code());
    return codes;
  }

  rpc::Loop loop;
  FakePort::State state;
  daemons::SubmitterSettings settings{
      .calls_in_flight = 1, .commands_per_call = 3, .bytes_per_call = 1000, .first_backoff_ms = 1, .last_backoff_ms = 2};
  std::unique_ptr<daemons::Submitter> submitter =
      std::make_unique<daemons::Submitter>(loop.timer(), kj::heap<FakePort>(state), settings);
};

constexpr base::Code kOk = base::Code::kOk;

TEST_F(SubmitterTest, CommandsThatWaitShareACall) {
  EXPECT_THAT(codes_of({"a", "b", "c", "d", "e"}), ElementsAre(kOk, kOk, kOk, kOk, kOk));
  EXPECT_THAT(state.calls, ElementsAre("a", "b c d", "e"));
}

TEST_F(SubmitterTest, LargeCommandsDoNotMakeACallTooLarge) {
  // Logs of several attempts that ended together made one message of more than a connection takes.
  codes_of({"a", "b", "c", "d"}, 400);
  EXPECT_THAT(state.calls, ElementsAre("a", "b c", "d"));
  state.calls.clear();
  codes_of({"e", "f", "g"}, 5000);
  EXPECT_THAT(state.calls, ElementsAre("e", "f", "g"));
}

TEST_F(SubmitterTest, BusyLedgerIsAskedAgainInOrder) {
  state.codes = {base::Code::kUnavailable, kOk, base::Code::kUnavailable, base::Code::kUnavailable};
  EXPECT_THAT(codes_of({"a", "b", "c"}), ElementsAre(kOk, kOk, kOk));
  EXPECT_EQ(state.calls.front(), "a");
  EXPECT_EQ(state.calls[1].substr(0, 1), "a");
}

TEST_F(SubmitterTest, RefusalIsAnAnswer) {
  state.codes = {base::Code::kConflict};
  auto answer = loop.wait(submit("a"));
  EXPECT_EQ(answer.status.code(), base::Code::kConflict);
  EXPECT_EQ(answer.status.message(), "the test refuses it");
  EXPECT_THAT(loop.wait(submit("b")).events, ElementsAre(2));
}

TEST_F(SubmitterTest, CommandThatMakesACallFailHoldsUpNoOther) {
  state.poison = "bad";
  EXPECT_THAT(codes_of({"a", "b", "bad", "c"}), ElementsAre(kOk, kOk, base::Code::kInternal, kOk));
}

TEST_F(SubmitterTest, BrokenConnectionRejectsAllThatWait) {
  // A command whose connection broke was waited for without end.
  state.failure = KJ_EXCEPTION(DISCONNECTED, "gone");
  std::vector<kj::Promise<daemons::CommandAnswer>> sent;
  for (const char* id : {"a", "b", "c", "d", "e"}) sent.push_back(submit(id));
  for (auto& promise : sent) {
    bool rejected = loop.wait(promise.then([](auto&&) { return false; }, [](kj::Exception&& exception) {
      return exception.getType() == kj::Exception::Type::DISCONNECTED;
    }));
    EXPECT_TRUE(rejected);
  }
}

TEST_F(SubmitterTest, DroppedPromiseDoesNotStopItsCommand) {
  auto first = submit("a");
  { auto dropped = submit("b"); }
  loop.wait(kj::mv(first));
  loop.wait(submit("c"));
  EXPECT_THAT(state.calls, ElementsAre("a", "b", "c"));
}

}  // namespace
