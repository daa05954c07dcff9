// A clock that jumps back: events keep the last one's time, which status and the daemon log say.
#include "daemons/ledgerd/clock_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/served_ledger.h"

namespace {

using support::FakeClock;
using testing::HasSubstr;
using testing::StartsWith;

class ClockWatchTest : public testing::Test {
 protected:
  std::string status_detail() {
    auto status = served.session().runsRequest().send().getRuns().statusRequest().send();
    return served.loop.wait(status.then([](auto&& answer) { return std::string(answer.getStatus().getLedgerDetail().cStr()); }));
  }
  support::ServedLedger served;
  daemons::ClockWatch watch{*served.service};
};

TEST_F(ClockWatchTest, ClockThatJumpsBackIsNamedUntilItHasCaughtUp) {
  served.must(support::configure_instrument("configure", "MARI"));
  EXPECT_EQ(watch.look(), "");
  served.clock.advance(-23 * 3600 * FakeClock::kSecond);
  const char* kWords = "the clock is 23 h behind the log's last event (2026-11-01T12:00:00Z): events keep that time until it has caught up; set the clock right";
  EXPECT_EQ(status_detail(), kWords);
  EXPECT_EQ(watch.look(), kWords);
  served.must(support::configure_instrument("meanwhile", "LET"));
  EXPECT_EQ(watch.look(), "") << "it is said once";
  served.clock.advance(22 * 3600 * FakeClock::kSecond);
  EXPECT_THAT(status_detail(), StartsWith("the clock is 60 min behind"));
  served.clock.advance(3600 * FakeClock::kSecond);
  EXPECT_EQ(status_detail(), "");
  EXPECT_THAT(watch.look(), HasSubstr("caught up"));
  EXPECT_EQ(watch.look(), "");
}

TEST_F(ClockWatchTest, ClockThatIsTrimmedIsNoProblem) {
  served.must(support::configure_instrument("configure", "MARI"));
  served.clock.advance(-4 * FakeClock::kSecond);
  EXPECT_EQ(status_detail(), "");
  EXPECT_EQ(watch.look(), "");
}

TEST_F(ClockWatchTest, EmptyLogIsBehindNothing) {
  served.clock.advance(-1000 * FakeClock::kDay);
  EXPECT_EQ(watch.look(), "");
}

}  // namespace
