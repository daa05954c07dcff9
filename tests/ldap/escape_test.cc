#include "ldap/escape.h"

#include <gtest/gtest.h>

namespace {

using ldap::dn_value;
using ldap::filter_value;
using std::string_literals::operator""s;

TEST(FilterValueTest, WhatMeansSomethingInAFilterIsWrittenInHex) {
  EXPECT_EQ(filter_value("alice"), "alice");
  EXPECT_EQ(filter_value("*"), "\\2a");
  EXPECT_EQ(filter_value("alice)(uid=*"), "alice\\29\\28uid=\\2a");
  EXPECT_EQ(filter_value("a\\2a"), "a\\5c2a");
  EXPECT_EQ(filter_value("a\0b\n"s), "a\\00b\\0a");
}

TEST(FilterValueTest, OtherLettersStayAsTheyAre) { EXPECT_EQ(filter_value("müller, größe #1"), "müller, größe #1"); }

TEST(DnValueTest, SeparatorsAreWrittenInHex) {
  EXPECT_EQ(dn_value("alice"), "alice");
  EXPECT_EQ(dn_value("Example, Alice"), "Example\\2c Alice");
  EXPECT_EQ(dn_value("a+b\"c\\d<e>f;g=h"), "a\\2bb\\22c\\5cd\\3ce\\3ef\\3bg\\3dh");
  EXPECT_EQ(dn_value("a\0b"s), "a\\00b");
}

TEST(DnValueTest, SpacesAndAHashMatterAtTheEndsOnly) {
  EXPECT_EQ(dn_value(" a # b "), "\\20a # b\\20");
  EXPECT_EQ(dn_value("#a"), "\\23a");
  EXPECT_EQ(dn_value(" "), "\\20");
  EXPECT_EQ(dn_value("müller"), "müller");
}

}  // namespace
