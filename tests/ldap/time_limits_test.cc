#include "ldap/time_limits.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace {

using ldap::Moment;
using ldap::TimeLimit;
using ldap::TimeLimits;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(TimeLimitsTest, ActionsRunInTheOrderOfTheirTimes) {
  TimeLimits limits;
  std::promise<void> last;
  std::vector<int> ran;
  Moment now = steady_clock::now();
  limits.at(now + milliseconds(20), [&] { ran.push_back(3), last.set_value(); });
  limits.at(now + milliseconds(10), [&] { ran.push_back(2); });
  limits.at(now, [&] { ran.push_back(1); });
  last.get_future().wait();
  EXPECT_EQ(ran, (std::vector{1, 2, 3}));
}

TEST(TimeLimitsTest, WhatIsCalledOffDoesNotHappen) {
  bool happened = false;
  {
    TimeLimits limits;
    { TimeLimit limit(limits, steady_clock::now() + hours(1), [&] { happened = true; }); }
  }
  EXPECT_FALSE(happened);
}

TEST(TimeLimitsTest, CallingOffWaitsForWhatIsRunning) {
  TimeLimits limits;
  std::promise<void> begun;
  std::atomic<bool> ended{false};
  uint64_t id = limits.at(steady_clock::now(), [&] {
    begun.set_value();
    std::this_thread::yield();
    ended = true;
  });
  begun.get_future().wait();
  limits.call_off(id);
  EXPECT_TRUE(ended);
}

TEST(TimeLimitsTest, TheEndBringsForwardWhatIsToCome) {
  int happened = 0;
  {
    TimeLimits limits;
    limits.at(steady_clock::now() + hours(1), [&] { ++happened; });
    // What an action adds comes too.
    limits.at(steady_clock::now() + hours(2), [&] { limits.at(steady_clock::now() + hours(3), [&] { ++happened; }); });
  }
  EXPECT_EQ(happened, 2);
}

TEST(TimeLimitsTest, InAHurryLaterActionsRunAtOnce) {
  TimeLimits limits;
  limits.hurry();
  std::promise<void> ran;
  limits.at(steady_clock::now() + hours(1), [&] { ran.set_value(); });
  ran.get_future().wait();
}

}  // namespace
