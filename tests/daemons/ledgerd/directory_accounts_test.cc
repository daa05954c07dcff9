// From the directory's groups and the site file's tables to roles. The directory is made up; it answers from a thread of its own.
#include "daemons/ledgerd/directory_accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "daemons/ledgerd/site_grants.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class MadeUpDirectory final : public ldap::Directory {
 public:
  struct Content {
    std::map<std::string, std::string> passwords;
    std::map<std::string, std::vector<std::string>> members;  // by group
    base::Status trouble;
    bool silent = false;  // answers when it is destroyed
  };
  explicit MadeUpDirectory(std::shared_ptr<Content> content) : content_(std::move(content)) {}
  ~MadeUpDirectory() override {
    for (auto& done : unanswered_) done(base::Status(base::Code::kUnavailable, "the directory is closing"));
    for (std::thread& thread : threads_) thread.join();
  }

  void authenticate(std::string name, ldap::Secret password, ldap::Done<ldap::Account> done) override {
    const auto found = content_->passwords.find(name);
    if (found == content_->passwords.end() || found->second != password.view()) return answer<ldap::Account>(ldap::refused(), std::move(done));
    answer<ldap::Account>(account(name), std::move(done));
  }
  void find(std::string name, ldap::Done<ldap::Account> done) override {
    if (content_->silent) return unanswered_.push_back(std::move(done));
    if (!content_->passwords.contains(name)) return answer<ldap::Account>(base::Status(base::Code::kNotFound, name + ": no such account"), std::move(done));
    answer<ldap::Account>(account(name), std::move(done));
  }
  void groups(std::vector<std::string> patterns, ldap::Done<std::vector<ldap::Group>> done) override {
    std::vector<ldap::Group> found;
    for (const auto& [name, members] : content_->members) {
      for (const std::string& pattern : patterns) {
        if (!ldap::NamePattern::parse(pattern)->matches(name)) continue;
        found.push_back({name, members});
        break;
      }
    }
    answer<std::vector<ldap::Group>>(std::move(found), std::move(done));
  }

 private:
  ldap::Account account(const std::string& name) const {
    ldap::Account account{name, "uid=" + name, {}};
    for (const auto& [group, members] : content_->members) {
      if (std::find(members.begin(), members.end(), name) != members.end()) account.groups.push_back(group);
    }
    return account;
  }
  template <typename T>
  void answer(base::Result<T> result, ldap::Done<T> done) {
    if (!content_->trouble.is_ok()) result = content_->trouble;
    threads_.emplace_back([result = std::move(result), done = std::move(done)] { done(result); });
  }

  const std::shared_ptr<Content> content_;
  std::vector<std::thread> threads_;
  std::vector<ldap::Done<ldap::Account>> unanswered_;
};

class DirectoryAccountsTest : public testing::Test {
 protected:
  DirectoryAccountsTest() {
    content->passwords = {{"alice", "open sesame"}, {"bob", "builder"}};
    content->members = {{"sns_mari_team", {"alice"}}, {"IPTS-2010001", {"alice", "bob"}}, {"chess-club", {"bob"}}};
    access.roles = {{"line 1: [[access.role]] scientist", "scientist", {"sns_{instrument}_team"}, {}, "", ""},
                    {"line 5: [[access.role]] member", "member", {"IPTS-{experiment}"}, {}, "", "IPTS-{experiment}"},
                    {"line 9: [[access.role]] operator", "operator", {}, {"Bob", "carol"}, "", ""}};
  }
  void open(bool with_directory = true) {
    auto made = daemons::make_accounts(loop, access, with_directory ? std::make_unique<MadeUpDirectory>(content) : nullptr, "ldaps://ldap1");
    ASSERT_TRUE(made.is_ok()) << made.status().message();
    accounts = *made;
  }
  static std::vector<std::string> words(const std::vector<rpc::Grant>& grants) {
    std::vector<std::string> found;
    for (const rpc::Grant& grant : grants) found.push_back(std::to_string(static_cast<int>(grant.role)) + " " + grant.instrument + grant.experiment + " by " + (grant.group.empty() ? "the site" : grant.group));
    return found;
  }

  rpc::Loop loop;
  std::shared_ptr<MadeUpDirectory::Content> content = std::make_shared<MadeUpDirectory::Content>();
  site::Access access;
  std::shared_ptr<rpc::Accounts> accounts;
};

TEST_F(DirectoryAccountsTest, GroupsGiveTheRolesThatTheirPatternsSay) {
  open();
  auto alice = loop.wait(accounts->authenticate("alice", base::Secret("open sesame")));
  ASSERT_TRUE(alice.is_ok()) << alice.status().message();
  EXPECT_THAT(words(alice->grants), ElementsAre("1 IPTS-2010001 by IPTS-2010001", "2 MARI by sns_mari_team"));
  EXPECT_EQ(alice->by, "ldaps://ldap1");
  EXPECT_TRUE(accounts->has_directory());
}

TEST_F(DirectoryAccountsTest, SiteFileGivesItsRolesBesideThoseOfGroupsInAnyCase) {
  open();
  EXPECT_THAT(words(loop.wait(accounts->find("bob"))->grants), ElementsAre("1 IPTS-2010001 by IPTS-2010001", "3  by the site"));
  EXPECT_THAT(words(accounts->named_by_site("BOB")), ElementsAre("3  by the site"));
  EXPECT_THAT(accounts->named_by_site("alice"), IsEmpty());
}

TEST_F(DirectoryAccountsTest, AllIsEveryAccountWithARoleOnce) {
  open();
  const auto all = loop.wait(accounts->all());
  ASSERT_TRUE(all.is_ok()) << all.status().message();
  std::vector<std::string> found;
  for (const auto& [name, grants] : *all) {
    for (const std::string& word : words(grants)) found.push_back(name + ": " + word);
  }
  EXPECT_THAT(found, ElementsAre("alice: 1 IPTS-2010001 by IPTS-2010001", "alice: 2 MARI by sns_mari_team", "bob: 1 IPTS-2010001 by IPTS-2010001",
                                 "bob: 3  by the site", "carol: 3  by the site"));
}

TEST_F(DirectoryAccountsTest, RefusalsAndSilenceKeepTheirCodes) {
  open();
  EXPECT_EQ(loop.wait(accounts->authenticate("alice", base::Secret("guess"))).status().code(), base::Code::kPermissionDenied);
  EXPECT_EQ(loop.wait(accounts->find("nobody")).status().code(), base::Code::kNotFound);
  content->trouble = {base::Code::kTimedOut, "ldap1: no answer"};
  EXPECT_EQ(loop.wait(accounts->authenticate("alice", base::Secret("open sesame"))).status().code(), base::Code::kTimedOut);
  EXPECT_EQ(loop.wait(accounts->all()).status().code(), base::Code::kTimedOut);
}

TEST_F(DirectoryAccountsTest, AnswerThatComesWhenNobodyIsThereAnyMoreHarmsNothing) {
  open();
  content->silent = true;
  auto never = accounts->find("alice").then([](auto) {}).eagerlyEvaluate([](kj::Exception&&) {});
  accounts.reset();
  loop.wait(loop.on_pool([] {}));  // what was posted before has run
}

TEST_F(DirectoryAccountsTest, WithoutADirectoryAccountsAreTheMachinesAndTheSiteFileAloneGivesRoles) {
  access.roles = {access.roles.back()};
  open(false);
  EXPECT_FALSE(accounts->has_directory());
  EXPECT_THAT(words(loop.wait(accounts->find("bob"))->grants), ElementsAre("3  by the site"));
  EXPECT_THAT(loop.wait(accounts->find("anybody"))->grants, IsEmpty());
  EXPECT_EQ(loop.wait(accounts->all())->size(), 2u);
}

TEST_F(DirectoryAccountsTest, PatternThatIsNoneIsNamedWithItsTable) {
  access.roles[0].groups = {"sns_{instrument_team"};
  const auto made = daemons::make_accounts(loop, access, std::make_unique<MadeUpDirectory>(content), "");
  EXPECT_EQ(made.status().code(), base::Code::kInvalidArgument);
  EXPECT_THAT(made.status().message(), HasSubstr("line 1: [[access.role]] scientist"));
}

TEST_F(DirectoryAccountsTest, NameThatIsTooLongForTheRecordGivesNothing) {
  content->members["sns_" + std::string(300, 'x') + "_team"] = {"bob"};
  content->members["sns_let_team"] = {std::string(300, 'y'), "alice"};
  open();
  const auto all = loop.wait(accounts->all());
  ASSERT_TRUE(all.is_ok());
  EXPECT_EQ(all->size(), 3u);
}

}  // namespace
