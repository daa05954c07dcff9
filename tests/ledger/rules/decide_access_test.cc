#include <gmock/gmock.h>

#include "ledger/past.h"
#include "ledger/role_history.h"
#include "tests/ledger/rules/chaos.h"
#include "tests/ledger/rules/story.h"
#include "tests/ledger/rules/story_snapshot.h"

namespace rules_test {
namespace {

using base::Code;
using schema::Role;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Given {
  Role role;
  std::string instrument, experiment, group;
};
const Given kMember{Role::MEMBER, "", "E1", "IPTS-E1"}, kScientist{Role::SCIENTIST, "MARI", "", "isis_mari_team"}, kAuditor{Role::AUDITOR, "", "", "auditors"};

class DecideAccessTest : public ::testing::Test {
 protected:
  DecideAccessTest() { story.configure("MARI"); }

  Told change_roles(std::string_view account, const std::vector<Given>& granted, const std::vector<Given>& revoked = {}) {
    return story.tell([&](schema::Command::Builder command) {
      auto change = command.getBody().initChangeRoles();
      change.setAccount(std::string(account));
      fill(change.initGranted(static_cast<uint32_t>(granted.size())), granted);
      fill(change.initRevoked(static_cast<uint32_t>(revoked.size())), revoked);
      change.initReason().setCode("directory");
      change.getReason().setText("as the directory has it");
    });
  }
  Told issue(std::string_view id, std::string_view account = "alice", std::string_view replaces = {}, int64_t expires_at = INT64_MAX) {
    return story.tell([&](schema::Command::Builder command) {
      auto token = command.getBody().initIssueToken();
      token.setToken(std::string(id));
      token.setAccount(std::string(account));
      token.setKind(schema::TokenIssued::Kind::LOGIN);
      const std::string hash = hash_of(id);
      token.setSecretSha256(ledger::data(hash));
      token.setExpiresAt(expires_at);
      token.setReplaces(std::string(replaces));
    });
  }
  Told revoke(std::string_view id) {
    return story.tell([&](schema::Command::Builder command) {
      auto token = command.getBody().initRevokeToken();
      token.setToken(std::string(id));
      token.initReason().setCode("asked_for");
      token.getReason().setText("lost");
    });
  }
  std::vector<std::string> groups_of(std::string_view account) {
    std::vector<std::string> groups;
    for (const auto& row : ledger::grants(story.rows(), account)) groups.emplace_back(row.get().getGrant().getGroup().cStr());
    return groups;
  }
  std::vector<std::string> could_see(std::string_view experiment, uint64_t seq = UINT64_MAX) {
    const ledger::Past past(std::make_unique<StorySnapshot>(story), std::min(seq, story.head()));
    std::vector<std::string> names;
    const auto found = ledger::who_could_see(past, experiment);
    if (!found.is_ok()) return {found.status().message()};
    for (const auto& row : *found) names.push_back(std::string(row.get().getAccount().cStr()) + " by " + row.get().getGrant().getGroup().cStr());
    return names;
  }
  Story story;

 private:
  static void fill(capnp::List<schema::Grant>::Builder list, const std::vector<Given>& grants) {
    for (uint32_t i = 0; i < list.size(); ++i) {
      list[i].setRole(grants[i].role);
      list[i].setInstrument(grants[i].instrument);
      list[i].setExperiment(grants[i].experiment);
      list[i].setGroup(grants[i].group);
    }
  }
};

TEST_F(DecideAccessTest, OnlyDifferencesFromTheRecordBecomeEvents) {
  EXPECT_THAT(story.kinds(change_roles("alice", {kMember, kScientist})), ElementsAre("roleGranted", "roleGranted"));
  EXPECT_THAT(change_roles("alice", {kMember, kScientist}).events, IsEmpty());
  EXPECT_THAT(story.kinds(change_roles("alice", {kMember, kAuditor}, {kScientist})), ElementsAre("roleRevoked", "roleGranted"));
  EXPECT_THAT(groups_of("alice"), ElementsAre("IPTS-E1", "auditors"));
  EXPECT_THAT(change_roles("alice", {}, {kScientist}).events, IsEmpty());
}

TEST_F(DecideAccessTest, RoleByTwoGroupsStaysWhenOneIsLost) {
  const Given other{Role::MEMBER, "", "E1", "IPTS-E1-guests"};
  change_roles("alice", {kMember, other});
  change_roles("alice", {}, {kMember});
  EXPECT_THAT(groups_of("alice"), ElementsAre("IPTS-E1-guests"));
}

TEST_F(DecideAccessTest, AccountsDoNotRunIntoEachOther) {
  change_roles("al", {kMember});
  change_roles("alice", {kAuditor});
  EXPECT_THAT(groups_of("al"), ElementsAre("IPTS-E1"));
  EXPECT_THAT(groups_of("ali"), IsEmpty());
}

TEST_F(DecideAccessTest, GrantThatMakesNoSenseIsRefused) {
  EXPECT_TRUE(refused(change_roles("alice", {{Role::UNSET, "", "", "g"}}), Code::kInvalidArgument, "names no role"));
  EXPECT_TRUE(refused(change_roles("alice", {{Role::SCIENTIST, "", "", "g"}}), Code::kInvalidArgument, "of an instrument"));
  EXPECT_TRUE(refused(change_roles("alice", {{Role::MEMBER, "MARI", "E1", "g"}}), Code::kInvalidArgument, "of an instrument"));
  EXPECT_TRUE(refused(change_roles("alice", {{Role::OPERATOR, "", "E1", "g"}}), Code::kInvalidArgument, "of an experiment"));
  EXPECT_TRUE(refused(change_roles("", {kMember}), Code::kInvalidArgument, "1 to 256 bytes"));
  EXPECT_TRUE(refused(change_roles(std::string(257, 'a'), {kMember}), Code::kInvalidArgument, "1 to 256 bytes"));
}

TEST_F(DecideAccessTest, TokenIsIssuedOnceRenewedOnceAndEnds) {
  EXPECT_THAT(story.kinds(issue("00000000000000a1")), ElementsAre("tokenIssued"));
  EXPECT_TRUE(refused(issue("00000000000000a1"), Code::kAlreadyExists, "ask for another"));
  EXPECT_TRUE(issue("00000000000000a2", "alice", "00000000000000a1").ok());
  EXPECT_NE(ledger::find_token(story.rows(), "00000000000000a1")->get().getRevokedSeq(), 0u);
  EXPECT_TRUE(refused(issue("00000000000000a3", "alice", "00000000000000a1"), Code::kConflict, "log in again"));
  EXPECT_TRUE(refused(issue("00000000000000a3", "bob", "00000000000000a2"), Code::kConflict, "cannot be renewed"));
  EXPECT_THAT(story.kinds(revoke("00000000000000a2")), ElementsAre("tokenRevoked"));
  EXPECT_THAT(revoke("00000000000000a2").events, IsEmpty());
  EXPECT_TRUE(refused(revoke("00000000000000ff"), Code::kNotFound, "token list"));
  EXPECT_STREQ(story.event(story.head()).getBody().getTokenRevoked().getAccount().cStr(), "alice");
  EXPECT_EQ(ledger::tokens(story.rows(), "alice").size(), 2u);
}

TEST_F(DecideAccessTest, TokenWithoutItsPartsIsRefused) {
  EXPECT_TRUE(refused(issue("short"), Code::kInvalidArgument, "16 hexadecimal digits"));
  EXPECT_TRUE(refused(issue("00000000000000a1", "alice", {}, 1), Code::kInvalidArgument, "expired already"));
}

TEST_F(DecideAccessTest, WhoCouldSeeAnExperimentIsToldAsItWasThen) {
  story.detect(1, "a", {}, "E1", "MARI");
  const uint64_t before = story.head();
  change_roles("carol", {kAuditor});
  change_roles("alice", {kMember});
  change_roles("bob", {kScientist, {Role::SCIENTIST, "LET", "", "isis_let_team"}});
  change_roles("dave", {{Role::MEMBER, "", "E2", "IPTS-E2"}});
  const uint64_t then = story.head();
  change_roles("alice", {}, {kMember});
  EXPECT_THAT(could_see("E1", before), IsEmpty());
  EXPECT_THAT(could_see("E1", then), ElementsAre("alice by IPTS-E1", "bob by isis_mari_team", "carol by auditors"));
  EXPECT_THAT(could_see("E1"), ElementsAre("bob by isis_mari_team", "carol by auditors"));
  EXPECT_THAT(could_see("E2"), ElementsAre("carol by auditors", "dave by IPTS-E2"));
  EXPECT_THAT(could_see("E9").at(0), ::testing::HasSubstr("experiment E9"));
}

/// Whatever the areas, pages and filters: the list within them is the whole list without what lies elsewhere.
TEST(RunAreasTest, ListWithinAreasIsTheListLessWhatLiesElsewhere) {
  const std::vector<std::vector<ledger::RunArea>> all_areas = {
      {}, {{"MARI", ""}}, {{"", "E1"}}, {{"MERLIN", ""}, {"", "E1"}}, {{"MARI", "E2"}, {"", "E0"}}, {{"MARI", ""}, {"MERLIN", ""}}, {{"", "E9"}, {"LET", ""}}};
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    Chaos chaos(seed);
    for (int step = 0; step < 300; ++step) chaos.step();
    const auto& rows = chaos.story.rows();
    const auto names = [&](const ledger::RunSelection& selection, size_t page_size) {
      std::vector<std::string> all;
      std::string after;
      do {
        const auto page = ledger::list_runs(rows, selection, page_size, after);
        EXPECT_LE(page.rows.size(), page_size);
        for (const auto& row : page.rows) all.push_back(row.get().getRun().getInstrument().cStr() + (" " + std::to_string(row.get().getRun().getRunNumber())));
        after = page.next;
      } while (!after.empty());
      return all;
    };
    const std::vector<ledger::RunSelection> selections = {
        {}, {.instrument = "MARI"}, {.experiment = "E1"}, {.states = {schema::RunState::QUEUED, schema::RunState::DETECTED}}, {.instrument = "MERLIN", .experiment = "E2"}, {.first_run = 4, .last_run = 9}};
    for (const auto& areas : all_areas) {
      for (auto selection : selections) {
        std::vector<std::string> expected;
        for (const auto& row : ledger::list_runs(rows, selection, 1000).rows) {
          const auto run = row.get();
          const auto is_in = [&](const ledger::RunArea& area) {
            return (area.instrument.empty() || area.instrument == run.getRun().getInstrument().cStr()) &&
                   (area.experiment.empty() || area.experiment == run.getExperiment().cStr());
          };
          if (std::any_of(areas.begin(), areas.end(), is_in)) expected.push_back(run.getRun().getInstrument().cStr() + (" " + std::to_string(run.getRun().getRunNumber())));
        }
        selection.within = areas;
        for (const size_t page_size : {1, 2, 100}) EXPECT_EQ(names(selection, page_size), expected) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace rules_test
