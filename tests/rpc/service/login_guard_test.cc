// How long answers to logins wait, by what failed before.
#include "rpc/service/login_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

class LoginGuardTest : public testing::Test {
 protected:
  ~LoginGuardTest() noexcept override {}
  using Try = std::shared_ptr<rpc::LoginGuard::Try>;
  Try enter(const std::string& source, const std::string& name) { return guard.enter(source, name).value(); }
  /// Seconds until the answer may be given.
  int seconds_of(const Try& tried) {
    bool done = false;
    auto waiting_for = tried->wait().then([&] { done = true; }).eagerlyEvaluate(nullptr);
    for (int seconds = 0;; ++seconds) {
      waiting.poll();
      if (done) return seconds;
      pass(1 * kj::SECONDS);
    }
  }
  void pass(kj::Duration time) { timer.advanceTo(now += time); }
  int fail(const std::string& source, const std::string& name) { return seconds_of(enter(source, name)); }
  int succeed(const std::string& source, const std::string& name) {
    Try tried = enter(source, name);
    tried->succeeded();
    return seconds_of(tried);
  }

  kj::EventLoop loop;
  kj::WaitScope waiting{loop};
  kj::TimePoint now = kj::origin<kj::TimePoint>();
  kj::TimerImpl timer{now};
  rpc::LoginGuard guard{timer};
};

TEST_F(LoginGuardTest, FromTheFourthOnEachFailureDoublesTheWaitUpToAMinute) {
  std::vector<int> waits;
  for (int i = 0; i < 12; ++i) waits.push_back(fail("192.0.2.1", "alice"));
  EXPECT_THAT(waits, testing::ElementsAre(0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60));
}

TEST_F(LoginGuardTest, GoodAnswerWaitsLikeABadOne) {
  for (int i = 0; i < 5; ++i) fail("192.0.2.1", "alice");
  EXPECT_EQ(succeed("192.0.2.1", "alice"), 4);
}

TEST_F(LoginGuardTest, SuccessClearsTheNameButNotTheSource) {
  for (int i = 0; i < 5; ++i) fail("192.0.2.1", "alice");
  succeed("192.0.2.9", "alice");
  EXPECT_EQ(fail("192.0.2.9", "alice"), 0);
  EXPECT_EQ(fail("192.0.2.1", "bob"), 4) << "whoever guesses with an account of his own goes on waiting";
}

TEST_F(LoginGuardTest, NameIsGuardedFromAllSourcesAndInAnyCase) {
  for (int i = 0; i < 4; ++i) fail("192.0.2." + std::to_string(i), i % 2 == 0 ? "alice" : "ALICE");
  EXPECT_EQ(fail("192.0.2.50", "Alice"), 2);
  EXPECT_EQ(fail("192.0.2.51", "bob"), 0);
}

TEST_F(LoginGuardTest, BlanksThatADirectoryDoesNotCountMakeNoOtherName) {
  for (const char* name : {"ann lee", " ann lee", "ann  lee", "Ann Lee "}) fail("192.0.2." + std::string(name), name);
  EXPECT_EQ(fail("192.0.2.50", "  ANN   lee"), 2);
}

TEST_F(LoginGuardTest, TriesUnderWayForANameCountAlready) {
  // From many sources at once, each of them the first.
  std::vector<Try> at_once;
  for (int i = 0; i < 6; ++i) at_once.push_back(enter("192.0.2." + std::to_string(i), "alice"));
  EXPECT_EQ(seconds_of(at_once.back()), 4);
}

TEST_F(LoginGuardTest, FirstHalfOfAnIpv6AddressIsTheSource) {
  for (int i = 0; i < 4; ++i) fail("2001:db8::" + std::to_string(i), "name " + std::to_string(i));
  EXPECT_EQ(fail("2001:db8::ffff", "another"), 2);
  EXPECT_EQ(fail("2001:db8:0:1::1", "yet another"), 0);
}

TEST_F(LoginGuardTest, QuarterOfAnHourWithoutFailureForgets) {
  for (int i = 0; i < 6; ++i) fail("192.0.2.1", "alice");
  pass(15 * kj::MINUTES);
  EXPECT_EQ(fail("192.0.2.1", "alice"), 0);
}

TEST_F(LoginGuardTest, TryThatIsDroppedHasFailedAndOneUndecidedHasNot) {
  for (int i = 0; i < 4; ++i) enter("192.0.2.1", "alice").reset();
  EXPECT_EQ(fail("192.0.2.2", "alice"), 2);
  for (int i = 0; i < 10; ++i) enter("192.0.2.3", "bob")->undecided();
  EXPECT_EQ(fail("192.0.2.3", "bob"), 0);
}

TEST_F(LoginGuardTest, OneSourceHasEightWaitingAndTheLedgerTwoHundredAndFiftySix) {
  std::vector<Try> held;
  for (size_t i = 0; i < rpc::LoginGuard::kMaxWaitingOfASource; ++i) held.push_back(enter("192.0.2.1", "name " + std::to_string(i)));
  const auto ninth = guard.enter("192.0.2.1", "one more");
  EXPECT_EQ(ninth.status().code(), base::Code::kUnavailable);
  EXPECT_THAT(ninth.status().message(), testing::HasSubstr("8 logins from here wait"));
  for (size_t i = 0; held.size() < rpc::LoginGuard::kMaxWaiting; ++i) held.push_back(enter("source " + std::to_string(i), ""));
  EXPECT_THAT(guard.enter("192.0.2.99", "alice").status().message(), testing::HasSubstr("256 logins wait"));
  held.clear();
  EXPECT_TRUE(guard.enter("192.0.2.99", "alice").is_ok());
}

TEST_F(LoginGuardTest, FewSourcesDoNotHoldAllTheRoom) {
  std::vector<Try> held;
  for (int source = 0; source < 32; ++source) {
    for (auto more = guard.enter("192.0.2." + std::to_string(source), ""); more.is_ok(); more = guard.enter("192.0.2." + std::to_string(source), "")) held.push_back(*more);
  }
  EXPECT_LT(held.size(), rpc::LoginGuard::kMaxWaiting);
  EXPECT_TRUE(guard.enter("192.0.2.99", "alice").is_ok());
}

TEST_F(LoginGuardTest, MachinesOwnAccountsHaveRoomWhateverComesFromTheNetwork) {
  std::vector<Try> held;
  for (size_t i = 0; i < rpc::LoginGuard::kMaxWaiting; ++i) held.push_back(enter("source " + std::to_string(i), ""));
  EXPECT_FALSE(guard.enter("192.0.2.99", "").is_ok());
  EXPECT_TRUE(guard.enter("unix alice", "", rpc::LoginGuard::kMachine).is_ok());
}

TEST_F(LoginGuardTest, NamesMadeUpWithoutEndPushOutOnlyTheOldest) {
  for (size_t i = 0; i < rpc::LoginGuard::kMaxRemembered; ++i) enter("source " + std::to_string(i), "name " + std::to_string(i)).reset();
  for (int i = 0; i < 4; ++i) enter("192.0.2.1", "alice").reset();
  EXPECT_EQ(fail("192.0.2.1", "alice"), 2);
}

}  // namespace
