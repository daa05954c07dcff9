#include "ldap/name_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using ldap::NamePattern;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

NamePattern pattern(std::string_view text) { return NamePattern::parse(text).value(); }

TEST(NamePatternTest, AHoleTakesWhatStandsThere) {
  EXPECT_THAT(pattern("sns_{instrument}_team").captures("sns_mari_team"), Optional(ElementsAre("mari")));
  EXPECT_THAT(pattern("sns_{instrument}_team").captures("SNS_Mari_Team"), Optional(ElementsAre("Mari")));
  EXPECT_THAT(pattern("IPTS-{experiment}").captures("IPTS-1234"), Optional(ElementsAre("1234")));
  EXPECT_THAT(pattern("{experiment}.users").captures("1234.users"), Optional(ElementsAre("1234")));
  EXPECT_THAT(pattern("snsadmin").captures("SnsAdmin"), Optional(ElementsAre()));
}

TEST(NamePatternTest, OtherNamesDoNotMatch) {
  for (std::string_view name : {"sns__team", "sns_mari_teams", "xsns_mari_team", "sns_team", "", "sns_"}) {
    EXPECT_FALSE(pattern("sns_{instrument}_team").matches(name)) << name;
  }
  EXPECT_FALSE(pattern("snsadmin").matches("snsadmins"));
}

TEST(NamePatternTest, TwoHolesMustBeReadInOneWay) {
  NamePattern both = pattern("{instrument}_exp_{experiment}");
  EXPECT_THAT(both.captures("mari_exp_17"), Optional(ElementsAre("mari", "17")));
  EXPECT_FALSE(both.captures("mari_exp_exp_exp_17"));
  EXPECT_TRUE(both.matches("mari_exp_exp_exp_17"));
  EXPECT_FALSE(both.matches("_exp_17"));
  EXPECT_FALSE(both.matches("mari_exp_"));
}

TEST(NamePatternTest, FiltersFindAtLeastWhatMatches) {
  EXPECT_EQ(pattern("sns_{instrument}_team").filter("cn"), "(cn=sns_*_team)");
  EXPECT_EQ(pattern("snsadmin").filter("cn"), "(cn=snsadmin)");
  EXPECT_EQ(pattern("(a*){x}\\").filter("cn"), "(cn=\\28a\\2a\\29*\\5c)");
  EXPECT_EQ(pattern("{instrument}_{experiment}").filter("cn"), "(cn=*_*)");
}

TEST(NamePatternTest, WhatIsNoPatternSaysWhy) {
  auto refusal = [](std::string_view text) { return NamePattern::parse(text).status().message(); };
  EXPECT_THAT(refusal("sns_{instrument"), HasSubstr("a brace has no partner"));
  EXPECT_THAT(refusal("sns_}instrument{"), HasSubstr("a brace has no partner"));
  EXPECT_THAT(refusal("sns_{{instrument}}"), HasSubstr("a brace has no partner"));
  EXPECT_THAT(refusal("sns_{}"), HasSubstr("nothing stands between two braces"));
  EXPECT_THAT(refusal("a{b}{c}"), HasSubstr("nothing stands between the parts that vary"));
  EXPECT_THAT(refusal("a{b}c{d}e{f}"), HasSubstr("more than two parts vary"));
  EXPECT_THAT(refusal("{any}"), HasSubstr("every name would match"));
  EXPECT_THAT(refusal(""), HasSubstr("it is empty; write it like sns_{instrument}_team"));
}

}  // namespace
