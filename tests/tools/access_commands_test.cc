// whoami, token, audit, refresh-roles, and rights in explain, trace and status.
#include <gmock/gmock.h>

#include "tests/tools/access_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kNoonText = "2026-11-01T12:00:00.000000000Z";

class RightsTest : public AccessTest {
 protected:
  void SetUp() override {
    AccessTest::SetUp();
    auto rights = ledger.access.rights.get();
    rights.setEnforced(true);
    rights.setExpiresAt(kNoon + kHour);
    auto grants = rights.initGrants(2);
    fill(grants[0], "alice", schema::Role::SCIENTIST, "MARI", "", "isis_mari_team");
    fill(grants[1], "alice", schema::Role::MEMBER, "", "2010001", "");
    rights.initDirectory().setConfigured(true);
    rights.getDirectory().setRefreshedAt(kNoon);
  }
  static void fill(schema::GrantRow::Builder row, const char* account, schema::Role role, const char* instrument, const char* experiment, const char* group) {
    row.setAccount(account);
    row.setSeq(17);
    row.setSince(kNoon);
    row.getGrant().setRole(role);
    row.getGrant().setInstrument(instrument);
    row.getGrant().setExperiment(experiment);
    row.getGrant().setGroup(group);
  }
  /// Somebody's events: a session, a setting by right, a denial that came often, roles, tokens.
  void add_access_events() {
    auto opened = ledger.add_event("alice");
    opened.getActor().setProof("password, checked by ldaps://ldap1");
    opened.getBody().initSessionOpened().setSource("192.0.2.1");
    auto set = ledger.add_event("alice");
    set.getActor().setRight("scientist of MARI by group isis_mari_team");
    set.getBody().initVariablesSet().setInstrument("MARI");
    auto denied_event = ledger.add_event("alice");
    denied_event.getActor().setProof("token 7f3a");
    auto denied = denied_event.getBody().initAccessDenied();
    denied.setAction("pause_instrument");
    denied.setSubject("SANS2D");
    denied.setSource("192.0.2.1");
    denied.setCount(17);
    denied.setFirstAt(kNoon);
    denied.getReason().setCode("no_role");
    denied.getReason().setText("alice may not pause SANS2D: that takes a scientist of SANS2D");
    auto granted = ledger.add_event("ledgerd").getBody().initRoleGranted();
    granted.setAccount("bob");
    granted.getGrant().setRole(schema::Role::SCIENTIST);
    granted.getGrant().setInstrument("MARI");
    granted.getGrant().setGroup("isis_mari_team");
    granted.getReason().setCode("directory");
    granted.getReason().setText("the directory says so");
    auto revoked = ledger.add_event("ledgerd").getBody().initRoleRevoked();
    revoked.setAccount("bob");
    revoked.getGrant().setRole(schema::Role::AUDITOR);
    auto issued = ledger.add_event("alice").getBody().initTokenIssued();
    issued.setToken("7f3a5b0c99d1e2f4");
    issued.setAccount("alice");
    issued.setKind(schema::TokenIssued::Kind::MACHINE);
    issued.setLabel("nightly plots");
    issued.setExpiresAt(kNoon + 7);
    issued.getScope().setReadOnly(true);
    issued.getScope().initInstruments(1).set(0, "MARI");
    auto ended = ledger.add_event("alice").getBody().initTokenRevoked();
    ended.setToken("7f3a5b0c99d1e2f4");
    ended.setAccount("alice");
    ended.getReason().setText("left in a log");
  }
};

TEST_F(RightsTest, WhoamiSaysWhichRolesAndWhy) {
  const Ran ran = command({"whoami"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("machine"), HasSubstr("peer uid 1000"), HasSubstr("scientist of MARI, by group isis_mari_team, since 2026-11-01 12:00:00"),
                             HasSubstr("member of experiment 2010001, by the site file"), HasSubstr("until 2026-11-01 13:00:00"), HasSubstr("read 2026-11-01 12:00:00")));
  EXPECT_THAT(ran.out, Not(HasSubstr("not enforced")));
}

TEST_F(RightsTest, WhoamiJsonHasEveryFieldOfTheContract) {
  EXPECT_EQ(json_of({"whoami"}), json::parse(R"({"name": "machine", "kind": "person", "proof": "peer uid 1000", "everything": false, "enforced": true,
      "roles": [{"role": "scientist", "instrument": "MARI", "experiment": null, "group": "isis_mari_team", "since": "2026-11-01T12:00:00.000000000Z", "event": 17},
                {"role": "member", "instrument": null, "experiment": "2010001", "group": null, "since": "2026-11-01T12:00:00.000000000Z", "event": 17}],
      "token": null, "expires_at": "2026-11-01T13:00:00.000000000Z",
      "directory": {"configured": true, "refreshed_at": "2026-11-01T12:00:00.000000000Z", "problem": null}})"));
}

TEST_F(RightsTest, WhoamiSaysWhatATokenMayAtMost) {
  auto& token = ledger.access.add_token("robot", schema::TokenIssued::Kind::MACHINE, now(), now() + kHour);
  token.row.get().getIssued().getScope().setReadOnly(true);
  token.row.get().getIssued().getScope().initInstruments(1).set(0, "MARI");
  const std::string file = folder.write("token", token.text);
  chmod(file.c_str(), 0600);
  EXPECT_THAT(command({"whoami", "--token-file", file}).out, HasSubstr(token.id() + ": read-only, MARI only"));
  EXPECT_EQ(json_of({"whoami", "--token-file", file})["token"], json({{"id", token.id()}, {"read_only", true}, {"instruments", {"MARI"}}, {"daemon", nullptr}}));
}

TEST_F(RightsTest, WhoamiSaysThatTheDirectoryIsSilentOrNothingEnforced) {
  ledger.access.rights.get().getDirectory().setProblem("ldap1: no answer within 5 s");
  EXPECT_THAT(command({"whoami"}).out, AllOf(HasSubstr("and not since: ldap1: no answer within 5 s"), HasSubstr("those on record")));
  auto owner = ledger.access.rights.get();
  owner.setEverything(true);
  owner.setEnforced(false);
  owner.setExpiresAt(0);
  EXPECT_THAT(command({"whoami"}).out, AllOf(HasSubstr("everything"), HasSubstr("not enforced"), HasSubstr("until the connection ends")));
}

TEST_F(RightsTest, StatusSaysHowTheDirectoryDoes) {
  EXPECT_TRUE(json_of({"status"})["directory"].is_null());
  EXPECT_THAT(command({"status"}).out, Not(HasSubstr("directory")));
  auto access = ledger.status.get().initAccess();
  access.setConfigured(true);
  access.setProblem("ldap1 is down");
  EXPECT_EQ(json_of({"status"})["directory"], json({{"configured", true}, {"refreshed_at", nullptr}, {"problem", "ldap1 is down"}}));
  EXPECT_THAT(command({"status"}).out, HasSubstr("directory  not read since this ledgerd started: ldap1 is down"));
}

using TokenTest = RightsTest;

TEST_F(TokenTest, IsPrintedThisOnce) {
  const Ran ran = command({"token", "create", "--label", "nightly plots", "--read-only", "--instrument", "mari", "--expires", "90d"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const auto& token = ledger.access.tokens.at(0);
  EXPECT_EQ(ran.out, token.text + "\n") << "alone on standard output, for a pipe";
  EXPECT_THAT(ran.err, AllOf(HasSubstr(token.id()), HasSubstr("read-only, MARI only"), HasSubstr("not shown again"), Not(HasSubstr(token.text))));
  const auto issued = token.row.read().getIssued();
  EXPECT_EQ(issued.getKind(), schema::TokenIssued::Kind::MACHINE);
  EXPECT_STREQ(issued.getLabel().cStr(), "nightly plots");
  EXPECT_EQ(issued.getExpiresAt() - token.row.read().getIssuedAt(), 90 * 24 * kHour);
  EXPECT_THAT(command({"token", "list"}).out, AllOf(HasSubstr(token.id()), HasSubstr("nightly plots"), Not(HasSubstr(token.text))));
}

TEST_F(TokenTest, GoesIntoAFileForItsOwnerAlone) {
  const std::string file = (folder / "plots.token").string();
  const mode_t before = umask(0);
  const Ran ran = command({"token", "create", "--label", "plots", "-o", file});
  umask(before);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out + ran.err, Not(HasSubstr("rlt_")));
  EXPECT_EQ(mode(file), 0600u);
  EXPECT_EQ(contents(file), ledger.access.tokens.at(0).text + "\n");
  EXPECT_EQ(json_of({"whoami", "--token-file", file})["name"], "machine");
  const Ran again = command({"token", "create", "--label", "plots", "-o", file});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("is there already"));
  EXPECT_EQ(ledger.access.tokens.size(), 1u) << "nothing is issued that cannot be written";
}

TEST_F(TokenTest, ThatIsRefusedLeavesNoFile) {
  ledger.access.refuse_tokens = "the disk is full";
  const std::string file = (folder / "plots.token").string();
  EXPECT_EQ(command({"token", "create", "--label", "plots", "-o", file}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(TokenTest, OfADaemonNamesOneThatThereIs) {
  EXPECT_EQ(command({"token", "create", "--label", "w1", "--daemon", "workerd/w1"}).exit_code, 0);
  EXPECT_STREQ(ledger.access.tokens.at(0).row.read().getIssued().getScope().getDaemon().cStr(), "workerd/w1");
  for (const char* wrong : {"workerd", "workerd/", "ledgerd"}) {
    const Ran ran = command({"token", "create", "--label", "x", "--daemon", wrong});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, HasSubstr("write monitord, coordinatord or workerd/NAME"));
  }
}

TEST_F(TokenTest, WithWhatIsNoDurationOrInstrumentIsNotMade) {
  EXPECT_THAT(command({"token", "create", "--label", "x", "--expires", "soon"}).err, HasSubstr("write 90d"));
  EXPECT_THAT(command({"token", "create", "--label", "x", "--instrument", "MERLIN"}).err, HasSubstr("no such instrument"));
  EXPECT_EQ(command({"token", "create"}).exit_code, 2);
  EXPECT_THAT(ledger.access.tokens, IsEmpty());
}

TEST_F(TokenTest, JsonHasEveryFieldOfTheContract) {
  json made = json_of({"token", "create", "--label", "plots", "--read-only"});
  EXPECT_EQ(made["token"], ledger.access.tokens.at(0).text);
  EXPECT_TRUE(made["file"].is_null());
  json row = json_of({"token", "list"})[0];
  EXPECT_FALSE(row.contains("token"));
  for (const char* field : {"issued_at", "expires_at"}) EXPECT_THAT(row[field].get<std::string>(), testing::EndsWith("Z"));
  row.erase("issued_at");
  row.erase("expires_at");
  EXPECT_EQ(row, json({{"id", ledger.access.tokens[0].id()}, {"account", "machine"}, {"kind", "machine"}, {"label", "plots"}, {"read_only", true},
                       {"instruments", json::array()}, {"daemon", nullptr}, {"issued_by", "machine"}, {"event", 501}}));
}

TEST_F(TokenTest, ListIsOfOneselfAnotherOrAll) {
  ledger.access.add_token("alice", schema::TokenIssued::Kind::LOGIN, now(), now() + kHour);
  ledger.access.add_token("machine", schema::TokenIssued::Kind::MACHINE, now(), now() + kHour);
  EXPECT_EQ(json_of({"token", "list"}).size(), 1u);
  EXPECT_EQ(json_of({"token", "list", "--account", "alice"})[0]["kind"], "login");
  EXPECT_EQ(json_of({"token", "list", "--all"}).size(), 2u);
  EXPECT_EQ(json_of({"token", "list", "--account", "bob"}, 1), json::array());
}

TEST_F(TokenTest, RevokeTakesTheIdAlsoOutOfAWholeToken) {
  auto& token = ledger.access.add_token("machine", schema::TokenIssued::Kind::MACHINE, now(), now() + kHour);
  const Ran ran = command({"token", "revoke", token.text, "--comment", "left in a log"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "token " + token.id() + " is revoked, and its sessions have ended (event 600)\n");
  EXPECT_THAT(ledger.access.asked, Contains("revoke " + token.id() + " by machine (left in a log)"));
  EXPECT_EQ(command({"token", "revoke", "0000000000000000"}).exit_code, 1);
  EXPECT_EQ(command({"token", "revoke", "../../etc"}).exit_code, 2);
}

using AuditTest = RightsTest;

TEST_F(AuditTest, WhoCouldSeeListsRolesAsTheyWere) {
  fill(ledger.access.seeing.emplace_back().get(), "bob", schema::Role::SCIENTIST, "MARI", "", "isis_mari_team");
  const Ran ran = command({"audit", "who-could-see", "2010001", "--at", "2026-11-01"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "as of event 12, 2026-11-01T12:00:00Z\n\n"
            "ACCOUNT  AS                 BY                    SINCE                EVENT\n"
            "bob      scientist of MARI  group isis_mari_team  2026-11-01 12:00:00     17\n");
  const json seen = json_of({"audit", "who-could-see", "2010001", "--at", "12"});
  EXPECT_EQ(seen, json::array({{{"account", "bob"}, {"role", "scientist"}, {"instrument", "MARI"}, {"experiment", nullptr}, {"group", "isis_mari_team"},
                                {"since", kNoonText}, {"event", 17}}}));
  EXPECT_THAT(ledger.access.asked, AllOf(Contains("who could see 2010001 at time 1793491200000000000"), Contains("who could see 2010001 at event 12")));
}

TEST_F(AuditTest, NobodyCouldSeeItIsExitCodeOne) {
  const Ran ran = command({"audit", "who-could-see", "9"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("let anybody but the ledger's own account see experiment 9"));
  EXPECT_EQ(json_of({"audit", "who-could-see", "9"}, 1), json::array());
  EXPECT_THAT(ledger.access.asked, Contains("who could see 9 at now"));
}

TEST_F(AuditTest, ActionsShowWhatAndByWhichRight) {
  add_access_events();
  const Ran ran = command({"audit", "actions", "alice"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("logged in from 192.0.2.1"), HasSubstr("scientist of MARI by group isis_mari_team"), Not(HasSubstr("bob"))));
  const json actions = json_of({"audit", "actions", "alice"});
  ASSERT_EQ(actions.size(), 5u);
  EXPECT_EQ(actions[0]["kind"], "sessionOpened");
  EXPECT_EQ(actions[0]["proof"], "password, checked by ldaps://ldap1");
  EXPECT_TRUE(actions[0]["right"].is_null());
  EXPECT_EQ(actions[1]["right"], "scientist of MARI by group isis_mari_team");
  EXPECT_EQ(actions[1]["instrument"], "MARI");
  EXPECT_EQ(command({"audit", "actions", "carol"}).exit_code, 1);
}

TEST_F(AuditTest, ActionsAreNotWhatOthersDidToAnAccount) {
  add_access_events();  // events 4 and 5 give bob a role and take one
  ledger.add_event("bob").getBody().initSessionOpened().setSource("192.0.2.2");
  const json actions = json_of({"audit", "actions", "bob"});
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_EQ(actions[0]["kind"], "sessionOpened");
}

TEST_F(AuditTest, SpansAreOfEventsTimesOrTheLast) {
  add_access_events();  // alice's are events 1, 2, 3, 6, 7, a second apart
  const auto seqs = [&](std::vector<std::string> span) {
    std::vector<std::string> words = {"audit", "actions", "alice"};
    words.insert(words.end(), span.begin(), span.end());
    std::vector<int> found;
    for (const json& event : json_of(words)) found.push_back(event["seq"]);
    return found;
  };
  EXPECT_THAT(seqs({"--from", "2", "--to", "6"}), ElementsAre(2, 3, 6));
  EXPECT_THAT(seqs({"--last", "2"}), ElementsAre(6, 7));
  EXPECT_THAT(seqs({"--last", "1", "--to", "3"}), ElementsAre(3));
  EXPECT_THAT(seqs({"--to", "2026-11-01T12:00:02Z"}), ElementsAre(1, 2));
  Ledger past;
  ledger.past = &past;  // the ledger answers that event 7 is the last before then
  EXPECT_EQ(command({"audit", "actions", "alice", "--from", "2026-11-01T12:00:09Z"}).exit_code, 1);
  EXPECT_THAT(ledger.asked, ElementsAre("at time " + std::to_string(kNoon + 9 * kSecond - 1)));
  ledger.past = nullptr;  // there is none before then
  EXPECT_THAT(seqs({"--from", "2020-01-01"}), ElementsAre(1, 2, 3, 6, 7));
  EXPECT_THAT(command({"audit", "actions", "alice", "--from", "yesterday"}).err, HasSubstr("--from: 'yesterday' is neither a time nor an event"));
}

TEST_F(AuditTest, DenialsSayWhoWhatHowOftenAndWhy) {
  add_access_events();
  const Ran ran = command({"audit", "denials"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "EVENT  TIME                 ACCOUNT  ACTION            SUBJECT  FROM       TIMES  WHY\n"
            "    3  2026-11-01 12:00:03  alice    pause_instrument  SANS2D   192.0.2.1     17  alice may not pause SANS2D: that takes a scientist of SANS2D\n");
  EXPECT_EQ(json_of({"audit", "denials", "--last", "5"}),
            json::array({{{"event", 3}, {"time", "2026-11-01T12:00:03.000000000Z"}, {"account", "alice"}, {"proof", "token 7f3a"}, {"action", "pause_instrument"},
                          {"subject", "SANS2D"}, {"source", "192.0.2.1"}, {"count", 17}, {"first_at", kNoonText},
                          {"reason", "alice may not pause SANS2D: that takes a scientist of SANS2D"}, {"reason_code", "no_role"}}}));
  EXPECT_EQ(json_of({"audit", "denials", "--from", "4"}, 1), json::array());
}

TEST_F(AuditTest, EventsAboutAccessAreSentences) {
  add_access_events();
  const auto text_of_event = [&](const char* seq) { return json_of({"audit", "actions", "ledgerd", "--from", seq, "--last", "1", "--to", seq})[0]; };
  EXPECT_EQ(text_of_event("4")["text"], "bob became scientist of MARI by group isis_mari_team: the directory says so");
  EXPECT_EQ(text_of_event("4")["code"], "directory");
  EXPECT_EQ(text_of_event("4")["instrument"], "MARI");
  EXPECT_EQ(text_of_event("5")["text"], "bob is no longer auditor by the site file");
  const json alice = json_of({"audit", "actions", "alice"});
  EXPECT_EQ(alice[2]["text"],
            "pause_instrument (SANS2D) was refused, from 192.0.2.1: alice may not pause SANS2D: that takes a scientist of SANS2D; 17 times since 2026-11-01T12:00:00Z");
  EXPECT_EQ(alice[2]["code"], "no_role");
  EXPECT_EQ(alice[3]["text"], "machine token 7f3a5b0c99d1e2f4 of alice is issued for 'nightly plots', read-only, MARI only, until 2026-11-01T12:00:00Z");
  EXPECT_EQ(alice[4]["text"], "token 7f3a5b0c99d1e2f4 of alice is revoked: left in a log");
}

TEST_F(AuditTest, TraceAndExplainSayTheRight) {
  add_reduced_run();
  ledger.events[0].get().getActor().setRight("scientist of MARI by group isis_mari_team");
  ledger.jobs[0].get().getRequestedBy().setRight("daemon coordinatord");
  EXPECT_THAT(command({"trace", "MARI/28001"}).out, AllOf(HasSubstr("alice (scientist of MARI by group isis_mari_team)"), HasSubstr("; daemon coordinatord)")));
  const json traced = json_of({"trace", "MARI/28001"});
  EXPECT_EQ(traced["history"][0]["right"], "scientist of MARI by group isis_mari_team");
  EXPECT_EQ(traced["requested_by_right"], "daemon coordinatord");
  EXPECT_TRUE(json_of({"explain", "MARI", "28001"})[0]["right"].is_null());
}

TEST_F(RightsTest, RefreshRolesCountsWhatChanged) {
  EXPECT_EQ(command({"admin", "refresh-roles"}).out, "the directory is read: 3 roles granted, 1 role revoked\n");
  EXPECT_EQ(json_of({"admin", "refresh-roles"}), json({{"granted", 3}, {"revoked", 1}}));
  ledger.access.refuse_tokens = "40 of 50 roles would go; look, then say --believe";
  EXPECT_EQ(command({"admin", "refresh-roles"}).exit_code, 2);
  EXPECT_EQ(command({"admin", "refresh-roles", "--believe"}).exit_code, 0);
}

}  // namespace
}  // namespace fake
