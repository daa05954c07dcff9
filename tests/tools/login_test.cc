// login, logout, and what every other command does with a login that is kept.
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
using testing::StartsWith;

using LoginTest = AccessTest;

TEST_F(LoginTest, LaterCommandsComeByTheTokenItGot) {
  const Ran ran = log_in();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("logged in as alice until 20"));
  const std::string id = ledger.access.tokens.at(0).id();
  EXPECT_EQ(ledger.access.tokens[0].row.read().getIssued().getKind(), schema::TokenIssued::Kind::LOGIN);
  ledger.access.asked.clear();
  EXPECT_EQ(command({"status"}).exit_code, 0);
  EXPECT_THAT(ledger.access.asked, ElementsAre("login by token " + id));
  EXPECT_EQ(json_of({"whoami"})["name"], "alice");
}

TEST_F(LoginTest, TheFileIsForItsOwnerAloneAndHoldsNoPassword) {
  const mode_t before = umask(0);
  const Ran ran = log_in();
  umask(before);
  EXPECT_EQ(mode(kept()), 0600u);
  EXPECT_EQ(mode(ledger.state_folder), 0700u);
  EXPECT_THAT(contents(kept()), AllOf(HasSubstr(ledger.access.tokens.at(0).text), Not(HasSubstr(kPassword))));
  EXPECT_THAT(ran.out + ran.err, AllOf(Not(HasSubstr(kPassword)), Not(HasSubstr("rlt_"))));
}

TEST_F(LoginTest, JsonSaysWhereAndUntilWhen) {
  const Ran ran = log_in({"--json"});
  const json login = json::parse(ran.out);
  EXPECT_EQ(login["account"], "alice");
  EXPECT_EQ(login["address"], kAddress);
  EXPECT_EQ(login["ledger"], "0123");
  EXPECT_EQ(login["token_id"], ledger.access.tokens.at(0).id());
  EXPECT_THAT(login["expires_at"].get<std::string>(), testing::MatchesRegex("20.*Z"));
  EXPECT_THAT(ran.out, Not(HasSubstr("rlt_")));
}

TEST_F(LoginTest, AWrongPasswordKeepsNothing) {
  const Ran ran = command({"login", "alice", "--password-fd", descriptor_with("wrong")});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("are not good"), Not(HasSubstr("wrong"))));
  EXPECT_FALSE(std::filesystem::exists(kept()));
}

TEST_F(LoginTest, AnEmptyPasswordIsNeverSent) {
  // To a directory a bind without a password is an anonymous one, which succeeds.
  for (const char* given : {"", "\n", "\nsecond line"}) {
    const Ran ran = command({"login", "alice", "--password-fd", descriptor_with(given)});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, HasSubstr("no password was given"));
  }
  EXPECT_EQ(command({"login", "alice", "--password-fd", descriptor_with(std::string(2000, 'x'))}).exit_code, 2);
  EXPECT_EQ(command({"login", "alice", "--password-fd", descriptor_with(std::string("a\0b", 3))}).exit_code, 2);
  EXPECT_THAT(command({"login", "alice", "--password-fd", "987"}).err, HasSubstr("--password-fd 987"));
  EXPECT_THAT(ledger.access.asked, IsEmpty());
}

TEST_F(LoginTest, APasswordIsNoArgument) {
  EXPECT_EQ(command({"login", "alice", kPassword}).exit_code, 2);
  EXPECT_EQ(command({"login", "alice", "--password", kPassword}).exit_code, 2);
  EXPECT_THAT(ledger.access.asked, IsEmpty());
}

TEST_F(LoginTest, LoggingInAnewEndsTheLoginBefore) {
  log_in();
  const std::string first = ledger.access.tokens.at(0).id();
  log_in();
  EXPECT_FALSE(ledger.access.find(first)->is_good());
  EXPECT_TRUE(ledger.access.tokens.at(1).is_good());
  EXPECT_EQ(json_of({"whoami"})["token"]["id"], ledger.access.tokens[1].id());
}

TEST_F(LoginTest, ALoginThatCannotBeKeptIsEndedAgain) {
  std::filesystem::create_directories(ledger.state_folder.parent_path());
  std::ofstream(ledger.state_folder) << "a file where the folder should be";
  const Ran ran = log_in();
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr(ledger.state_folder.string()));
  EXPECT_FALSE(ledger.access.tokens.at(0).is_good());
}

TEST_F(LoginTest, EachLedgerHasItsOwnLogin) {
  log_in();
  log_in({"--connect", "unix:/other.sock"});
  ledger.access.asked.clear();
  command({"status"});
  command({"status", "--connect", "unix:/other.sock"});
  command({"status", "--connect", "unix:/third.sock"});
  ledger.access.ledger_id = "4567";  // another ledger at the first address is not shown its token
  command({"status"});
  EXPECT_THAT(ledger.access.asked, ElementsAre("login by token " + ledger.access.tokens.at(0).id(), "login by token " + ledger.access.tokens.at(1).id(),
                                               "login by connection", "login by connection"));
}

TEST_F(LoginTest, AnEndedLoginSaysToLogInAgain) {
  log_in();
  ledger.access.tokens[0].row.get().setRevokedSeq(9);
  Ran ran = command({"status"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "runledger: the login of alice at unix:/fake.sock is no longer good; log in again: runledger login\n");
  EXPECT_THAT(ledger.access.asked, Not(Contains("login by connection"))) << "never silently as somebody else";
  EXPECT_EQ(log_in().exit_code, 0);
  EXPECT_EQ(command({"status"}).exit_code, 0);
}

TEST_F(LoginTest, AFileThatOthersMayReadIsRefused) {
  log_in();
  for (const mode_t wide : {0640u, 0604u, 0620u, 0666u}) {
    chmod(kept().c_str(), wide);
    const Ran ran = command({"status"});
    EXPECT_EQ(ran.exit_code, 2) << wide;
    EXPECT_THAT(ran.err, AllOf(HasSubstr(kept().string()), HasSubstr("others may read or write it"), HasSubstr("chmod 0600")));
  }
  chmod(kept().c_str(), 0600);
  EXPECT_EQ(command({"status"}).exit_code, 0);
  chmod(ledger.state_folder.c_str(), 0777);
  EXPECT_THAT(command({"status"}).err, HasSubstr("others may write to it"));
}

TEST_F(LoginTest, AFileOfAnotherAccountIsRefused) {
  log_in();
  if (chown(kept().c_str(), 12345, static_cast<gid_t>(-1)) != 0) GTEST_SKIP() << "only root may give a file away";
  const Ran ran = command({"status"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("belongs to another account (uid 12345)"));
}

TEST_F(LoginTest, ADamagedFileSaysWhatToDo) {
  log_in();
  std::ofstream(kept()) << "{\"format\": 1, \"logins\": [{\"addr";
  EXPECT_THAT(command({"status"}).err, HasSubstr("remove it and log in again"));
  std::ofstream(kept()) << "{\"format\": 2}";
  EXPECT_THAT(command({"status"}).err, HasSubstr("another release wrote it"));
}

class RenewalTest : public AccessTest {
 protected:
  /// A login that was got `age` ago, and lasts twelve hours.
  std::string keep_login_of_age(int64_t age) {
    log_in();
    auto row = ledger.access.tokens.at(0).row.get();
    const int64_t shift = now() - age - row.getIssuedAt();
    row.setIssuedAt(row.getIssuedAt() + shift);
    row.getIssued().setExpiresAt(row.getIssued().getExpiresAt() + shift);
    json stored = json::parse(contents(kept()));
    stored["logins"][0]["issued_ns"] = row.getIssuedAt();
    stored["logins"][0]["expires_ns"] = row.getIssued().getExpiresAt();
    std::ofstream(kept()) << stored.dump();
    ledger.access.asked.clear();
    return ledger.access.tokens[0].id();
  }
};

TEST_F(RenewalTest, PastHalfOfItsLifeALoginIsRenewedSilently) {
  const std::string old = keep_login_of_age(7 * kHour);
  const Ran ran = command({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, IsEmpty());
  ASSERT_EQ(ledger.access.tokens.size(), 2u);
  const std::string fresh = ledger.access.tokens[1].id();
  EXPECT_STREQ(ledger.access.tokens[1].row.read().getIssued().getReplaces().cStr(), old.c_str());
  EXPECT_THAT(ledger.access.asked, ElementsAre("login by token " + old, "issue " + fresh + " of alice", "login by token " + fresh));
  EXPECT_THAT(contents(kept()), AllOf(HasSubstr(ledger.access.tokens[1].text), Not(HasSubstr(ledger.access.tokens[0].text))));
  EXPECT_EQ(mode(kept()), 0600u);
  ledger.access.asked.clear();
  command({"status"});
  EXPECT_THAT(ledger.access.asked, ElementsAre("login by token " + fresh));
}

TEST_F(RenewalTest, BeforeHalfOfItsLifeItIsLeftAlone) {
  keep_login_of_age(5 * kHour);
  command({"status"});
  EXPECT_EQ(ledger.access.tokens.size(), 1u);
}

TEST_F(RenewalTest, WhereItCannotBeRenewedItGoesOn) {
  keep_login_of_age(7 * kHour);
  ledger.access.refuse_tokens = "this ledger is a copy";
  const Ran ran = command({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, IsEmpty());
}

TEST_F(RenewalTest, AnExpiredLoginSaysWhenItEnded) {
  keep_login_of_age(13 * kHour);
  const Ran ran = command({"status"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("the login of alice at unix:/fake.sock ended at 20"), HasSubstr("log in again: runledger login")));
}

TEST_F(LoginTest, LogoutRevokesAndForgets) {
  log_in();
  const std::string id = ledger.access.tokens.at(0).id();
  const Ran ran = command({"logout"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "alice is logged out of unix:/fake.sock\n");
  EXPECT_THAT(ledger.access.asked, Contains("revoke " + id + " by alice (logged out)"));
  EXPECT_THAT(contents(kept()), Not(HasSubstr("rlt_")));
  EXPECT_EQ(json_of({"whoami"})["name"], "machine");
  const Ran again = command({"logout"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("nobody is logged in at unix:/fake.sock"));
}

TEST_F(LoginTest, LogoutOfAnEndedLoginIsDone) {
  log_in();
  ledger.access.tokens[0].row.get().setRevokedSeq(9);
  EXPECT_EQ(command({"logout"}).exit_code, 0);
  EXPECT_THAT(contents(kept()), Not(HasSubstr("rlt_")));
}

TEST_F(LoginTest, LogoutForgetsAlsoWhatTheLedgerCannotBeTold) {
  log_in();
  log_in({"--connect", "unix:/other.sock"});
  json stored = json::parse(contents(kept()));
  stored["logins"][1]["address"] = "unix:/nowhere";
  std::ofstream(kept()) << stored.dump();
  const Ran ran = command({"logout", "--all", "--json"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("forgotten here, but the ledger could not be told"), HasSubstr("the token is good until 20")));
  const json ended = json::parse(ran.out);
  EXPECT_EQ(ended[0]["revoked"], true);
  EXPECT_EQ(ended[1]["revoked"], false);
  EXPECT_EQ(ended[1]["address"], "unix:/nowhere");
  EXPECT_THAT(contents(kept()), Not(HasSubstr("rlt_")));
  EXPECT_EQ(command({"logout", "--all"}).exit_code, 1);
}

class TokenFileTest : public AccessTest {
 protected:
  void SetUp() override {
    AccessTest::SetUp();
    token = &ledger.access.add_token("robot", schema::TokenIssued::Kind::MACHINE, now(), now() + kHour);
    file = folder.write("robot.token", token->text + "\n");
    chmod(file.c_str(), 0600);
  }
  Access::Token* token;
  std::string file;
};

TEST_F(TokenFileTest, GoesBeforeALoginThatIsKept) {
  const std::string id = token->id();
  log_in();
  ledger.access.asked.clear();
  EXPECT_EQ(command({"status", "--token-file", file}).exit_code, 0);
  setenv("RUNLEDGER_TOKEN_FILE", file.c_str(), 1);
  EXPECT_EQ(command({"status"}).exit_code, 0);
  EXPECT_THAT(ledger.access.asked, ElementsAre("login by token " + id, "login by token " + id));
  EXPECT_THAT(log_in().err, HasSubstr("RUNLEDGER_TOKEN_FILE is set"));
}

TEST_F(TokenFileTest, IsNeverRenewed) {
  token->row.get().setIssuedAt(now() - 100 * kHour);
  EXPECT_EQ(command({"status", "--token-file", file}).exit_code, 0);
  EXPECT_EQ(ledger.access.tokens.size(), 1u);
}

TEST_F(TokenFileTest, ThatOthersMayReadIsRefused) {
  for (const mode_t wide : {0640u, 0604u, 0620u}) {
    chmod(file.c_str(), wide);
    const Ran ran = command({"status", "--token-file", file});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_THAT(ran.err, AllOf(HasSubstr(file), HasSubstr("others may read or change it"), Not(HasSubstr("rlt_"))));
  }
}

TEST_F(TokenFileTest, ThatIsNoGoodIsNamedAndNothingElseTried) {
  token->row.get().setRevokedSeq(7);
  Ran ran = command({"status", "--token-file", file});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr(file), HasSubstr("not, or no longer, good"), HasSubstr("token create")));
  ran = command({"status", "--token-file", (folder / "absent").string()});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("absent"));
  chmod(folder.write("text", "hello").c_str(), 0600);
  EXPECT_THAT(command({"status", "--token-file", (folder / "text").string()}).err, HasSubstr("holds no token"));
  EXPECT_THAT(ledger.access.asked, IsEmpty());
}

TEST_F(TokenFileTest, DoesNothingWithLoginAndIsRefusedThere) {
  EXPECT_THAT(log_in({"--token-file", file}).err, HasSubstr("--token-file does nothing with login"));
  EXPECT_THAT(command({"logout", "--token-file", file}).err, HasSubstr("--token-file does nothing with logout"));
}

}  // namespace
}  // namespace fake
