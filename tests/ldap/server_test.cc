#include "ldap/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using ldap::parse_server;
using ldap::ServerOrder;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseServerTest, HostAndPortAreRead) {
  ldap::Server server = parse_server("ldaps://ldap.example.org").value();
  EXPECT_TRUE(server.tls);
  EXPECT_EQ(server.host, "ldap.example.org");
  EXPECT_EQ(server.port, 636);
  server = parse_server("ldap://127.0.0.1:3890/").value();
  EXPECT_FALSE(server.tls);
  EXPECT_EQ(server.host, "127.0.0.1");
  EXPECT_EQ(server.port, 3890);
  EXPECT_EQ(parse_server("ldaps://[::1]:7")->host, "::1");
  EXPECT_EQ(parse_server("ldaps://[::1]:7")->port, 7);
  EXPECT_EQ(parse_server("ldap://[::1]")->port, 389);
}

TEST(ParseServerTest, AnythingElseIsRefused) {
  for (std::string_view text : {"", "ldap.example.org", "http://x", "LDAPS://x", "ldaps://", "ldaps://x:0", "ldaps://x:65536", "ldaps://x:", "ldaps://x:1a",
                                "ldaps://x/dc=y", "ldaps://a b", "ldaps://[::1", "ldaps://[::1]x", "ldaps://x?y", "ldapi:///run/slapd", "ldaps://x\n"}) {
    EXPECT_THAT(parse_server(text).status().message(), HasSubstr("write ldaps://host[:port]")) << text;
  }
}

TEST(ServerOrderTest, TheLastGoodOneIsFirstAndTheLastFailedOneLast) {
  ServerOrder order(3);
  EXPECT_THAT(order.now(), ElementsAre(0, 1, 2));
  order.failed(0);
  EXPECT_THAT(order.now(), ElementsAre(1, 2, 0));
  order.answered(2);
  EXPECT_THAT(order.now(), ElementsAre(2, 1, 0));
  order.failed(2);
  EXPECT_THAT(order.now(), ElementsAre(1, 0, 2));
}

}  // namespace
