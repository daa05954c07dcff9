// Tokens from their making to their end.
#include "base/text.h"
#include "tests/rpc/service/desk_fixture.h"

namespace {

using support::Body;
using support::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kLogin = schema::TokenIssued::Kind::LOGIN;

class TokenKeeperTest : public support::DeskTest {
 protected:
  std::vector<std::string> listed(schema::Session::Client from, const std::string& account = "") {
    auto request = from.tokensRequest();
    request.setAccount(account);
    auto answer = ask(kj::mv(request));
    list_refusal = status_of(answer.getRefusal());
    std::vector<std::string> ids;
    for (auto row : answer.getTokens()) ids.push_back(row.getIssued().getToken().cStr());
    return ids;
  }
  base::Status list_refusal;
};

TEST_F(TokenKeeperTest, TokenHasTheRolesOfItsOwnerWhenItIsUsed) {
  const Token token = issue(alice());
  ASSERT_TRUE(token.refusal.is_ok()) << token.refusal.message();
  auto opened = session(by_token(token.text, network("192.0.2.5")));
  EXPECT_THAT(roles(opened), ElementsAre("scientist MARI"));
  auto whoami = ask(opened.whoamiRequest());
  EXPECT_STREQ(whoami.getActor().getName().cStr(), "alice");
  EXPECT_EQ(std::string(whoami.getActor().getProof().cStr()), "token " + token.id);
  EXPECT_EQ(std::string(whoami.getRights().getToken().cStr()), token.id);
  EXPECT_EQ(whoami.getRights().getExpiresAt(), served.clock.now_ns() + static_cast<int64_t>(settings.machine_token_ms) * 1'000'000);
  accounts->known["alice"].grants = {support::scientist("LET")};
  ASSERT_TRUE(served.loop.wait(desk().refresh(false)).is_ok());
  EXPECT_THAT(roles(session(by_token(token.text))), ElementsAre("scientist LET"));
}

TEST_F(TokenKeeperTest, SecretIsNowhereInTheLog) {
  const Token token = issue(alice());
  session(by_token(token.text));
  const std::string secret = token.text.substr(token.text.rfind('_') + 1);
  for (const auto& event : events(Body::TOKEN_ISSUED)) EXPECT_THAT(event.get().toString().flatten().cStr(), Not(HasSubstr(secret)));
  EXPECT_EQ(ledger::view(events(Body::TOKEN_ISSUED)[0].get().getBody().getTokenIssued().getSecretSha256()),
            base::as_bytes(base::sha256(base::from_hex(secret).value())));
}

TEST_F(TokenKeeperTest, SessionsOfATokenAreRecordedOnceADayFromEachSource) {
  const Token token = issue(alice());
  const size_t before = events(Body::SESSION_OPENED).size();
  for (int i = 0; i < 3; ++i) session(by_token(token.text));
  session(by_token(token.text, network("192.0.2.9")));
  const auto opened = events(Body::SESSION_OPENED);
  ASSERT_EQ(opened.size(), before + 2);
  EXPECT_EQ(std::string(opened.back().get().getBody().getSessionOpened().getToken().cStr()), token.id);
}

TEST_F(TokenKeeperTest, WrongSecretOfAGoodTokenIsRefusedAndItsOwnerNotNamed) {
  Token token = issue(alice());
  token.text.back() = token.text.back() == '0' ? '1' : '0';
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_THAT(denials(), ElementsAre(" log_in bad_token"));
}

TEST_F(TokenKeeperTest, RevokedTokenEndsItsSessionsAtOnceAndAllTheyHandedOut) {
  auto owner = alice();
  const Token token = issue(owner);
  auto opened = session(by_token(token.text));
  auto runs = opened.runsRequest().send().getRuns();
  ask(runs.statusRequest());
  ASSERT_TRUE(revoke(owner, token.id).is_ok());
  EXPECT_THAT(why_broken(opened), HasSubstr("token " + token.id + " was revoked: this session has ended"));
  const auto why = served.loop.wait(runs.statusRequest().send().then([](auto&&) { return std::string(); }, [](kj::Exception&& fault) { return std::string(fault.getDescription().cStr()); }));
  EXPECT_THAT(why, HasSubstr("was revoked"));
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(why_broken(owner), "") << "others of the account go on";
  EXPECT_THAT(denials(), ElementsAre("alice log_in bad_token")) << "the secret was right";
}

TEST_F(TokenKeeperTest, LogoutIsAnsweredBeforeItsSessionEnds) {
  const Token token = issue(alice(), [](auto wanted) { wanted.setKind(kLogin); });
  auto opened = session(by_token(token.text));
  EXPECT_TRUE(revoke(opened, token.id).is_ok());
  EXPECT_THAT(why_broken(opened), HasSubstr("was revoked"));
}

TEST_F(TokenKeeperTest, TokenThatOnlyReadsMayStillEndItself) {
  const Token token = issue(alice(), [](auto wanted) { wanted.getScope().setReadOnly(true); });
  EXPECT_TRUE(revoke(session(by_token(token.text)), token.id).is_ok());
}

TEST_F(TokenKeeperTest, ExpiredTokenIsRefusedAndItsSessionsEnd) {
  const Token token = issue(alice(), [](auto wanted) { wanted.setLifetimeMs(60'000); });
  const Token soon = issue(alice(), [](auto wanted) { wanted.setLifetimeMs(1); });
  ASSERT_TRUE(soon.refusal.is_ok()) << soon.refusal.message();
  capnp::MallocMessageBuilder message;
  auto credentials = message.initRoot<schema::Credentials>();
  credentials.setToken(soon.text);
  auto opened = served.loop.wait(desk().log_in(network(), credentials));
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  const auto why = served.loop.wait((*opened)->on_end().then([] { return std::string(); }, [](kj::Exception&& end) { return std::string(end.getDescription().cStr()); }));
  EXPECT_THAT(why, HasSubstr("token " + soon.id + " has expired"));
  served.clock.advance(60 * support::FakeClock::kSecond);
  EXPECT_EQ(by_token(token.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_THAT(listed(alice()), IsEmpty());
}

TEST_F(TokenKeeperTest, RenewedTokenEndsWithTheEventThatMakesTheNext) {
  const Token first = issue(alice(), [](auto wanted) { wanted.setKind(kLogin); });
  auto opened = session(by_token(first.text));
  const Token second = issue(opened, [&](auto wanted) {
    wanted.setKind(kLogin);
    wanted.setReplaces(first.id);
  });
  ASSERT_TRUE(second.refusal.is_ok()) << second.refusal.message();
  EXPECT_EQ(by_token(first.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  session(by_token(second.text));
  EXPECT_THAT(events(Body::TOKEN_REVOKED), IsEmpty());
  EXPECT_EQ(std::string(ask(opened.whoamiRequest()).getRights().getToken().cStr()), second.id) << "a session of the first goes on, as one of the second";
  const Token again = issue(alice(), [&](auto wanted) {
    wanted.setKind(kLogin);
    wanted.setReplaces(first.id);
  });
  EXPECT_EQ(again.refusal.code(), base::Code::kConflict);
}

TEST_F(TokenKeeperTest, RevokingATokenThatWasRenewedEndsWhatItBecame) {
  auto owner = alice();
  const auto login = [](auto wanted) { wanted.setKind(kLogin); };
  const Token first = issue(owner, login);
  auto thief = session(by_token(first.text));
  const auto renew = [&](const Token& token) {
    return issue(thief, [&](auto wanted) {
      wanted.setKind(kLogin);
      wanted.setReplaces(token.id);
    });
  };
  const Token second = renew(first), third = renew(second);
  ASSERT_TRUE(third.refusal.is_ok()) << third.refusal.message();
  EXPECT_TRUE(revoke(owner, first.id).is_ok());
  EXPECT_EQ(by_token(third.text).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_THAT(why_broken(thief), HasSubstr("token " + third.id + " was revoked"));
  EXPECT_TRUE(revoke(owner, first.id).is_ok()) << "and once more does no harm";
}

TEST_F(TokenKeeperTest, LoginIsRenewedForThirtyDaysAndNotForEver) {
  const auto login = [](auto wanted) { wanted.setKind(kLogin); };
  Token token = issue(alice(), login);
  const int64_t ends = served.clock.now_ns() + rpc::TokenKeeper::kRenewableForNs;
  base::Status refusal;
  int64_t expires = 0;
  for (int halves = 0; halves < 100 && refusal.is_ok(); ++halves) {
    served.clock.advance(support::FakeClock::kDay / 2 - support::FakeClock::kSecond);
    auto request = session(by_token(token.text)).issueTokenRequest();
    request.setCommandId("renew " + std::to_string(halves));
    request.initRequest().setKind(kLogin);
    request.getRequest().setReplaces(token.id);
    auto answer = ask(kj::mv(request));
    refusal = status_of(answer.getRefusal());
    if (!refusal.is_ok()) break;
    token.id = answer.getRecord().getIssued().getToken().cStr();
    token.text = answer.getToken().cStr();
    expires = answer.getRecord().getIssued().getExpiresAt();
    if (expires == ends) break;
  }
  EXPECT_EQ(expires, ends) << refusal.message();
}

TEST_F(TokenKeeperTest, RequestsAtTheSameTimeDoNotPassTheLimitTogether) {
  auto opened = alice();
  for (size_t i = 1; i < rpc::TokenKeeper::kMaxTokensOfAnAccount; ++i) ASSERT_TRUE(issue(opened).refusal.is_ok());
  size_t issued = 0;
  kj::Vector<kj::Promise<void>> at_once;
  for (int i = 0; i < 5; ++i) {
    auto request = opened.issueTokenRequest();
    request.setCommandId("at once " + std::to_string(i));
    request.initRequest().setKind(schema::TokenIssued::Kind::MACHINE);
    at_once.add(request.send().then([&](auto&& answer) { issued += answer.getToken().size() > 0; }));
  }
  served.loop.wait(kj::joinPromises(at_once.releaseAsArray()));
  EXPECT_EQ(issued, 1u);
}

TEST_F(TokenKeeperTest, SessionThatEndsWhileItsRequestIsCheckedGetsNoToken) {
  const Token own = issue(alice(), [](auto wanted) { wanted.setKind(kLogin); });
  capnp::MallocMessageBuilder message, asked_for;
  auto credentials = message.initRoot<schema::Credentials>();
  credentials.setToken(own.text);
  auto opened = served.loop.wait(desk().log_in(network(), credentials));
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  auto wanted = asked_for.initRoot<schema::TokenRequest>();
  wanted.setKind(schema::TokenIssued::Kind::MACHINE);
  auto asked = desk().tokens().issue(*opened, "late", wanted);
  (*opened)->end("it is over");
  EXPECT_EQ(served.loop.wait(kj::mv(asked)).status().message(), "it is over");
  EXPECT_EQ(events(Body::TOKEN_ISSUED).size(), 1u);
}

TEST_F(TokenKeeperTest, CommandIdOfAnotherRequestIsNotTakenForAToken) {
  auto opened = alice();
  const Token token = issue(opened);
  ASSERT_TRUE(revoke(opened, token.id).is_ok());
  auto request = opened.issueTokenRequest();
  request.setCommandId("revoke " + std::to_string(commands));
  request.initRequest().setKind(schema::TokenIssued::Kind::MACHINE);
  const auto refusal = status_of(ask(kj::mv(request)).getRefusal());
  EXPECT_FALSE(refusal.is_ok());
  EXPECT_THAT(refusal.message(), Not(HasSubstr("answered with token")));
}

TEST_F(TokenKeeperTest, SameRequestTwiceDoesNotShowATokenAgain) {
  auto opened = alice();
  const Token first = issue(opened);
  --commands;
  const Token again = issue(opened);
  EXPECT_EQ(again.refusal.code(), base::Code::kAlreadyExists);
  EXPECT_THAT(again.refusal.message(), HasSubstr(first.id));
  EXPECT_EQ(again.text, "");
}

TEST_F(TokenKeeperTest, LifetimeIsAtMostTheSites) {
  auto opened = alice();
  EXPECT_THAT(issue(opened, [&](auto wanted) {
                wanted.setKind(kLogin);
                wanted.setLifetimeMs(settings.login_ms + 1);
              }).refusal.message(), HasSubstr("at most 12 hours"));
  EXPECT_THAT(issue(opened, [](auto wanted) { wanted.setLifetimeMs(UINT64_MAX); }).refusal.message(), HasSubstr("at most 365 days"));
}

TEST_F(TokenKeeperTest, ScopeNamesInstrumentsThatThereAre) {
  served.must(support::configure_instrument("configure", "MARI"));
  const auto of = [](const char* instrument) { return [instrument](auto wanted) { wanted.getScope().initInstruments(1).set(0, instrument); }; };
  auto opened = alice();
  EXPECT_EQ(issue(opened, of("MAIR")).refusal.code(), base::Code::kNotFound);
  const Token token = issue(opened, of("MARI"));
  ASSERT_TRUE(token.refusal.is_ok()) << token.refusal.message();
  auto scope = ask(session(by_token(token.text)).whoamiRequest());
  EXPECT_STREQ(scope.getRights().getScope().getInstruments()[0].cStr(), "MARI");
}

TEST_F(TokenKeeperTest, MachineMakesNoTokensOfItsOwn) {
  // A stolen token must not outlive its revocation in others made with it.
  auto machine = session(by_token(issue(alice()).text));
  EXPECT_THAT(issue(machine).refusal.message(), HasSubstr("is a machine's"));
  auto reader = session(by_token(issue(alice(), [](auto wanted) { wanted.getScope().setReadOnly(true); }).text));
  EXPECT_THAT(issue(reader).refusal.message(), HasSubstr("is read-only"));
  EXPECT_THAT(denials(), ElementsAre("alice issue_token token_machine", "alice issue_token token_read_only"));
}

TEST_F(TokenKeeperTest, DaemonsTokenIsAnAdministratorsToMakeAndActsAsThatDaemon) {
  const auto of_worker = [](auto wanted) { wanted.getScope().setDaemon("workerd/w1"); };
  EXPECT_EQ(issue(alice(), of_worker).refusal.code(), base::Code::kPermissionDenied);
  const Token token = issue(ann(), of_worker);
  ASSERT_TRUE(token.refusal.is_ok()) << token.refusal.message();
  auto worker = session(by_token(token.text));
  EXPECT_STREQ(ask(worker.whoamiRequest()).getActor().getName().cStr(), "workerd/w1");
  EXPECT_THAT(issue(ann(), [](auto wanted) { wanted.getScope().setDaemon("root"); }).refusal.message(), HasSubstr("is no daemon"));
  accounts->known.erase("ann");
  ASSERT_TRUE(served.loop.wait(desk().refresh(false)).is_ok());
  EXPECT_EQ(why_broken(worker), "") << "it is the daemon's, not its maker's";
}

TEST_F(TokenKeeperTest, TokensOfOthersAreNotThereButForAuditorsAndAdministrators) {
  const Token token = issue(alice());
  auto bob = session(by_password("bob", "builder"));
  const std::string none = "0123456789abcdef", others = revoke(bob, token.id).message();
  EXPECT_EQ(std::string(others).replace(others.find(token.id), token.id.size(), none), revoke(bob, none).message());
  listed(bob, "alice");
  EXPECT_EQ(list_refusal.code(), base::Code::kPermissionDenied);
  EXPECT_THAT(listed(ann(), "alice"), ElementsAre(token.id));
  EXPECT_THAT(listed(ann(), "*"), ElementsAre(token.id));
  EXPECT_THAT(listed(bob), IsEmpty());
  EXPECT_TRUE(revoke(ann(), token.id).is_ok());
  EXPECT_STREQ(events(Body::TOKEN_REVOKED)[0].get().getActor().getRight().cStr(), "administrator by group admins");
  EXPECT_THAT(denials(), testing::UnorderedElementsAre("bob revoke_token no_role", "bob see_tokens no_role"));
}

TEST_F(TokenKeeperTest, WholeTokenGivenInsteadOfItsIdIsNotRepeated) {
  auto opened = alice();
  const Token token = issue(opened);
  EXPECT_TRUE(revoke(opened, token.text).is_ok());
  EXPECT_THAT(revoke(opened, "rlt_what is this").message(), Not(HasSubstr("what is this")));
}

TEST_F(TokenKeeperTest, AccountHasSoManyTokensAndNoMore) {
  auto opened = alice();
  for (size_t i = 0; i < rpc::TokenKeeper::kMaxTokensOfAnAccount; ++i) ASSERT_TRUE(issue(opened).refusal.is_ok());
  EXPECT_THAT(issue(opened).refusal.message(), HasSubstr("alice has 200 tokens"));
}

}  // namespace
