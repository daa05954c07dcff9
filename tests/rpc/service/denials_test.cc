// What of many denials goes on record, and how soon. No ledger: what would be written is kept.
#include "rpc/service/denials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class DenialsTest : public testing::Test {
 protected:
  ~DenialsTest() noexcept override {}
  void deny(const std::string& who, const std::string& action = "see_run", const std::string& source = "192.0.2.1", const std::string& subject = "MARI 1") {
    denials.add({{schema::Actor::Kind::PERSON, who, "test"}, action, subject, "no_role", "may not", source});
  }
  void pass(kj::Duration time) {
    for (; time >= 1 * kj::SECONDS; time -= 1 * kj::SECONDS) {
      now += 1 * kj::SECONDS;
      clock.advance(support::FakeClock::kSecond);
      timer.advanceTo(now);
      waiting.poll();
    }
  }
  std::vector<std::string> take() { return std::exchange(written, {}); }

  kj::EventLoop loop;
  kj::WaitScope waiting{loop};
  kj::TimePoint now = kj::origin<kj::TimePoint>();
  kj::TimerImpl timer{now};
  support::FakeClock clock;
  std::vector<std::string> written;
  std::vector<int64_t> firsts;
  rpc::Denials denials{timer, clock, [this](const rpc::Denial& first, uint64_t count, int64_t first_at_ns) {
                         written.push_back(first.who.name + " " + first.action + " " + first.subject + " x" + std::to_string(count));
                         firsts.push_back(first_at_ns);
                       }};
};

TEST_F(DenialsTest, FirstIsWrittenAtOnceAndMoreOfItsKindCountedForAMinute) {
  const int64_t began = clock.now_ns();
  deny("bob");
  EXPECT_THAT(take(), ElementsAre("bob see_run MARI 1 x1"));
  pass(10 * kj::SECONDS);
  for (int i = 0; i < 1000; ++i) deny("bob");
  pass(49 * kj::SECONDS);
  EXPECT_THAT(take(), IsEmpty());
  pass(1 * kj::SECONDS);
  EXPECT_THAT(take(), ElementsAre("bob see_run MARI 1 x1000"));
  EXPECT_THAT(firsts, ElementsAre(began, began + 10 * support::FakeClock::kSecond));
}

TEST_F(DenialsTest, AfterAMinuteWithoutAnyTheNextIsAFirstAgain) {
  deny("bob");
  pass(60 * kj::SECONDS);
  take();
  deny("bob");
  EXPECT_THAT(take(), ElementsAre("bob see_run MARI 1 x1"));
}

TEST_F(DenialsTest, AccountsActionsAndSourcesAreToldApart) {
  deny("bob");
  deny("eve");
  deny("bob", "rerun");
  deny("bob", "see_run", "192.0.2.2");
  EXPECT_EQ(take().size(), 4u);
}

TEST_F(DenialsTest, SubjectsAreToldApartUntilAnAccountHasHadItsShare) {
  for (int run = 1; run <= 50; ++run) deny("bob", "see_run", "192.0.2.1", "MARI " + std::to_string(run));
  EXPECT_THAT(take(), ElementsAre("bob see_run MARI 1 x1", "bob see_run MARI 2 x1", "bob see_run MARI 3 x1", "bob see_run MARI 4 x1", "bob see_run MARI 5 x1"));
  pass(60 * kj::SECONDS);
  EXPECT_THAT(take(), ElementsAre("bob various  x45"));
}

TEST_F(DenialsTest, AtMostTenAreWrittenInASecondAndTheOthersAsOne) {
  for (int i = 0; i < 500; ++i) deny("somebody " + std::to_string(i));
  EXPECT_EQ(take().size(), rpc::Denials::kASecond);
  pass(1 * kj::SECONDS);
  EXPECT_THAT(take(), IsEmpty());
  for (int i = 500; i < 505; ++i) deny("somebody " + std::to_string(i));
  EXPECT_EQ(take().size(), 5u) << "a new second";
  pass(59 * kj::SECONDS);
  EXPECT_THAT(take(), ElementsAre("ledgerd various  x490"));
}

TEST_F(DenialsTest, OneAccountDoesNotTakeTheRoomOfOthers) {
  for (int i = 0; i < 50; ++i) deny("eve", "action " + std::to_string(i));
  EXPECT_EQ(take().size(), rpc::Denials::kASecondOfOne);
  deny("bob");
  EXPECT_EQ(take().size(), 1u);
  pass(60 * kj::SECONDS);
  EXPECT_THAT(take(), ElementsAre("eve various  x45")) << "hers, under her name";
  for (int second = 0; second < 50; ++second) {
    for (int i = 0; i < 20; ++i) deny("eve", "more " + std::to_string(20 * second + i));
    pass(1 * kj::SECONDS);
  }
  take();
  deny("bob", "rerun");
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(DenialsTest, NetworkOfIpv6IsOneSource) {
  for (int i = 0; i < 5; ++i) deny("bob", "see_run", "2001:db8::" + std::to_string(i));
  EXPECT_EQ(take().size(), 1u);
}

TEST_F(DenialsTest, CountsThatAreDueTogetherAreSpreadOverSeconds) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) deny("somebody " + std::to_string(10 * round + i));
    pass(1 * kj::SECONDS);
  }
  for (int i = 0; i < 30; ++i) deny("somebody " + std::to_string(i));
  take();
  size_t all = 0;
  for (int second = 0; second < 65; ++second) {
    pass(1 * kj::SECONDS);
    const size_t now_written = take().size();
    EXPECT_LE(now_written, rpc::Denials::kASecond);
    all += now_written;
  }
  EXPECT_EQ(all, 30u);
}

TEST_F(DenialsTest, WhatIsCountedIsWrittenAtTheEnd) {
  deny("bob");
  deny("bob");
  for (int i = 0; i < 20; ++i) deny("somebody " + std::to_string(i));
  take();
  denials.flush();
  EXPECT_THAT(take(), ElementsAre("bob see_run MARI 1 x1", "ledgerd various  x11"));
}

TEST_F(DenialsTest, KindsWithoutEndTakeNoMoreThanTheirRoom) {
  // An attacker who makes up names must not fill the memory.
  for (int second = 0; second < 400; ++second) {
    for (int i = 0; i < 20; ++i) deny("somebody " + std::to_string(20 * second + i));
    EXPECT_LE(take().size(), rpc::Denials::kASecond);
    pass(1 * kj::SECONDS);
  }
}

}  // namespace
