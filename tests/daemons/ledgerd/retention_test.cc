// What the site file says is forgotten by itself, and nothing else; each time on record, and every proof stays valid.
#include "daemons/ledgerd/retention.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "ledger/verify.h"
#include "rpc/service/presence.h"
#include "schema/document.capnp.h"
#include "tests/support/served_ledger.h"

namespace {

using support::FakeClock;
using testing::HasSubstr;

constexpr uint64_t kDayMs = 86'400'000;

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.must(support::register_script("script", "MARI", kScript));
    served.must(support::join_worker("join", "w1"));
  }
  /// A run reduced, whose script printed this.
  std::string reduce(uint64_t run, const std::string& printed) {
    const std::string n = std::to_string(run);
    served.must(support::detect_run("detect" + n, "MARI", run));
    auto queue = support::queue_job("queue" + n, "MARI", run);
    const uint64_t job = served.must(queue.cause(served.ledger->head()), support::daemon("coordinatord"));
    const uint64_t fence = served.must(support::start_attempt("start" + n, job, "w1"));
    auto succeed = support::succeed_attempt("succeed" + n, job, 1, fence);
    const base::Sha256 log = succeed.blob(printed);
    auto body = succeed.get().getBody().getSucceedAttempt();
    body.setLog(support::data(log));
    body.getOutputs().setManifest(support::data(succeed.blob(manifest())));
    served.must(succeed);
    served.must(support::publish_job("publish" + n, job, 1, fence));
    return std::string(base::as_bytes(log));
  }
  /// Of one output.
  static std::string manifest() {
    capnp::MallocMessageBuilder message;
    auto file = message.initRoot<schema::OutputManifest>().initFiles(1)[0];
    file.setPath("out.nxs");
    file.setSizeBytes(8);
    file.setSha256(support::data(base::sha256("reduced!")));
    return ledger::canonical_bytes(message.getRoot<schema::OutputManifest>().asReader());
  }
  void pass_days(int days) { served.clock.advance(days * FakeClock::kDay); }
  void act(daemons::Retention& retention) { served.loop.wait(retention.act()); }
  void act(const site::Retention& policy) {
    daemons::Retention retention(*served.service, served.clock, policy);
    act(retention);
  }
  bool holds(const std::string& sha256) { return served.ledger->snapshot()->has_blob(sha256); }
  /// Body and reason text of the last event.
  std::string last_event() {
    const auto words = served.ledger->snapshot()->event(served.ledger->head());
    auto event = ledger::StoredEvent(*words).get();
    const auto body = event.getBody();
    const auto told = [&](schema::Reason::Reader reason) {
      return fmt::format("{} by {}, cause {}: {}", reason.getCode().cStr(), event.getActor().getName().cStr(), event.getCause(), reason.getText().cStr());
    };
    if (body.isBlobsErased()) return fmt::format("{} erased, {}", body.getBlobsErased().getBlobs().size(), told(body.getBlobsErased().getReason()));
    if (body.isCommandsForgotten()) {
      return fmt::format("forgotten to {}, {}", body.getCommandsForgotten().getUpTo(), told(body.getCommandsForgotten().getReason()));
    }
    return "something else";
  }
  const std::string kScript = "def main(input_file, output_dir):\n    pass\n";
  support::ServedLedger served;
};

TEST_F(RetentionTest, NothingIsForgottenByDefault) {
  const std::string log = reduce(1, "printed");
  const uint64_t head = served.ledger->head();
  pass_days(10'000);
  daemons::Retention retention(*served.service, served.clock, {});
  EXPECT_FALSE(retention.has_policy());
  act(retention);
  EXPECT_EQ(served.ledger->head(), head);
  EXPECT_TRUE(holds(log));
  EXPECT_TRUE(served.service->presence()->entries().empty()) << "and nothing is shown";
}

TEST_F(RetentionTest, OldLogsAreErasedOnRecordAndYoungOnesStay) {
  const std::string old = reduce(1, "printed long ago"), second = reduce(2, "printed long ago too");
  const uint64_t youngest_due = served.ledger->head() - 1;
  pass_days(100);
  const std::string young = reduce(3, "printed today");
  act({.logs_ms = 99 * kDayMs});
  EXPECT_FALSE(holds(old) || holds(second));
  EXPECT_TRUE(holds(young));
  EXPECT_EQ(last_event(), fmt::format("2 erased, retention by ledgerd, cause {}: [retention] logs: what scripts printed is kept for 99 days", youngest_due));
  const auto report = served.ledger->verification()->run({});
  EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);

  const uint64_t head = served.ledger->head();
  act({.logs_ms = 99 * kDayMs});
  EXPECT_EQ(served.ledger->head(), head) << "what is done is not done again";
  pass_days(99);
  act({.logs_ms = 99 * kDayMs});
  EXPECT_FALSE(holds(young));
}

TEST_F(RetentionTest, NothingIsOldEnoughForCenturies) {
  // [retention] logs = "1000y" erased a log that was seconds old: so long an age overflowed into the future.
  const std::string log = reduce(1, "printed just now");
  const uint64_t head = served.ledger->head();
  for (const uint64_t age_ms : {300 * 365 * kDayMs, 1000 * 365 * kDayMs, 1'000'000'000 * kDayMs, UINT64_MAX}) {
    act({.commands_ms = age_ms, .logs_ms = age_ms});
    EXPECT_TRUE(holds(log)) << age_ms;
    EXPECT_EQ(served.ledger->head(), head) << age_ms;
  }
}

TEST_F(RetentionTest, LogThatAYoungerAttemptPrintedTooStaysUntilThatIsOld) {
  const std::string log = reduce(1, "done\n");
  pass_days(60);
  ASSERT_EQ(reduce(2, "done\n"), log);
  pass_days(60);
  act({.logs_ms = 100 * kDayMs});
  EXPECT_TRUE(holds(log));
  pass_days(60);
  act({.logs_ms = 100 * kDayMs});
  EXPECT_FALSE(holds(log));
}

TEST_F(RetentionTest, ScriptThatPrintsItselfIsNeverErased) {
  const std::string log = reduce(1, kScript), other = reduce(2, "other");
  pass_days(1000);
  act({.logs_ms = kDayMs});
  EXPECT_FALSE(holds(other));
  EXPECT_TRUE(holds(log)) << "its text is that of the script";
  for (const std::string& text : {kScript, std::string("environment"), manifest()}) {
    EXPECT_TRUE(holds(std::string(base::as_bytes(base::sha256(text))))) << text;
  }
}

TEST_F(RetentionTest, LongDownTimeIsCaughtUpInSeveralReadings) {
  std::vector<std::string> logs;
  for (uint64_t run = 1; run <= 7; ++run) logs.push_back(reduce(run, "printed " + std::to_string(run)));
  pass_days(50);
  daemons::Retention retention(*served.service, served.clock, {.logs_ms = 10 * kDayMs}, 3);
  act(retention);
  for (const std::string& log : logs) EXPECT_FALSE(holds(log));
  EXPECT_TRUE(served.ledger->verification()->run({}).ok);
}

TEST_F(RetentionTest, OldCommandsAreForgottenOnceAndForgettingIsNoReasonToForgetAgain) {
  const uint64_t head = served.ledger->head();
  pass_days(91);
  EXPECT_TRUE(served.ledger->apply(support::register_script("script", "MARI", kScript).reader(), support::person()).repeated);
  act({.commands_ms = 90 * kDayMs});
  EXPECT_EQ(served.ledger->head(), head + 1);
  EXPECT_EQ(last_event(), fmt::format("forgotten to {0}, retention by ledgerd, cause {0}: [retention] commands: records of commands are kept for 90 days", head));
  EXPECT_FALSE(served.ledger->apply(support::join_worker("join", "w1").reader(), support::person()).repeated) << "its id counts as new";
  const uint64_t after = served.ledger->head();
  act({.commands_ms = 90 * kDayMs});
  EXPECT_EQ(served.ledger->head(), after);
}

TEST_F(RetentionTest, IdleLedgerGrowsByNothing) {
  pass_days(91);
  act({.commands_ms = 90 * kDayMs});
  const uint64_t head = served.ledger->head();
  for (int i = 0; i < 5; ++i) {
    pass_days(91);
    act({.commands_ms = 90 * kDayMs});
  }
  EXPECT_EQ(served.ledger->head(), head);
}

TEST_F(RetentionTest, StatusShowsThePolicyAndWhatWasDoneLast) {
  const auto shown = [&] { return served.service->presence()->entries().at("ledgerd/retention").detail; };
  reduce(1, "printed");
  daemons::Retention retention(*served.service, served.clock, {.commands_ms = 90 * kDayMs, .logs_ms = 365 * kDayMs});
  EXPECT_EQ(shown(), "forgets records of commands after 90 days, logs after 365 days; last: nothing yet");
  pass_days(400);
  act(retention);
  EXPECT_THAT(shown(), HasSubstr("; last: 2027-12-06T12:00:00Z 1 log erased (event " + std::to_string(served.ledger->head()) + ")"));
  const std::string before = shown();
  daemons::Retention again(*served.service, served.clock, {.commands_ms = 90 * kDayMs, .logs_ms = 365 * kDayMs});  // after a restart
  act(again);
  EXPECT_EQ(shown(), before);
}

TEST_F(RetentionTest, RefusalIsShownAndTriedAgain) {
  const std::string log = reduce(1, "printed");
  pass_days(50);
  daemons::Retention retention(*served.service, served.clock, {.logs_ms = kDayMs});
  served.refuses = [](schema::Command::Reader command) {
    return command.getBody().isEraseBlobs() ? base::Status(base::Code::kUnavailable, "not now") : base::Status();
  };
  act(retention);
  EXPECT_TRUE(holds(log));
  EXPECT_THAT(served.service->presence()->entries().at("ledgerd/retention").detail, HasSubstr("not possible now: not now"));
  served.refuses = [](schema::Command::Reader) { return base::Status(); };
  act(retention);
  EXPECT_FALSE(holds(log));
}

}  // namespace
