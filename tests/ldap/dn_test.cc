#include "ldap/dn.h"

#include <gtest/gtest.h>

#include "ldap/escape.h"

namespace {

using ldap::dn_key;
using ldap::is_within;

TEST(DnKeyTest, WaysToWriteOneNameAreOneKey) {
  EXPECT_EQ(dn_key("uid=alice,ou=people,dc=x"), dn_key("UID=Alice , OU=People,dc=X"));
  EXPECT_EQ(dn_key("cn=a\\,b,dc=x"), dn_key("cn=a\\2Cb,dc=x"));
  EXPECT_EQ(dn_key("cn=a\\,b,dc=x"), dn_key("cn=a\\2cb,dc=x"));
  EXPECT_NE(dn_key("cn=a,dc=x"), dn_key("cn=b,dc=x"));
}

TEST(DnKeyTest, WhatIsNoNameHasNoKey) {
  for (std::string_view text : {"", "alice", "=,=", "cn=a,,dc=x", "cn=\xff,dc=x"}) EXPECT_FALSE(dn_key(text)) << text;
  EXPECT_FALSE(dn_key(std::string_view("cn=a\0b", 6)));
  EXPECT_FALSE(dn_key("cn=" + std::string(10'000, 'a')));
}

TEST(DnKeyTest, AnEscapedValueIsOnePart) {
  for (std::string_view value : {"a,ou=groups", "a\\", "a\\,", " a ", "#a", "a+b=c", "(*)", "müller"}) {
    std::string key = dn_key("cn=" + ldap::dn_value(value) + ",dc=x").value_or("none");
    EXPECT_TRUE(is_within(key, "dc=x")) << value << ": " << key;
    EXPECT_FALSE(is_within(key, "ou=groups,dc=x")) << value << ": " << key;
  }
}

TEST(IsWithinTest, OnlyWholePartsCount) {
  EXPECT_TRUE(is_within("dc=x", "dc=x"));
  EXPECT_TRUE(is_within("cn=a,dc=x", "dc=x"));
  EXPECT_FALSE(is_within("dc=ax", "dc=x"));
  EXPECT_FALSE(is_within("cn=adc=x", "dc=x"));
  EXPECT_FALSE(is_within("cn=a\\,dc=x", "dc=x"));
  EXPECT_TRUE(is_within("cn=a\\\\,dc=x", "dc=x"));
  EXPECT_FALSE(is_within("dc=x", "cn=a,dc=x"));
}

}  // namespace
