#include "ldap/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace {

using ldap::Group;
using ldap::GroupEntry;
using testing::ElementsAre;
using testing::IsEmpty;

/// Groups and accounts held in the hand; names are DNs like cn=a and uid=b.
class MembershipTest : public testing::Test {
 protected:
  void add(std::string name, std::vector<std::string> members, std::vector<std::string> accounts = {}) {
    groups_.push_back({"cn=" + name, {name}, std::move(accounts), std::move(members)});
  }
  std::vector<GroupEntry> having(const std::string& member) const {
    std::vector<GroupEntry> found;
    for (const GroupEntry& group : groups_) {
      if (std::find(group.members.begin(), group.members.end(), member) != group.members.end()) found.push_back(group);
    }
    return found;
  }
  std::vector<std::string> groups_of(const std::string& uid, int levels) {
    return ldap::names_with_parents(having("uid=" + uid), levels,
                                    [this](const std::vector<GroupEntry>& groups) -> base::Result<std::vector<GroupEntry>> {
                                      std::vector<GroupEntry> found;
                                      for (const GroupEntry& group : groups) {
                                        asked_.push_back(group.dn);
                                        for (GroupEntry& parent : having(group.dn)) found.push_back(std::move(parent));
                                      }
                                      return found;
                                    })
        .value();
  }
  std::vector<std::string> members_of(const std::string& name, int levels) {
    ldap::MemberSource source;
    source.accounts_at = [this](const std::vector<std::string>& dns) -> base::Result<std::map<std::string, std::string>> {
      std::map<std::string, std::string> found;
      for (const std::string& dn : dns) {
        asked_.push_back(dn);
        if (dn.starts_with("uid=") && dn != "uid=left") found.emplace(dn, dn.substr(4));
      }
      return found;
    };
    source.groups_at = [this](const std::vector<std::string>& dns) -> base::Result<std::vector<GroupEntry>> {
      std::vector<GroupEntry> found;
      for (const GroupEntry& group : groups_) {
        if (std::find(dns.begin(), dns.end(), group.dn) != dns.end()) found.push_back(group);
      }
      return found;
    };
    source.accounts_named = [](const std::vector<std::string>& names) -> base::Result<std::vector<std::string>> {
      std::vector<std::string> found;
      std::copy_if(names.begin(), names.end(), std::back_inserter(found), [](const std::string& one) { return one != "left"; });
      return found;
    };
    std::vector<GroupEntry> roots;
    for (const GroupEntry& group : groups_) {
      if (group.names.front() == name) roots.push_back(group);
    }
    auto groups = ldap::groups_with_members(roots, levels, [](const std::string&) { return true; }, source).value();
    return groups.empty() ? std::vector<std::string>{"no group"} : groups.front().members;
  }

  std::vector<GroupEntry> groups_;
  std::vector<std::string> asked_;
};

TEST_F(MembershipTest, GroupsOfGroupsCountUpToTheLevel) {
  add("a", {"uid=alice"});
  add("b", {"cn=a"});
  add("c", {"cn=b"});
  EXPECT_THAT(groups_of("alice", 5), ElementsAre("a", "b", "c"));
  EXPECT_THAT(groups_of("alice", 1), ElementsAre("a", "b"));
  EXPECT_THAT(groups_of("alice", 0), ElementsAre("a"));
  EXPECT_THAT(groups_of("bob", 5), IsEmpty());
  EXPECT_THAT(members_of("c", 5), ElementsAre("alice"));
  EXPECT_THAT(members_of("c", 2), ElementsAre("alice"));
  EXPECT_THAT(members_of("c", 1), IsEmpty());
}

TEST_F(MembershipTest, GroupsThatAreInEachOtherAreAskedOnce) {
  add("a", {"cn=b", "uid=alice"});
  add("b", {"cn=a", "cn=b", "uid=bob"});
  EXPECT_THAT(groups_of("alice", 100), ElementsAre("a", "b"));
  EXPECT_THAT(asked_, ElementsAre("cn=a", "cn=b"));
  EXPECT_THAT(members_of("a", 100), ElementsAre("alice", "bob"));
  EXPECT_THAT(members_of("b", 100), ElementsAre("alice", "bob"));
}

TEST_F(MembershipTest, NamesThatLeadNowhereAreLeftOut) {
  add("a", {"uid=left", "cn=gone", "no name", "", "uid=alice", "UID=Alice"}, {"left", "bob"});
  EXPECT_THAT(members_of("a", 5), ElementsAre("alice", "bob"));
}

TEST_F(MembershipTest, EachNameIsAskedOnceHoweverManyGroupsHoldIt) {
  add("a", {"cn=b", "cn=c", "uid=alice"});
  add("b", {"uid=alice", "uid=bob", "uid=left"});
  add("c", {"uid=bob", "uid=left", "cn=b"});
  EXPECT_THAT(members_of("a", 5), ElementsAre("alice", "bob"));
  std::sort(asked_.begin(), asked_.end());
  EXPECT_EQ(std::adjacent_find(asked_.begin(), asked_.end()), asked_.end());
}

TEST_F(MembershipTest, TwoEntriesOfOneNameAreOneGroup) {
  groups_.push_back({"cn=a,ou=one", {"a"}, {"alice"}, {}});
  groups_.push_back({"cn=a,ou=two", {"a"}, {"bob"}, {}});
  EXPECT_THAT(members_of("a", 5), ElementsAre("alice", "bob"));
}

TEST_F(MembershipTest, AFailureIsNoShorterAnswer) {
  auto fails = [](const auto&) { return base::Status(base::Code::kUnavailable, "no"); };
  EXPECT_FALSE(ldap::names_with_parents({{"cn=a", {"a"}, {}, {}}}, 1, fails).is_ok());
  auto none = [](const std::string&) { return true; };
  ldap::MemberSource source{fails, fails, fails};
  EXPECT_FALSE(ldap::groups_with_members({{"cn=a", {"a"}, {}, {"uid=b"}}}, 1, none, source).is_ok());
  EXPECT_FALSE(ldap::groups_with_members({{"cn=a", {"a"}, {"b"}, {}}}, 1, none, source).is_ok());
}

}  // namespace
