// Accounts and groups of a real slapd that works as it should; what happens when it does not is in trouble_test.cc.
#include "ldap/directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <set>

#include "tests/support/asked.h"
#include "tests/support/slapd.h"

namespace {

using base::Code;
using ldap::Account;
using ldap::Directory;
using ldap::Group;
using ldap::Settings;
using support::authenticate;
using support::find;
using support::groups;
using support::password_of;
using support::Slapd;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;
using std::string_literals::operator""s;

const std::vector<std::string> kOddNames = {"comma, the first", "paren(thesis)", "aster*isk",  "back\\slash", "müller-größe-名",
                                            std::string(200, 'l'), "quo\"ted",      "#hash",     "plus+sign",   "a;b<c>d=e"};

class DirectoryTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { slapd_ = std::make_unique<Slapd>(); }
  static void TearDownTestSuite() { slapd_.reset(); }

  static std::unique_ptr<Directory> open(const std::function<void(Settings&)>& change = [](Settings&) {}) {
    Settings settings = slapd_->settings();
    change(settings);
    auto directory = ldap::open_directory(settings);
    if (!directory.is_ok()) throw std::runtime_error(directory.status().message());
    return std::move(directory).value();
  }
  static std::unique_ptr<Directory> anonymous() {
    return open([](Settings& settings) {
      settings.bind_name = settings.bind_password_file = "";
      settings.user_base = settings.group_base = std::string("ou=visitors,") + support::kSuffix;
    });
  }
  static base::Result<Account> login(Directory& directory, const std::string& name) { return authenticate(directory, name, password_of(name)); }
  static std::vector<std::string> groups_of(Directory& directory, const std::string& name) {
    auto account = find(directory, name);
    return account.is_ok() ? account->groups : std::vector<std::string>{account.status().message()};
  }
  static std::vector<std::string> members_of(Directory& directory, const std::string& group) {
    auto found = groups(directory, {group});
    if (!found.is_ok()) return {found.status().message()};
    return found->size() == 1 ? found->front().members : std::vector<std::string>{fmt::format("{} groups", found->size())};
  }

  static std::unique_ptr<Slapd> slapd_;
};
std::unique_ptr<Slapd> DirectoryTest::slapd_;

TEST_F(DirectoryTest, TheRightPasswordGivesTheAccountAndItsGroups) {
  auto account = login(*open(), "alice");
  ASSERT_TRUE(account.is_ok()) << account.status().message();
  EXPECT_EQ(account->name, "alice");
  EXPECT_EQ(account->dn, "uid=alice,ou=people,dc=facility,dc=example");
  EXPECT_THAT(account->groups, IsSupersetOf({"sns_mari_team"s, "snsadmin"s, "IPTS-1020"s}));
  EXPECT_TRUE(std::is_sorted(account->groups.begin(), account->groups.end()));
  EXPECT_THAT(account->groups, Not(Contains("sns_wish_team")));
}

TEST_F(DirectoryTest, WhoeverMayNotComeInGetsOneAnswer) {
  auto directory = open();
  for (auto [name, password] : std::initializer_list<std::pair<std::string, std::string>>{
           {"alice", "wrong"},
           {"alice", password_of("bob")},
           {"alice", ""},                               // would be an anonymous bind, which succeeds
           {"nobody-of-this-name", "wrong"},
           {"nobody-of-this-name", ""},
           {"twin", password_of("twin")},               // two accounts have this name
           {"gone", password_of("gone")},               // expired
           {"locked", password_of("locked")},
           {"", "wrong"},
           {"alice\0"s, password_of("alice")},
           {"al\xffice", password_of("alice")},
           {std::string(257, 'a'), "wrong"},
           {"alice", std::string(100'000, 'x')},
       }) {
    auto answer = authenticate(*directory, name, password);
    ASSERT_FALSE(answer.is_ok()) << name;
    EXPECT_EQ(answer.status().code(), Code::kPermissionDenied) << name;
    EXPECT_EQ(answer.status().message(), ldap::refused().message()) << name;
  }
  EXPECT_TRUE(login(*directory, "alice").is_ok());
}

TEST_F(DirectoryTest, AnUnknownUserCostsTheServerABindToo) {
  auto directory = anonymous();  // so that trying passwords is all there is to bind for
  auto cost_of = [&](const std::string& name) {
    int before = slapd_->binds();
    EXPECT_FALSE(authenticate(*directory, name, "wrong").is_ok());
    return slapd_->binds() - before;
  };
  int of_looking = slapd_->binds();
  of_looking = slapd_->binds() - of_looking;
  EXPECT_EQ(cost_of("visitor"), of_looking + 1);
  EXPECT_EQ(cost_of("nobody-of-this-name"), of_looking + 1);
}

TEST_F(DirectoryTest, ARefusalIsHeldBackUntilItsTime) {
  // As long as a refusal takes, a right password is answered at once, and nobody else waits.
  auto directory = open([](Settings& settings) { settings.refusal_ms = 3'600'000; });
  support::Answer<Account> refusal;
  directory->authenticate("alice", ldap::Secret(), refusal.done());
  EXPECT_TRUE(login(*directory, "alice").is_ok());
  EXPECT_EQ(refusal.future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  directory.reset();
  EXPECT_EQ(refusal.wait().status().code(), Code::kPermissionDenied);
}

TEST_F(DirectoryTest, WhatMeansSomethingInAFilterFindsNobodyElse) {
  auto directory = open();
  for (const std::string& name : {"*"s, "alice)(uid=*"s, "alice)"s, "a\\2a"s, "al\\69ce"s, "ali*"s, "alice\\"s, "(|(uid=*))"s, "*)(objectClass=*"s, "alice,ou=people"s}) {
    EXPECT_EQ(authenticate(*directory, name, password_of("alice")).status().code(), Code::kPermissionDenied) << name;
    EXPECT_EQ(find(*directory, name).status().code(), Code::kNotFound) << name;
  }
}

TEST_F(DirectoryTest, OddNamesLogInAndAreInTheirGroups) {
  auto directory = open();
  for (const std::string& name : kOddNames) {
    auto account = login(*directory, name);
    ASSERT_TRUE(account.is_ok()) << name << ": " << account.status().message();
    EXPECT_EQ(account->name, name);
    EXPECT_THAT(account->groups, Contains("odd, (group) *")) << name;
  }
  EXPECT_THAT(members_of(*directory, "odd, (group) *"), testing::UnorderedElementsAreArray(kOddNames));
  EXPECT_THAT(members_of(*directory, "odd-posix"), SizeIs(kOddNames.size() - 1));  // memberUid is ASCII
}

TEST_F(DirectoryTest, AnAccountIsNamedAsTheDirectorySpellsIt) {
  auto directory = open();
  EXPECT_EQ(authenticate(*directory, "ALICE", password_of("alice"))->name, "alice");
  EXPECT_EQ(authenticate(*directory, "manifold", password_of("multi"))->name, "multi");
  EXPECT_EQ(find(*directory, "multi")->name, "multi");
}

TEST_F(DirectoryTest, EveryKindOfGroupCounts) {
  auto directory = open();
  EXPECT_THAT(groups_of(*directory, "bob"), Contains("sns_operators"));  // groupOfNames
  EXPECT_THAT(groups_of(*directory, "judy"), Contains("sns_auditors"));  // groupOfUniqueNames
  EXPECT_THAT(groups_of(*directory, "bob"), Contains("sns_mari_team"));  // posixGroup
  EXPECT_THAT(members_of(*directory, "sns_operators"), ElementsAre("bob", "carol"));
  EXPECT_THAT(members_of(*directory, "sns_auditors"), ElementsAre("ivan", "judy"));
  EXPECT_THAT(members_of(*directory, "snsadmin"), ElementsAre("alice"));
  EXPECT_THAT(members_of(*directory, "no-members"), IsEmpty());
}

TEST_F(DirectoryTest, GroupsInGroupsCountUpToTheLevel) {
  auto directory = open();
  EXPECT_THAT(groups_of(*directory, "mallory"), IsSupersetOf({"university", "consortium", "IPTS-2001"}));
  EXPECT_THAT(members_of(*directory, "IPTS-2001"), ElementsAre("alice", "bob", "mallory", "niaj", "olivia", "peggy"));
  EXPECT_THAT(groups_of(*directory, "deep"), ElementsAre("level-3", "level-4", "level-5", "level-6", "level-7", "level-8"));
  EXPECT_THAT(members_of(*directory, "level-3"), ElementsAre("deep"));
  EXPECT_THAT(members_of(*directory, "level-2"), IsEmpty());
  auto flat = open([](Settings& settings) { settings.nested_levels = 0; });
  EXPECT_THAT(groups_of(*flat, "deep"), ElementsAre("level-8"));
  EXPECT_THAT(members_of(*flat, "IPTS-2001"), ElementsAre("peggy"));
}

TEST_F(DirectoryTest, GroupsThatAreInEachOtherEnd) {
  auto directory = open([](Settings& settings) { settings.nested_levels = 100; });
  EXPECT_THAT(groups_of(*directory, "rupert"), IsSupersetOf({"IPTS-2003", "IPTS-2004"}));
  EXPECT_THAT(groups_of(*directory, "sybil"), IsSupersetOf({"IPTS-2003", "IPTS-2004"}));
  EXPECT_THAT(members_of(*directory, "IPTS-2003"), ElementsAre("rupert", "sybil"));
}

TEST_F(DirectoryTest, WithMemberOfTheAnswerIsTheSame) {
  auto searched = open(), told = open([](Settings& settings) { settings.member_of = true; });
  // Not judy: this server keeps memberOf for groupOfNames only.
  for (std::string name : {"alice", "bob", "mallory", "rupert", "sybil", "deep", "comma, the first", "wendy"}) {
    EXPECT_EQ(groups_of(*told, name), groups_of(*searched, name)) << name;
  }
  EXPECT_THAT(groups_of(*told, "deep"), SizeIs(6));
}

TEST_F(DirectoryTest, GroupsElsewhereGiveNothing) {
  // A group of the right name outside group_base, or that the filter leaves out.
  auto outside = [](Settings& settings) { settings.group_base = "cn=university,ou=groups,dc=facility,dc=example"; };
  for (bool member_of : {false, true}) {
    auto directory = open([&](Settings& settings) { outside(settings), settings.member_of = member_of; });
    EXPECT_THAT(groups_of(*directory, "mallory"), ElementsAre("university"));
    auto posix_only = open([&](Settings& settings) { settings.group_filter = "(objectClass=posixGroup)", settings.member_of = member_of; });
    EXPECT_THAT(groups_of(*posix_only, "bob"), Not(Contains("sns_operators")));
    EXPECT_THAT(groups_of(*posix_only, "bob"), Contains("sns_mari_team"));
  }
}

TEST_F(DirectoryTest, AllGroupsOfAKindComeOverManyPages) {
  for (int page_size : {7, 500}) {
    auto found = groups(*open([&](Settings& settings) { settings.page_size = page_size; }), {"IPTS-{experiment}", "sns_{instrument}_team"});
    ASSERT_TRUE(found.is_ok()) << found.status().message();
    EXPECT_THAT(*found, SizeIs(30 + 3 + 12));
    EXPECT_TRUE(std::is_sorted(found->begin(), found->end(), [](const Group& a, const Group& b) { return a.name < b.name; }));
    EXPECT_THAT(*found, Contains(AllOf(Field(&Group::name, "sns_mari_team"), Field(&Group::members, ElementsAre("alice", "bob")))));
    EXPECT_THAT(*found, Contains(AllOf(Field(&Group::name, "IPTS-1003"), Field(&Group::members, ElementsAre("bob", "dave")))));
  }
}

TEST_F(DirectoryTest, BothWaysToAskAgree) {
  auto directory = open();
  auto all = groups(*directory, {"IPTS-{experiment}", "sns_{anything}", "level-{n}", "consortium", "university"});
  ASSERT_TRUE(all.is_ok());
  std::set<std::string> known;
  std::map<std::string, std::vector<std::string>> expected;
  for (const Group& group : *all) {
    known.insert(group.name);
    for (const std::string& member : group.members) expected[member].push_back(group.name);
  }
  EXPECT_THAT(expected, SizeIs(testing::Gt(20)));
  for (const auto& [name, names] : expected) {
    std::vector<std::string> found;
    for (const std::string& group : groups_of(*directory, name)) {
      if (known.contains(group)) found.push_back(group);
    }
    EXPECT_EQ(found, names) << name;
  }
}

TEST_F(DirectoryTest, APatternThatIsNoneIsRefused) {
  EXPECT_EQ(groups(*open(), {"sns_{instrument"}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(groups(*open(), {"{everything}"}).status().code(), Code::kInvalidArgument);
  EXPECT_THAT(groups(*open(), {}).value(), IsEmpty());
}

TEST_F(DirectoryTest, AnswersAreNeverOneOfTwo) {
  // Symptom: a directory with two people of one name let in whoever came first.
  EXPECT_EQ(find(*open(), "twin").status().code(), Code::kConflict) << "which is not that there is none";
}

TEST_F(DirectoryTest, ChangesAreSeenByTheNextQuestion) {
  auto directory = open();
  EXPECT_THAT(groups_of(*directory, "lying"), IsEmpty());
  slapd_->change("dn: cn=sns_topaz_team,ou=groups,dc=facility,dc=example\nchangetype: modify\nadd: memberUid\nmemberUid: lying\n");
  EXPECT_THAT(groups_of(*directory, "lying"), ElementsAre("sns_topaz_team"));
  EXPECT_THAT(members_of(*directory, "sns_topaz_team"), Contains("lying"));
  slapd_->change("dn: uid=lying,ou=people,dc=facility,dc=example\nchangetype: delete\n");
  EXPECT_EQ(find(*directory, "lying").status().code(), Code::kNotFound);
  EXPECT_EQ(login(*directory, "lying").status().message(), ldap::refused().message());
  EXPECT_THAT(members_of(*directory, "sns_topaz_team"), Not(Contains("lying")));  // its memberUid is still there
}

TEST_F(DirectoryTest, AClosedAccountIsNotFound) {
  auto directory = open();
  EXPECT_EQ(find(*directory, "gone").status().code(), Code::kNotFound);
  EXPECT_EQ(find(*directory, "locked").status().code(), Code::kNotFound);
  EXPECT_THAT(members_of(*directory, "university"), ElementsAre("mallory", "niaj"));
}

TEST_F(DirectoryTest, WithoutABindNameItAsksAnonymously) {
  EXPECT_THAT(login(*anonymous(), "visitor")->groups, ElementsAre("IPTS-9001"));
}

TEST_F(DirectoryTest, StartTlsAndLdapsAndPlaintextAllWork) {
  for (bool plaintext : {false, true}) {
    auto directory = open([&](Settings& settings) { settings.servers = {slapd_->url()}, settings.plaintext = plaintext; });
    EXPECT_TRUE(login(*directory, "alice").is_ok());
  }
}

TEST_F(DirectoryTest, ManyQuestionsAtOnceAreAllAnswered) {
  auto directory = open();
  std::vector<std::unique_ptr<support::Answer<Account>>> answers;
  for (int i = 0; i < 200; ++i) {
    answers.push_back(std::make_unique<support::Answer<Account>>());
    directory->authenticate(i % 2 ? "alice" : "bob", ldap::Secret(password_of("alice")), answers.back()->done());
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(answers[i]->wait().is_ok(), i % 2 == 1) << i;
}

/// How often the text that is written backwards here stands in this process' memory.
size_t copies_in_memory(const std::string& reversed) {
  constexpr size_t kPage = 4096;
  constexpr size_t kSanitizersOwn = size_t{1} << 32;  // mappings that are larger hold what a sanitizer knows of the others
  static std::array<char, kPage + 64> bytes;  // a page and what may begin at its end
  std::string text(reversed.rbegin(), reversed.rend());
  auto is_within = [](uintptr_t address, const char* begin, size_t size) { return address - reinterpret_cast<uintptr_t>(begin) < size; };
  size_t copies = 0;
  std::ifstream maps("/proc/self/maps");
  int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0, end = 0;
    char mode[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[0] != 'r' || mode[1] != 'w') continue;
    if (end - begin > kSanitizersOwn) continue;
    for (uintptr_t at = begin; at < end; at += kPage) {
      ssize_t got = ::pread(memory, bytes.data(), std::min<uintptr_t>(bytes.size(), end - at), static_cast<off_t>(at));
      std::string_view page(bytes.data(), got > 0 ? static_cast<size_t>(got) : 0);
      for (size_t i = page.find(text); i < kPage; i = page.find(text, i + 1)) {
        copies += !is_within(at + i, text.data(), text.size()) && !is_within(at + i, bytes.data(), bytes.size());
      }
    }
  }
  ::close(memory);
  ::explicit_bzero(bytes.data(), bytes.size());
  ::explicit_bzero(text.data(), text.size());
  return copies;
}

TEST_F(DirectoryTest, ThePasswordIsNowhereInMemoryAfterTheBind) {
  for (bool tls : {false, true}) {
    auto directory = open([&](Settings& settings) {
      if (!tls) settings.servers = {slapd_->url()}, settings.plaintext = true;
    });
    // Only ever written backwards here, so that what is found was left by the client. The first is for the dynamic linker: when a function is called for the
    // first time it saves the processor's registers on the stack, with whatever was copied through them.
    for (const std::string reversed : {"eno-tsrif-eht-fo-noitcennoc-wemr", "5dH-elpats-yrettab-esroh-tcerroc"}) {
      ldap::Secret held;
      {
        std::string password(reversed.rbegin(), reversed.rend());
        held = ldap::Secret::take(password);
      }
      size_t before = copies_in_memory(reversed);
      support::Answer<Account> answer;
      directory->authenticate("alice", std::move(held), answer.done());
      EXPECT_FALSE(answer.wait().is_ok());
      size_t after = copies_in_memory(reversed);
      if (!reversed.starts_with("5dH")) continue;
      EXPECT_EQ(before, 1u) << "the search finds it where it is";
      EXPECT_EQ(after, 0u) << (tls ? "TLS" : "plaintext");
    }
  }
}

}  // namespace
