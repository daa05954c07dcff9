#include "base/daemon_name.h"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

TEST(DaemonNameTest, IsOneOfTwoOrAWorkersWithAName) {
  for (const char* name : {"monitord", "coordinatord", "workerd/w1"}) EXPECT_TRUE(is_daemon_name(name)) << name;
  for (const char* name : {"", "ledgerd", "alice", "workerd", "workerd/", "Monitord", "monitord/1"}) EXPECT_FALSE(is_daemon_name(name)) << name;
  EXPECT_TRUE(is_daemon_name("workerd/" + std::string(120, 'w')));
  EXPECT_FALSE(is_daemon_name("workerd/" + std::string(121, 'w')));
}

TEST(DaemonNameTest, WorkersOwnNameIsBehindTheSlash) {
  EXPECT_EQ(worker_of("workerd/w1"), "w1");
  EXPECT_EQ(worker_of("workerd"), "");
  EXPECT_EQ(worker_of("coordinatord"), "");
}

}  // namespace
}  // namespace base
