#include "rpc/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using testing::HasSubstr;

rpc::TlsPlace tls(const char* text) {
  auto place = rpc::place_of(text);
  EXPECT_TRUE(place.is_ok()) << text << ": " << place.status().message();
  return place.is_ok() ? std::get<rpc::TlsPlace>(*place) : rpc::TlsPlace{};
}

TEST(AddressTest, ATlsAddressIsHostAndPort) {
  EXPECT_EQ(tls("tls:ledger.example.org:4433").host, "ledger.example.org");
  EXPECT_EQ(tls("tls:ledger.example.org:4433").port, 4433);
  EXPECT_EQ(tls("tls:192.0.2.1:0").port, 0);
  EXPECT_EQ(tls("tls:[2001:db8::1]:4433").host, "2001:db8::1");
}

TEST(AddressTest, AnAddressIsWrittenAsItIsRead) {
  for (const char* text : {"tls:ledger.example.org:4433", "tls:192.0.2.1:65535", "tls:[::1]:1"})
    EXPECT_EQ(rpc::address_of(tls(text)), text);
}

TEST(AddressTest, WhatIsNoHostAndPortIsRefusedWithTheForm) {
  for (const char* text :
       {"tls:", "tls:host", "tls:host:", "tls::4433", "tls:host:65536", "tls:host:-1", "tls:host:44x", "tls:2001:db8::1:4433",
        "tls:[::1]", "tls:[]:4433", "tls:[host]:4433", "tls:a b:4433", "tls:a/b:4433", "tls:host:4433 "}) {
    auto place = rpc::place_of(text);
    ASSERT_FALSE(place.is_ok()) << text;
    EXPECT_THAT(place.status().message(), HasSubstr("write tls:HOST:PORT")) << text;
  }
}

}  // namespace
