// What `status` remembers of daemons: those that are there always, others for a day and not without end.
#include "rpc/service/presence.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace {

using support::FakeClock;

class PresenceTest : public testing::Test {
 protected:
  void come_and_go(const std::string& name) {
    presence.connected(name);
    presence.disconnected(name);
  }
  bool shows(const std::string& name) { return presence.entries().contains(name); }
  FakeClock clock;
  rpc::Presence presence{clock};
};

TEST_F(PresenceTest, WhoeverIsGoneIsShownForADay) {
  come_and_go("monitord");
  presence.connected("workerd/w1");
  clock.advance(FakeClock::kDay);
  EXPECT_TRUE(shows("monitord"));
  clock.advance(FakeClock::kSecond);
  EXPECT_FALSE(shows("monitord"));
  EXPECT_TRUE(shows("workerd/w1")) << "a connection that is silent is still one";
  come_and_go("monitord");
  EXPECT_TRUE(shows("monitord"));
}

TEST_F(PresenceTest, NamesMadeUpWithoutEndPushOutTheOldestNotWhoIsThere) {
  // Every name that any caller ever gave was kept for as long as ledgerd ran.
  presence.connected("monitord");
  for (size_t i = 0; i < rpc::Presence::kMaxGone + 2; ++i) {
    clock.advance(FakeClock::kSecond);
    come_and_go("made up " + std::to_string(i));
  }
  EXPECT_EQ(presence.entries().size(), rpc::Presence::kMaxGone + 1);
  EXPECT_TRUE(shows("monitord"));
  EXPECT_FALSE(shows("made up 0") || shows("made up 1"));
  EXPECT_TRUE(shows("made up 2"));
}

}  // namespace
