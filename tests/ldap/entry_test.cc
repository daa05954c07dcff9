#include "ldap/entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using ldap::Entry;
using testing::ElementsAre;
using testing::IsEmpty;
using std::string_literals::operator""s;

constexpr int64_t kNow = 1'793'534'400;  // 2026-11-01T12:00:00Z

Entry with(std::string attribute, std::vector<std::string> values) { return {"uid=alice", {{std::move(attribute), std::move(values)}}, false}; }
bool disabled(std::string attribute, std::string value) { return ldap::is_disabled(with(std::move(attribute), {std::move(value)}), kNow); }

TEST(EntryTest, AttributesAreFoundInAnyCase) {
  EXPECT_THAT(with("memberuid", {"alice"}).values("memberUid"), ElementsAre("alice"));
  EXPECT_THAT(with("memberuid", {"alice"}).values("uid"), IsEmpty());
}

TEST(EntryTest, NamesAreTextOfABearableLength) {
  EXPECT_THAT(names(with("uid", {"alice", "", "a\0b"s, "\xff\xfe", std::string(257, 'x'), "größe", std::string(256, 'x')}), "uid"),
              ElementsAre("alice", "größe", std::string(256, 'x')));
  EXPECT_EQ(first_name(with("uid", {"\xff", "alice"}), "uid"), "alice");
  EXPECT_EQ(first_name(with("uid", {"\xff"}), "uid"), "");
  EXPECT_EQ(first_name(Entry(), "uid"), "");
}

TEST(EntryTest, EachDirectorySaysInItsOwnWordsThatAnAccountIsClosed) {
  EXPECT_TRUE(disabled("nsaccountlock", "TRUE"));
  EXPECT_TRUE(disabled("nsaccountlock", "true"));
  EXPECT_TRUE(disabled("logindisabled", "TRUE"));
  EXPECT_TRUE(disabled("pwdaccountlockedtime", "000001010000Z"));
  EXPECT_TRUE(disabled("useraccountcontrol", "514"));
  EXPECT_TRUE(disabled("shadowexpire", "1"));
  EXPECT_TRUE(disabled("shadowexpire", std::to_string(kNow / 86'400)));
  EXPECT_TRUE(disabled("accountexpires", "133500000000000000"));  // January 2024
}

TEST(EntryTest, AnythingElseLeavesItOpen) {
  EXPECT_FALSE(ldap::is_disabled(Entry(), kNow));
  EXPECT_FALSE(disabled("nsaccountlock", "FALSE"));
  EXPECT_FALSE(disabled("pwdaccountlockedtime", "20261101110000Z"));  // ends by itself; the server refuses the bind meanwhile
  EXPECT_FALSE(disabled("useraccountcontrol", "512"));
  EXPECT_FALSE(disabled("shadowexpire", "-1"));
  EXPECT_FALSE(disabled("shadowexpire", "0"));
  EXPECT_FALSE(disabled("shadowexpire", std::to_string(kNow / 86'400 + 1)));
  EXPECT_FALSE(disabled("shadowexpire", "never"));
  EXPECT_FALSE(disabled("accountexpires", "0"));
  EXPECT_FALSE(disabled("accountexpires", "9223372036854775807"));
  EXPECT_FALSE(disabled("useraccountcontrol", "99999999999999999999"));
  EXPECT_FALSE(ldap::is_disabled(with("nsaccountlock", {}), kNow));
}

}  // namespace
