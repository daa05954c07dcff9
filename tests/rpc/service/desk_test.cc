// Who is let in, with which roles, and what of it is on record: docs/access.md, outcome by outcome.
#include <atomic>
#include <chrono>
#include <future>

#include "tests/rpc/service/desk_fixture.h"

namespace {

using support::administrator;
using support::Body;
using support::Code;
using support::member;
using support::scientist;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class LogInTest : public support::DeskTest {};

TEST_F(LogInTest, PasswordOpensASessionWithTheRolesOfTheDirectoryAndBothAreOnRecord) {
  auto opened = alice();
  EXPECT_THAT(roles(opened), ElementsAre("scientist MARI"));
  EXPECT_THAT(recorded_roles("alice"), ElementsAre("scientist MARI"));
  const auto sessions = events(Body::SESSION_OPENED);
  ASSERT_EQ(sessions.size(), 1u);
  auto actor = sessions[0].get().getActor();
  EXPECT_STREQ(actor.getName().cStr(), "alice");
  EXPECT_STREQ(actor.getProof().cStr(), "password, checked by a test");
  EXPECT_STREQ(actor.getRight().cStr(), "logged in");
  EXPECT_STREQ(sessions[0].get().getBody().getSessionOpened().getSource().cStr(), "192.0.2.1");
  auto rights = ask(opened.whoamiRequest());
  EXPECT_TRUE(rights.getRights().getEnforced());
  EXPECT_FALSE(rights.getRights().getEverything());
  EXPECT_STREQ(rights.getRights().getGrants()[0].getGrant().getGroup().cStr(), "sns_MARI_team");
  EXPECT_NE(rights.getRights().getGrants()[0].getSeq(), 0u);
}

TEST_F(LogInTest, WrongPasswordAndUnknownNameAreOneAnswer) {
  const auto wrong = by_password("alice", "guess");
  const auto unknown = by_password("nobody", "guess");
  const auto token = by_token("rlt_0123456789abcdef_" + std::string(64, '0'));
  for (const auto* answer : {&wrong, &unknown, &token}) {
    EXPECT_EQ(answer->getRefusal().getCode(), Code::PERMISSION_DENIED);
    EXPECT_FALSE(answer->hasSession());
  }
  EXPECT_STREQ(wrong.getRefusal().getText().cStr(), unknown.getRefusal().getText().cStr());
  EXPECT_STREQ(wrong.getRefusal().getText().cStr(), token.getRefusal().getText().cStr());
}

TEST_F(LogInTest, NameOfALoginInVainIsRecordedOnlyWhereItIsKnownAsAnAccounts) {
  alice();
  by_password("alice", "guess");
  by_password("my secret, in the wrong field", "guess", network("192.0.2.2"));
  EXPECT_THAT(denials(), UnorderedElementsAre("alice log_in wrong_password", " log_in wrong_password"));
  for (const auto& event : events(Body::ACCESS_DENIED)) EXPECT_THAT(event.get().toString().flatten().cStr(), testing::Not(HasSubstr("my secret")));
}

TEST_F(LogInTest, NamesThatADirectoryTakesForAnotherAreNotAskedOfIt) {
  const std::string unknown = by_password("nobody", "word").getRefusal().getText().cStr();
  const size_t asked = accounts->asked;
  for (const std::string name : {" alice", "alice ", "al  ice", "alice\t", "alice\n"}) {
    EXPECT_EQ(by_password(name, "open sesame", network("192.0.2." + std::to_string(++commands))).getRefusal().getText().cStr(), unknown) << name;
  }
  EXPECT_EQ(accounts->asked, asked);
}

TEST_F(LogInTest, NameBeyondAsciiIsGoodOnlyAsTheDirectorySpellsIt) {
  accounts->known["m\u00fcller"] = {"word", {}};
  accounts->aliases["mu\u0308ller"] = "m\u00fcller";
  session(by_password("m\u00fcller", "word"));
  EXPECT_EQ(by_password("mu\u0308ller", "word").getRefusal().getCode(), Code::PERMISSION_DENIED);
}

TEST_F(LogInTest, ConnectionIsAStrangersUntilALoginSucceeds) {
  rpc::Peer peer = network();
  peer.admission = std::make_shared<rpc::Admission>();
  EXPECT_FALSE(by_password("alice", "guess", peer).hasSession());
  EXPECT_FALSE(peer.admission->is_given());
  EXPECT_FALSE(peer.admission->is_being_decided());
  session(by_password("alice", "open sesame", peer));
  EXPECT_TRUE(peer.admission->is_given());
}

TEST_F(LogInTest, ConnectionOfADaemonByCertificateIsNoStrangers) {
  rpc::Peer peer = network();
  peer.admission = std::make_shared<rpc::Admission>();
  peer.caller = rpc::daemon_caller("workerd/node7", "certificate of a test", "192.0.2.1");
  at(peer);
  EXPECT_TRUE(peer.admission->is_given());
}

TEST_F(LogInTest, EmptyPasswordIsNotAskedOfTheDirectory) {
  EXPECT_EQ(by_password("alice", "").getRefusal().getCode(), Code::INVALID_ARGUMENT);
  EXPECT_EQ(accounts->asked, 0u);
}

TEST_F(LogInTest, AccountOfTheMachineIsLookedUpOnceWithinRefreshAndRecordedOnceADay) {
  auto first = session(by_connection(at(socket_of("alice"))));
  auto second = session(by_connection(at(socket_of("alice"))));
  EXPECT_EQ(accounts->asked, 1u);
  EXPECT_THAT(roles(first), ElementsAre("scientist MARI"));
  EXPECT_THAT(roles(second), ElementsAre("scientist MARI"));
  EXPECT_EQ(events(Body::SESSION_OPENED).size(), 1u);
  served.clock.advance(support::FakeClock::kDay);
  session(by_connection(at(socket_of("alice"))));
  EXPECT_EQ(events(Body::SESSION_OPENED).size(), 2u);
}

TEST_F(LogInTest, AccountOfTheMachineThatTheDirectoryDoesNotKnowIsRefused) {
  const auto answer = by_connection(at(socket_of("mallory")));
  EXPECT_EQ(answer.getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_THAT(answer.getRefusal().getText().cStr(), HasSubstr("none of the facility's directory"));
}

TEST_F(LogInTest, NamesOfDaemonsAndOfTheOwnerAreNobodyElses) {
  // What is a caller's own, and which commands were his, goes by his name.
  settings.owners = {"runledger"};
  served.service->use_access(settings, accounts);
  for (const std::string name : {"ledgerd", "monitord", "coordinatord", "workerd/w1", "workerd/", "runledger"}) {
    accounts->known[name] = {"word", {administrator()}};
    EXPECT_THAT(by_connection(at(socket_of(name))).getRefusal().getText().cStr(), HasSubstr(name + " is the name of"));
    EXPECT_THAT(by_password(name, "word", network("192.0.2." + std::to_string(++commands))).getRefusal().getText().cStr(), HasSubstr(name + " is the name of"));
  }
}

TEST_F(LogInTest, ConnectionThatSaysNothingIsToldToLogIn) {
  EXPECT_THAT(by_connection(at(network())).getRefusal().getText().cStr(), HasSubstr("runledger login"));
}

TEST_F(LogInTest, CertificateThatIsNoDaemonsIsNamed) {
  rpc::Peer peer = network();
  peer.unknown_certificate = "worker-reduction1";
  EXPECT_THAT(by_connection(at(peer)).getRefusal().getText().cStr(),
              HasSubstr("the common name \"worker-reduction1\", which is no daemon's: sign one for monitord, coordinatord or workerd/NAME"));
}

TEST_F(LogInTest, DaemonByItsCertificateIsThatDaemonAndOnRecord) {
  rpc::Peer peer = network("192.0.2.7");
  peer.caller = rpc::daemon_caller("workerd/w1", "certificate 12ab", "192.0.2.7");
  auto opened = session(by_connection(at(peer)));
  EXPECT_EQ(ask(opened.whoamiRequest()).getActor().getKind(), schema::Actor::Kind::DAEMON);
  ASSERT_EQ(events(Body::SESSION_OPENED).size(), 1u);
  EXPECT_STREQ(events(Body::SESSION_OPENED)[0].get().getActor().getName().cStr(), "workerd/w1");
}

TEST(SiteWithoutAccessTest, TheOwnerAloneComesInAndNothingIsRecorded) {
  support::ServedLedger plain;
  auto opened = plain.session();
  const auto rights = plain.loop.wait(opened.whoamiRequest().send().then([](auto&& answer) { return kj::mv(answer); }));
  EXPECT_TRUE(rights.getRights().getEverything());
  EXPECT_FALSE(rights.getRights().getEnforced());
  const auto other = plain.loop.wait(plain.service->gateway(rpc::Peer{.account = "alice", .proof = "peer uid 1000", .source = "unix"}).loginRequest().send().then([](auto&& answer) { return kj::mv(answer); }));
  EXPECT_EQ(other.getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(plain.ledger->head(), 0u);
}

TEST_F(LogInTest, SessionIsOpenedThoughItCannotBeRecorded) {
  served.refuses = [](schema::Command::Reader) { return base::Status(base::Code::kUnavailable, "no room on the disk"); };
  EXPECT_THAT(roles(alice()), ElementsAre("scientist MARI"));
}

TEST_F(LogInTest, FourthFailureWaitsAndWhoeverElseComesMeanwhileDoesNot) {
  for (int i = 0; i < 3; ++i) by_password("alice", "guess");
  bool answered = false;
  auto request = at(network()).loginRequest();
  auto credentials = request.initCredentials().initPassword();
  credentials.setName("alice");
  credentials.setPassword("guess");
  auto fourth = request.send().then([&](auto&&) { answered = true; }).eagerlyEvaluate(nullptr);
  session(by_password("bob", "builder", network("192.0.2.2")));
  EXPECT_FALSE(answered);
}

// ---- the directory in trouble

class DirectoryTroubleTest : public support::DeskTest {
 protected:
  rpc::RoleKeeper::Changed refresh(bool believe = false) {
    auto changed = served.loop.wait(desk().refresh(believe));
    EXPECT_TRUE(changed.is_ok()) << changed.status().message();
    return changed.is_ok() ? *changed : rpc::RoleKeeper::Changed();
  }
  base::Status refresh_status(bool believe = false) { return served.loop.wait(desk().refresh(believe)).status(); }
  std::string problem() {
    capnp::MallocMessageBuilder message;
    auto status = message.initRoot<schema::AccessStatus>();
    desk().write_status(status);
    return status.getProblem().cStr();
  }
  void hire(int count) {
    for (int i = 0; i < count; ++i) accounts->known["staff" + std::to_string(i)] = {"word", {scientist("MARI")}};
  }
};

TEST_F(DirectoryTroubleTest, DownNewLoginsAreRefusedAndSessionsAndTokensGoOn) {
  auto living = alice();
  const Token token = issue(living);
  accounts->trouble = {base::Code::kUnavailable, "ldap1: connection refused"};
  EXPECT_EQ(refresh_status().code(), base::Code::kUnavailable);
  const auto by_word = by_password("bob", "builder");
  EXPECT_EQ(by_word.getRefusal().getCode(), Code::UNAVAILABLE);
  EXPECT_THAT(by_word.getRefusal().getText().cStr(), HasSubstr("the directory gives no answer"));
  EXPECT_EQ(by_connection(at(socket_of("bob"))).getRefusal().getCode(), Code::UNAVAILABLE);
  EXPECT_THAT(roles(living), ElementsAre("scientist MARI"));
  EXPECT_THAT(roles(session(by_token(token.text))), ElementsAre("scientist MARI"));
  EXPECT_THAT(problem(), HasSubstr("since 2026-11-01T12:00:00Z: ldap1: connection refused"));
  accounts->trouble = {};
  refresh();
  EXPECT_EQ(problem(), "");
}

TEST_F(DirectoryTroubleTest, DownTheAccountsOfTheSiteFileHaveItsRolesAndNoOthers) {
  accounts->site["ann"] = {{schema::Role::OPERATOR, {}, {}, {}}};
  refresh();
  EXPECT_THAT(recorded_roles("ann"), ElementsAre("operator", "administrator"));
  accounts->trouble = {base::Code::kTimedOut, "ldap1: no answer within 5 s"};
  EXPECT_THAT(roles(session(by_connection(at(socket_of("ann"))))), ElementsAre("operator"));
  EXPECT_THAT(recorded_roles("ann"), ElementsAre("operator", "administrator")) << "of the record nothing was taken";
}

TEST_F(DirectoryTroubleTest, SlowHoldsUpNobodyElse) {
  auto living = alice();
  auto answers = kj::newPromiseAndFulfiller<void>();
  accounts->answers = answers.promise.fork();
  auto request = at(network()).loginRequest();
  auto credentials = request.initCredentials().initPassword();
  credentials.setName("bob");
  credentials.setPassword("builder");
  bool answered = false;
  auto slow = request.send().then([&](auto&&) { answered = true; }).eagerlyEvaluate(nullptr);
  EXPECT_THAT(roles(living), ElementsAre("scientist MARI"));
  EXPECT_FALSE(answered);
  answers.fulfiller->fulfill();
  served.loop.wait(kj::mv(slow));
  EXPECT_TRUE(answered);
}

TEST_F(DirectoryTroubleTest, AccountThatIsGoneLosesRolesAndSessionsAtOnceAndItsTokensAreRevokedWithTheNextReading) {
  auto living = alice();
  const Token token = issue(living);
  auto by_it = session(by_token(token.text));
  accounts->known.erase("alice");
  EXPECT_EQ(refresh().revoked, 1u);
  EXPECT_THAT(recorded_roles("alice"), IsEmpty());
  EXPECT_THAT(why_broken(living), HasSubstr("alice is no account of the facility's directory any more"));
  EXPECT_THAT(why_broken(by_it), HasSubstr("any more"));
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_THAT(events(Body::TOKEN_REVOKED), IsEmpty()) << "one answer may be wrong, and a token that is revoked does not come back";
  refresh();
  const auto revoked = events(Body::TOKEN_REVOKED);
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_STREQ(revoked[0].get().getBody().getTokenRevoked().getReason().getCode().cStr(), "account_gone");
  EXPECT_STREQ(events(Body::ROLE_REVOKED)[0].get().getBody().getRoleRevoked().getReason().getCode().cStr(), "account_gone");
}

TEST_F(DirectoryTroubleTest, AccountThatIsBackAtTheNextReadingHasItsTokensStill) {
  const Token token = issue(alice());
  auto kept = accounts->known.extract("alice");
  refresh();
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  accounts->known.insert(std::move(kept));
  refresh();
  EXPECT_THAT(roles(session(by_token(token.text))), ElementsAre("scientist MARI"));
}

TEST_F(DirectoryTroubleTest, RevocationThatCannotBeRecordedHoldsForLaterSessionsToo) {
  const Token token = issue(alice());
  accounts->known["alice"].grants.clear();
  served.refuses = [](schema::Command::Reader) { return base::Status(base::Code::kUnavailable, "no room on the disk"); };
  EXPECT_EQ(refresh_status().code(), base::Code::kUnavailable);
  EXPECT_THAT(recorded_roles("alice"), ElementsAre("scientist MARI"));
  EXPECT_THAT(roles(session(by_token(token.text))), IsEmpty());
  EXPECT_THAT(roles(session(by_connection(at(socket_of("alice"))))), IsEmpty());
}

TEST_F(DirectoryTroubleTest, TokenOfAnAccountThatIsGoneIsNotGoodThoughNothingCanBeRecorded) {
  const Token token = issue(alice());
  accounts->known.erase("alice");
  served.refuses = [](schema::Command::Reader) { return base::Status(base::Code::kUnavailable, "no room on the disk"); };
  EXPECT_FALSE(refresh_status().is_ok());
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
}

TEST_F(DirectoryTroubleTest, OneAccountsTroubleWithTheRecordKeepsNobodyElsesRoles) {
  hire(80);
  refresh();
  auto last = session(by_password("staff9", "word"));
  for (int i = 0; i < 80; ++i) accounts->known["staff" + std::to_string(i)].grants.clear();
  served.refuses = [](schema::Command::Reader) { return base::Status(base::Code::kUnavailable, "no room on the disk"); };
  EXPECT_FALSE(refresh_status(true).is_ok());
  EXPECT_THAT(roles(last), IsEmpty());
}

TEST_F(DirectoryTroubleTest, AccountThatTheSiteFileSpellsOtherwiseKeepsItsRoles) {
  accounts->site["alice"] = {{schema::Role::OPERATOR, {}, {}, {}}};
  accounts->known = {{"Alice", {"open sesame", {}}}};
  auto opened = alice();
  EXPECT_THAT(recorded_roles("Alice"), ElementsAre("operator"));
  EXPECT_EQ(refresh().revoked, 0u);
  EXPECT_THAT(roles(opened), ElementsAre("operator"));
  EXPECT_THAT(recorded_roles("alice"), IsEmpty()) << "nor is there a second account";
}

TEST_F(DirectoryTroubleTest, ReadingThatFailsUnforeseenIsSaidAndNotTheLast) {
  accounts->throws = true;
  EXPECT_EQ(refresh_status().code(), base::Code::kInternal);
  EXPECT_THAT(problem(), HasSubstr("nobody thought of this"));
  refresh();
  EXPECT_EQ(problem(), "");
}

/// Roles on their way to the record, held up there until release().
class RolesUnderWayTest : public DirectoryTroubleTest {
 protected:
  ~RolesUnderWayTest() noexcept override {
    if (!released_) release();
  }
  /// Returns when the writer has the first of them.
  void begin_refresh() {
    served.refuses = [this, first = std::make_shared<std::atomic<bool>>(true)](schema::Command::Reader command) {
      if (command.getBody().isChangeRoles() && first->exchange(false)) {
        there_.set_value();
        go_on_.get_future().wait();
      }
      return base::Status();
    };
    refreshing_ = desk().refresh(false).then([](auto&&) {}).eagerlyEvaluate(nullptr);
    auto there = there_.get_future();
    while (there.wait_for(std::chrono::seconds(0)) != std::future_status::ready) served.loop.wait(served.loop.timer().afterDelay(1 * kj::MILLISECONDS));
  }
  void release() {
    released_ = true;
    go_on_.set_value();
    served.loop.wait(kj::mv(refreshing_));
  }

 private:
  std::promise<void> there_, go_on_;
  kj::Promise<void> refreshing_ = nullptr;
  bool released_ = false;
};

TEST_F(RolesUnderWayTest, LoginMeanwhileHasNotWhatIsBeingRevokedAndGetsWhatIsBeingGranted) {
  const Token token = issue(alice());
  session(by_token(token.text));  // the first of the day, which is recorded
  accounts->known["alice"].grants = {scientist("LET")};
  begin_refresh();
  auto meanwhile = session(by_token(token.text));
  EXPECT_THAT(roles(meanwhile), IsEmpty());
  release();
  EXPECT_THAT(roles(meanwhile), ElementsAre("scientist LET"));
}

TEST_F(RolesUnderWayTest, TokenOfAnAccountThatIsGoneOpensNothingMeanwhile) {
  const Token token = issue(alice());
  session(by_token(token.text));
  accounts->known.erase("alice");
  begin_refresh();
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  release();
}

TEST_F(DirectoryTroubleTest, AccountOfTheSiteFileThatIsGoneDoesNotComeBackWithTheNextReading) {
  accounts->site["alice"] = {{schema::Role::OPERATOR, {}, {}, {}}};
  refresh();
  accounts->known.erase("alice");
  refresh();
  EXPECT_THAT(recorded_roles("alice"), IsEmpty());
  refresh();
  EXPECT_THAT(recorded_roles("alice"), IsEmpty());
}

TEST_F(DirectoryTroubleTest, AnswerWithoutMostRolesIsNotBelievedUntilAnAdministratorSaysSo) {
  hire(20);
  refresh();
  auto living = session(by_password("staff0", "word"));
  for (int i = 0; i < 12; ++i) accounts->known["staff" + std::to_string(i)].grants.clear();
  EXPECT_EQ(refresh_status().code(), base::Code::kConflict);
  EXPECT_THAT(problem(), HasSubstr("12 of the 23 roles on record that groups give"));
  EXPECT_THAT(problem(), HasSubstr("refresh-roles --believe"));
  EXPECT_THAT(recorded_roles("staff0"), ElementsAre("scientist MARI"));
  EXPECT_THAT(roles(living), ElementsAre("scientist MARI"));
  auto believed = ask(ann().administratorRequest()).getAdministrator().refreshRolesRequest();
  believed.setBelieve(true);
  EXPECT_EQ(ask(kj::mv(believed)).getRevoked(), 12u);
  EXPECT_THAT(recorded_roles("staff0"), IsEmpty());
  EXPECT_THAT(roles(living), IsEmpty());
  EXPECT_EQ(problem(), "");
  EXPECT_STREQ(events(Body::ROLE_REVOKED).back().get().getActor().getRight().cStr(), "keeps roles, as ann asked");
}

TEST_F(DirectoryTroubleTest, LoginMeanwhileGetsNoRoleTheDirectoryDoesNotGiveAndTakesNoneOffTheRecord) {
  hire(20);
  refresh();
  for (int i = 0; i < 12; ++i) accounts->known["staff" + std::to_string(i)].grants = {member("2010001")};
  ASSERT_EQ(refresh_status().code(), base::Code::kConflict);
  auto opened = session(by_password("staff0", "word"));
  EXPECT_THAT(roles(opened), ElementsAre("member 2010001"));
  EXPECT_THAT(recorded_roles("staff0"), ElementsAre("member 2010001", "scientist MARI"));
  const Token token = issue(opened);
  EXPECT_THAT(roles(session(by_token(token.text))), ElementsAre("member 2010001")) << "nor does a token made then";
}

TEST_F(DirectoryTroubleTest, TenRolesAreNotMostOfThemAndGo) {
  hire(10);
  refresh();
  for (int i = 0; i < 10; ++i) accounts->known["staff" + std::to_string(i)].grants.clear();
  EXPECT_EQ(refresh().revoked, 10u);
}

TEST_F(DirectoryTroubleTest, GroupThatWasRenamedTakesNothingAway) {
  hire(20);
  refresh();
  for (int i = 0; i < 20; ++i) accounts->known["staff" + std::to_string(i)].grants = {{schema::Role::SCIENTIST, "MARI", {}, "isis_mari"}};
  EXPECT_EQ(refresh().revoked, 20u);
}

TEST_F(DirectoryTroubleTest, MostAccountsGoneAtOnceIsNotBelieved) {
  for (int i = 0; i < 12; ++i) {
    accounts->known["user" + std::to_string(i)] = {"word", {}};
    issue(session(by_password("user" + std::to_string(i), "word", network("192.0.2." + std::to_string(i)))));
  }
  auto living = session(by_password("user0", "word"));
  auto kept = std::exchange(accounts->known, {});
  EXPECT_EQ(refresh_status().code(), base::Code::kConflict);
  EXPECT_EQ(why_broken(living), "");
  EXPECT_THAT(events(Body::TOKEN_REVOKED), IsEmpty());
}

TEST_F(DirectoryTroubleTest, ChangedGroupsReachLivingSessionsAndTokensWithTheNextReading) {
  refresh();
  auto living = alice();
  auto by_it = session(by_token(issue(living).text));
  accounts->known["alice"].grants = {scientist("LET"), member("2010001")};
  const auto changed = refresh();
  EXPECT_EQ(changed.granted, 2u);
  EXPECT_EQ(changed.revoked, 1u);
  EXPECT_THAT(roles(living), ElementsAre("member 2010001", "scientist LET"));
  EXPECT_THAT(roles(by_it), ElementsAre("member 2010001", "scientist LET"));
  EXPECT_EQ(refresh().granted + refresh().revoked, 0u) << "nothing is recorded twice";
}

TEST_F(DirectoryTroubleTest, LoginChangesTheOtherSessionsOfItsAccount) {
  auto before = alice();
  accounts->known["alice"].grants = {scientist("LET")};
  alice();
  EXPECT_THAT(roles(before), ElementsAre("scientist LET"));
}

// ---- daemons

class DaemonSessionTest : public support::DeskTest {
 protected:
  base::Status be(schema::Session::Client from, schema::DaemonRole role, const std::string& name) {
    auto request = from.daemonRequest();
    request.setRole(role);
    request.setName(name);
    return status_of(ask(kj::mv(request)).getRefusal());
  }
};

TEST_F(DaemonSessionTest, DaemonIsWhatItsCredentialSaysAndNothingElse) {
  rpc::Peer peer = network();
  peer.caller = rpc::daemon_caller("workerd/w1", "certificate 12ab", "192.0.2.1");
  auto worker = session(by_connection(at(peer)));
  EXPECT_TRUE(be(worker, schema::DaemonRole::WORKER, "workerd/w1").is_ok());
  EXPECT_THAT(be(worker, schema::DaemonRole::WORKER, "workerd/w2").message(), HasSubstr("its credential is for workerd/w1 alone"));
  EXPECT_EQ(be(worker, schema::DaemonRole::MONITOR, "monitord").code(), base::Code::kPermissionDenied);
  EXPECT_THAT(denials(), UnorderedElementsAre("workerd/w1 be_worker not_its_name", "workerd/w1 be_monitor not_a_daemons"));
}

TEST_F(DaemonSessionTest, PersonIsNoDaemonWhateverHisRoles) {
  EXPECT_EQ(be(ann(), schema::DaemonRole::WORKER, "workerd/w1").code(), base::Code::kPermissionDenied);
  EXPECT_THAT(denials(), ElementsAre("ann be_worker no_role"));
}

TEST_F(DaemonSessionTest, OnlyWholeNamesOfDaemonsMakeDaemons) {
  for (const char* name : {"", "workerd", "workerd/", "monitord/", "monitord ", "Monitord", "up", "alice"}) EXPECT_FALSE(rpc::daemon_role_of(name)) << name;
}

// ---- sessions without end

class SessionLimitTest : public support::DeskTest {};

TEST_F(SessionLimitTest, ConnectionHasSoManySessionsAndNoMore) {
  auto gateway = at(socket_of("alice"));
  std::vector<schema::Session::Client> held;
  for (int i = 0; i < 256; ++i) held.push_back(session(by_connection(gateway)));
  EXPECT_EQ(by_connection(gateway).getRefusal().getCode(), Code::UNAVAILABLE);
  session(by_connection(at(socket_of("alice"))));
  held.clear();
  session(by_connection(gateway));
}

TEST_F(SessionLimitTest, AccountHasSoManySessionsWhateverTheirConnections) {
  std::vector<schema::Session::Client> held;
  auto gateway = at(socket_of("alice"));
  for (size_t i = 0; i < rpc::AccessDesk::kMaxSessionsOfAnAccount; ++i) {
    if (i % 256 == 0) gateway = at(socket_of("alice"));
    held.push_back(session(by_connection(gateway)));
  }
  EXPECT_THAT(by_connection(at(socket_of("alice"))).getRefusal().getText().cStr(), HasSubstr("alice has 2000 sessions"));
  session(by_connection(at(socket_of("bob"))));
}

TEST_F(SessionLimitTest, WhatIsRecordedOfADenialHasBounds) {
  desk().denied({.name = "alice", .proof = "test", .source = "unix"}, "see_run", std::string(1 << 20, 'x'), "no_role", std::string(1 << 20, 'y'));
  EXPECT_THAT(denials(), ElementsAre("alice see_run no_role"));
}

TEST_F(SessionLimitTest, CapabilitiesThatAreKeptAreBounded) {
  auto opened = session(by_connection(at(socket_of("alice"))));
  std::vector<schema::Operator::Client> held;
  std::string refusal;
  while (refusal.empty() && held.size() < 20'000) {
    auto answer = ask(opened.operatorRequest());
    refusal = answer.getRefusal().getText().cStr();
    held.push_back(answer.getOperator());
  }
  EXPECT_THAT(refusal, HasSubstr("10000 capabilities"));
  const auto problem = served.loop.wait(opened.runsRequest().send().then([](auto&&) { return std::string(); }, [](kj::Exception&& fault) { return std::string(fault.getDescription().cStr()); }));
  EXPECT_THAT(problem, HasSubstr("10000 capabilities"));
  held.clear();
  EXPECT_STREQ(ask(opened.operatorRequest()).getRefusal().getText().cStr(), "");
}

}  // namespace
