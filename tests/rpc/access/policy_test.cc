// Promise P8, the deciding part: every action against every role, as one table.
#include "rpc/access/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace {

using rpc::Action;
using rpc::Caller;
using rpc::Resource;
using schema::Role;
using testing::ElementsAre;
using testing::HasSubstr;

Caller person(std::vector<rpc::Grant> grants, std::string name = "alice") {
  Caller caller;
  caller.name = std::move(name);
  caller.proof = "test";
  caller.grants = std::move(grants);
  return caller;
}
Caller daemon(schema::DaemonRole role, std::string name) {
  Caller caller;
  caller.kind = Caller::Kind::kDaemon;
  caller.name = std::move(name);
  caller.daemon = role;
  return caller;
}
Caller owner() {
  Caller caller;
  caller.kind = Caller::Kind::kOwner;
  caller.name = "runledger";
  return caller;
}

const rpc::Grant kMember{Role::MEMBER, "", "2010001", "IPTS-2010001"};
const rpc::Grant kScientist{Role::SCIENTIST, "MARI", "", "isis_mari_team"};
const rpc::Grant kOperator{Role::OPERATOR, "", "", "operators"};
const rpc::Grant kAuditor{Role::AUDITOR, "", "", "auditors"};
const rpc::Grant kAdministrator{Role::ADMINISTRATOR, "", "", ""};
const Resource kOwn{"MARI", "2010001", ""}, kOther{"LET", "2019999", ""};

struct Row {
  Action action;
  const char* word;
  // Columns: no role | member: own, another's | scientist: own, another's | operator auditor administrator | owner | monitor coordinator worker
  const char* answers;
};
constexpr Row kTable[] = {
    {Action::kSeeInstrument, "see_instrument", "- yy yy yyy y yyy"},
    {Action::kSeeRun, "see_run", "- y- y- yyy y -y-"},
    {Action::kSeeWorkers, "see_workers", "- -- -- yyy y -y-"},
    {Action::kSeeAccount, "see_account", "- -- -- -yy y ---"},
    {Action::kAudit, "audit", "- -- -- -yy y ---"},
    {Action::kProve, "prove", "- yy yy yyy y ---"},
    {Action::kVerify, "verify", "- -- -- yyy y ---"},
    {Action::kCopyLog, "copy_log", "- -- -- -yy y ---"},
    {Action::kSeeCampaign, "see_campaign", "- -- y- yyy y -y-"},
    {Action::kRerun, "rerun", "- y- y- --- y ---"},
    {Action::kStartCampaign, "start_campaign", "- y- y- --- y ---"},
    {Action::kReplay, "replay", "- y- y- y-- y ---"},
    {Action::kControlCampaign, "control_campaign", "- -- y- y-- y ---"},
    {Action::kCombine, "combine", "- y- y- --- y ---"},
    {Action::kTryScript, "try_script", "- -- y- --- y ---"},
    {Action::kSetVariables, "set_variables", "- -- y- --- y ---"},
    {Action::kPauseInstrument, "pause_instrument", "- -- y- --- y ---"},
    {Action::kSetStage, "set_stage", "- -- y- --- y ---"},
    {Action::kCancelJob, "cancel_job", "- -- y- y-- y ---"},
    {Action::kMaintain, "maintain", "- -- -- --y y ---"},
    {Action::kIssueToken, "issue_token", "y yy yy yyy y ---"},
    {Action::kIssueDaemonToken, "issue_daemon_token", "- -- -- --y y ---"},
    {Action::kSeeTokens, "see_tokens", "- -- -- -yy y ---"},
    {Action::kRevokeToken, "revoke_token", "- -- -- --y y ---"},
    {Action::kBeMonitor, "be_monitor", "- -- -- --- y y--"},
    {Action::kBeCoordinator, "be_coordinator", "- -- -- --- y -y-"},
    {Action::kBeWorker, "be_worker", "- -- -- --- y --y"},
};

std::string answers(Action action) {
  const auto one = [&](const Caller& caller, const Resource& resource) { return rpc::decide(caller, action, resource).allowed ? 'y' : '-'; };
  std::string text;
  text += one(person({}), kOwn);
  text += ' ';
  text += one(person({kMember}), kOwn);
  text += one(person({kMember}), kOther);
  text += ' ';
  text += one(person({kScientist}), kOwn);
  text += one(person({kScientist}), kOther);
  text += ' ';
  for (const auto& grant : {kOperator, kAuditor, kAdministrator}) text += one(person({grant}), kOther);
  text += ' ';
  text += one(owner(), kOther);
  text += ' ';
  text += one(daemon(schema::DaemonRole::MONITOR, "monitord"), kOther);
  text += one(daemon(schema::DaemonRole::COORDINATOR, "coordinatord"), kOther);
  text += one(daemon(schema::DaemonRole::WORKER, "workerd/w1"), kOther);
  return text;
}

TEST(P8PolicyTest, EveryActionAgainstEveryRole) {
  ASSERT_EQ(std::size(kTable), rpc::kActions);
  std::set<std::string> words;
  for (const Row& row : kTable) {
    EXPECT_EQ(answers(row.action), row.answers) << row.word;
    EXPECT_EQ(rpc::action_word(row.action), row.word);
    words.insert(row.word);
  }
  EXPECT_EQ(words.size(), rpc::kActions);
}

TEST(P8PolicyTest, YesSaysWhichRoleAndGroupAllowedIt) {
  EXPECT_EQ(rpc::decide(person({kScientist}), Action::kSetVariables, kOwn).right, "scientist of MARI by group isis_mari_team");
  EXPECT_EQ(rpc::decide(person({kMember}), Action::kRerun, kOwn).right, "member of experiment 2010001 by group IPTS-2010001");
  EXPECT_EQ(rpc::decide(person({kAdministrator}), Action::kMaintain).right, "administrator by the site file");
  EXPECT_EQ(rpc::decide(owner(), Action::kMaintain).right, "runs the ledger");
}

TEST(P8PolicyTest, OfSeveralRolesTheNarrowestIsTheRight) {
  const Caller caller = person({kAdministrator, kScientist, kMember});
  EXPECT_THAT(rpc::decide(caller, Action::kSeeRun, kOwn).right, HasSubstr("member of experiment 2010001"));
  EXPECT_THAT(rpc::decide(caller, Action::kSeeRun, kOther).right, HasSubstr("administrator"));
}

TEST(P8PolicyTest, NoSaysWhoWhatAndWhichRoleItTakes) {
  const auto verdict = rpc::decide(person({kMember}), Action::kSetVariables, kOwn);
  EXPECT_EQ(verdict.code, "no_role");
  EXPECT_EQ(verdict.reason, "alice may not set variables: that takes the role scientist of MARI; `runledger whoami` shows your roles");
  EXPECT_EQ(rpc::decide(person({kOperator}), Action::kRerun, kOwn).reason,
            "alice may not ask for a reduction: that takes the role member of experiment 2010001 or scientist of MARI; `runledger whoami` shows your roles");
}

TEST(P8PolicyTest, RunOfNoExperimentIsNoMembers) {
  EXPECT_FALSE(rpc::decide(person({{Role::MEMBER, "", "", "odd"}}), Action::kSeeRun, {"MARI", "", ""}).allowed);
  EXPECT_TRUE(rpc::decide(person({kScientist}), Action::kSeeRun, {"MARI", "", ""}).allowed);
}

TEST(P8PolicyTest, WhatIsOnesOwnNeedsNoRole) {
  const Caller caller = person({});
  EXPECT_TRUE(rpc::decide(caller, Action::kSeeAccount, {"", "", "alice"}).allowed);
  EXPECT_TRUE(rpc::decide(caller, Action::kSeeTokens, {"", "", "alice"}).allowed);
  EXPECT_TRUE(rpc::decide(caller, Action::kRevokeToken, {"", "", "alice"}).allowed);
  EXPECT_FALSE(rpc::decide(caller, Action::kRevokeToken, {"", "", "bob"}).allowed);
  EXPECT_FALSE(rpc::decide(person({}, ""), Action::kMaintain).allowed);
}

TEST(P8PolicyTest, MemberMayEndWhatHeAskedForHimself) {
  EXPECT_TRUE(rpc::decide(person({kMember}), Action::kCancelJob, {"MARI", "2010001", "alice"}).allowed);
  EXPECT_FALSE(rpc::decide(person({kMember}), Action::kCancelJob, {"MARI", "2010001", "bob"}).allowed);
  EXPECT_FALSE(rpc::decide(person({kMember}), Action::kCancelJob, {"LET", "2019999", "alice"}).allowed);
}

TEST(P8PolicyTest, CampaignIsItsOwnersToSeeAndControl) {
  for (const Action action : {Action::kSeeCampaign, Action::kControlCampaign}) {
    EXPECT_TRUE(rpc::decide(person({kMember}), action, {"MARI", "", "alice"}).allowed);
    EXPECT_FALSE(rpc::decide(person({kMember}), action, {"MARI", "", "bob"}).allowed);
    EXPECT_TRUE(rpc::decide(person({kScientist}), action, {"MARI", "", "bob"}).allowed);
    EXPECT_FALSE(rpc::decide(person({kScientist}), action, {"LET", "", "bob"}).allowed);
  }
}

TEST(P8PolicyTest, ReadOnlyTokenChangesNothing) {
  for (const auto& grant : {kMember, kScientist, kOperator, kAdministrator}) {
    Caller caller = person({grant});
    caller.scope = rpc::TokenScope{.read_only = true};
    for (const Action action : {Action::kRerun, Action::kStartCampaign, Action::kReplay, Action::kControlCampaign, Action::kCombine, Action::kTryScript,
                                Action::kSetVariables, Action::kSetStage, Action::kPauseInstrument, Action::kCancelJob, Action::kMaintain, Action::kIssueToken,
                                Action::kIssueDaemonToken, Action::kBeWorker}) {
      const auto verdict = rpc::decide(caller, action, kOwn);
      EXPECT_FALSE(verdict.allowed) << rpc::action_word(action);
      EXPECT_EQ(verdict.code, "token_read_only");
    }
    EXPECT_TRUE(rpc::decide(caller, Action::kSeeRun, kOwn).allowed);
  }
}

TEST(P8PolicyTest, TokenForSomeInstrumentsIsForTheseAlone) {
  Caller caller = person({kAdministrator, {Role::SCIENTIST, "LET", "", "isis_let_team"}, kScientist});
  caller.scope = rpc::TokenScope{.instruments = {"MARI"}};
  EXPECT_TRUE(rpc::decide(caller, Action::kSeeRun, kOwn).allowed);
  EXPECT_TRUE(rpc::decide(caller, Action::kSetVariables, kOwn).allowed);
  EXPECT_FALSE(rpc::decide(caller, Action::kSeeRun, kOther).allowed);
  EXPECT_FALSE(rpc::decide(caller, Action::kSetVariables, kOther).allowed);
  EXPECT_FALSE(rpc::decide(caller, Action::kSeeRun, {}).allowed);
  for (const Action action : {Action::kMaintain, Action::kProve, Action::kVerify, Action::kCopyLog, Action::kAudit, Action::kSeeWorkers, Action::kIssueToken}) {
    EXPECT_FALSE(rpc::decide(caller, action).allowed) << rpc::action_word(action);
  }
}

/// Over every role and resource: the list's filter and the single question agree.
TEST(P8SightTest, ListsShowExactlyWhatMayBeSeen) {
  const std::vector<std::vector<rpc::Grant>> all_grants = {
      {}, {kMember}, {kScientist}, {kOperator}, {kAuditor}, {kAdministrator}, {kMember, kScientist}, {kMember, {Role::MEMBER, "", "2019999", "g"}}};
  const std::vector<std::optional<rpc::TokenScope>> scopes = {
      std::nullopt, rpc::TokenScope{.read_only = true}, rpc::TokenScope{.instruments = {"MARI"}}, rpc::TokenScope{.instruments = {"LET", "EQSANS"}}};
  for (const auto& grants : all_grants) {
    for (const auto& scope : scopes) {
      Caller caller = person(grants);
      caller.scope = scope;
      const rpc::Sight sight = rpc::Sight::of(caller);
      for (const char* instrument : {"MARI", "LET", "EQSANS"}) {
        for (const char* experiment : {"", "2010001", "2019999"}) {
          EXPECT_EQ(sight.sees(instrument, experiment), rpc::decide(caller, Action::kSeeRun, {instrument, experiment, ""}).allowed) << instrument << experiment;
        }
      }
    }
  }
}

TEST(P8SightTest, OnlyTheCoordinatorOfTheDaemonsSeesRuns) {
  EXPECT_TRUE(rpc::Sight::of(owner()).is_everything());
  EXPECT_TRUE(rpc::Sight::of(daemon(schema::DaemonRole::COORDINATOR, "coordinatord")).is_everything());
  EXPECT_FALSE(rpc::Sight::of(daemon(schema::DaemonRole::WORKER, "workerd/w1")).sees("MARI", "2010001"));
  EXPECT_FALSE(rpc::Sight::of(daemon(schema::DaemonRole::MONITOR, "monitord")).sees("MARI", "2010001"));
}

TEST(CallerTest, WorkerIsNamedInItsDaemonsName) {
  EXPECT_EQ(rpc::worker_of("workerd/node7"), "node7");
  EXPECT_EQ(rpc::worker_of("monitord"), "");
}

}  // namespace
