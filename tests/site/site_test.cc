#include "site/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SiteTest : public testing::Test {
 protected:
  SiteTest() {
    char pattern[] = "/tmp/site_test.XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~SiteTest() override { std::filesystem::remove_all(folder_); }

  base::Result<site::Site> load(const std::string& toml) {
    std::ofstream(folder_ / "site.toml") << toml;
    return site::load(folder_);
  }
  std::string problem(const std::string& toml) {
    auto site = load(toml);
    return site.is_ok() ? "no problem" : site.status().message();
  }

  std::filesystem::path folder_;
  static constexpr const char* kMari = R"(
[facility]
name = "ISIS"
[[instrument]]
name = "mari"
contract = "isis"
raw = ["archive/NDXMARI/Instrument/data"]
)";
};

TEST_F(SiteTest, DefaultsAreTheOnesOfTheContractAndPathsAreAbsolute) {
  auto site = load(kMari);
  ASSERT_TRUE(site.is_ok()) << site.status().message();
  const site::Instrument& mari = site->instruments.at(0);
  EXPECT_EQ(mari.name, "MARI");
  EXPECT_THAT(mari.raw_folders, ElementsAre((folder_ / "archive/NDXMARI/Instrument/data").string()));
  EXPECT_THAT(mari.file_patterns, ElementsAre("*.nxs", "*.raw"));
  EXPECT_EQ(mari.interpreter, "/usr/bin/python3");
  EXPECT_EQ(mari.time_limit_ms, 3'600'000u);
  EXPECT_THAT(site->listen, ElementsAre("unix:" + (folder_ / "run/ledger.sock").string()));
}

TEST_F(SiteTest, WitnessFileLiesOutsideOfTheLedger) {
  const std::string site = "[facility]\nname = \"ISIS\"\n[witness]\n";
  EXPECT_EQ(load(kMari)->witness.file, (folder_ / "witness/checkpoints").string());
  EXPECT_EQ(load(kMari)->witness.every_ms, 600'000u);
  EXPECT_EQ(load(site + "every = \"1h\"\nfile = \"/mnt/w\"\n")->witness.file, "/mnt/w");
  EXPECT_THAT(problem(site + "file = \"ledger/checkpoints\"\n"), HasSubstr("outside of the ledger"));
  EXPECT_THAT(problem(site + "every = \"1ms\"\n"), HasSubstr("\"1s\" or more"));
}

TEST_F(SiteTest, FollowerNamesItsSourceAndItsKeyAndHasNoInstruments) {
  const std::string site = "[facility]\nname = \"Copy\"\n[follow]\naddress = \"unix:../source/run/ledger.sock\"\n";
  EXPECT_FALSE(load(kMari)->follow);
  auto follow = load(site + "public_key_file = \"source.pub\"\n");
  ASSERT_TRUE(follow.is_ok()) << follow.status().message();
  EXPECT_EQ(follow->follow->address, "unix:" + (folder_.parent_path() / "source/run/ledger.sock").string());
  EXPECT_EQ(follow->follow->public_key_file, (folder_ / "source.pub").string());
  EXPECT_EQ(load(site + "public_key = \"runledger/x\"\n")->follow->public_key, "runledger/x");
  EXPECT_THAT(problem(site), HasSubstr("prove --key")) << "no key is trusted silently";
  EXPECT_THAT(problem(site + "public_key = \"x\"\npublic_key_file = \"y\"\n"), HasSubstr("one of both"));
  EXPECT_THAT(problem("[facility]\nname = \"Copy\"\n[follow]\npublic_key = \"x\"\n"), HasSubstr("address is missing"));
  EXPECT_THAT(problem("[facility]\nname = \"Copy\"\n[follow]\naddress = \"tls:source:7411\"\npublic_key = \"x\"\n"), HasSubstr("address must be \"unix:PATH\""));
  EXPECT_THAT(problem("[facility]\nname = \"Copy\"\n[follow]\naddress = \"unix:run/ledger.sock\"\npublic_key = \"x\"\n"), HasSubstr("another site"));
  EXPECT_THAT(problem(std::string(kMari) + "[follow]\naddress = \"unix:/x\"\npublic_key = \"x\"\n"), HasSubstr("[[instrument]] tables out"));
  EXPECT_THAT(problem(site + "public_key = \"x\"\n[retention]\nlogs = \"2y\"\n"), HasSubstr("[retention] table out"));
}

TEST_F(SiteTest, MisspeltSettingIsNamedWithItsLine) {
  std::string text = problem(std::string(kMari) + "time_limits = \"5m\"\n");
  EXPECT_THAT(text, HasSubstr("site.toml: line 8"));
  EXPECT_THAT(text, HasSubstr("[[instrument]] mari has no setting \"time_limits\""));
  EXPECT_THAT(text, HasSubstr("time_limit"));
}

TEST_F(SiteTest, OutputThatWouldOverwriteIsRefused) {
  EXPECT_THAT(problem(std::string(kMari) + "output = \"out/{run}\"\n"), HasSubstr("{version}"));
  EXPECT_THAT(problem(std::string(kMari) + "output = \"out/{run}/{version}/{rb}\"\n"), HasSubstr("it has {rb}"));
}

TEST_F(SiteTest, WrongTypesContractsAndDoublesAreNamed) {
  EXPECT_THAT(problem(std::string(kMari) + "time_limit = 60\n"), HasSubstr("a duration such as"));
  EXPECT_THAT(problem("[facility]\nname = \"X\"\n[[instrument]]\nname = \"A\"\ncontract = \"isiss\"\nraw = [\"a\"]\n"), HasSubstr("isis, sns, fia"));
  EXPECT_THAT(problem(std::string(kMari) + "[[instrument]]\nname = \"MARI\"\ncontract = \"sns\"\nraw = [\"b\"]\n"), HasSubstr("stands twice"));
  EXPECT_THAT(problem("[facility]\nname = \n"), HasSubstr("line 2"));
  EXPECT_THAT(problem("[facility]\n"), HasSubstr("name is missing"));
  EXPECT_THAT(problem(std::string(kMari) + "run_number = \"([0-9]+\"\n"), HasSubstr("regular expression"));
}

TEST_F(SiteTest, LeaseIsOneSecondToOneDay) {
  // Symptom: a lease of some milliseconds was taken, and every job was lost before its first sign of life.
  auto with_lease = [](const std::string& lease) { return std::string(kMari) + "[worker]\nlease = \"" + lease + "\"\n"; };
  for (const char* bad : {"999ms", "0s", "25h"}) EXPECT_THAT(problem(with_lease(bad)), HasSubstr("from \"1s\" to \"24h\"")) << bad;
  for (const char* good : {"1s", "24h"}) EXPECT_TRUE(load(with_lease(good)).is_ok()) << good;
}

TEST_F(SiteTest, NewSiteLoadsAndIsNotMadeTwice) {
  ASSERT_TRUE(site::create(folder_ / "new").is_ok());
  EXPECT_TRUE(site::load(folder_ / "new").is_ok());
  EXPECT_EQ(site::create(folder_ / "new").code(), base::Code::kAlreadyExists);
}

TEST_F(SiteTest, ExampleOfANewSiteKnowsEverySettingOfAccess) {
  ASSERT_TRUE(site::create(folder_ / "new").is_ok());
  std::ifstream in(folder_ / "new/site.toml");
  std::string text = "[facility]\nname = \"X\"\n", line;
  bool of_access = false;
  while (std::getline(in, line)) {
    if (line.starts_with("# [")) of_access = line.starts_with("# [access") || line.starts_with("# [[access");
    if (of_access && line.starts_with("# ")) text += line.substr(2) + "\n";
  }
  auto site = load(text);
  ASSERT_TRUE(site.is_ok()) << site.status().message() << text;
  ASSERT_TRUE(site->access && site->access->directory);
  EXPECT_EQ(site->access->roles.size(), 3u);
}

TEST_F(SiteTest, ExampleOfANewSiteKnowsEverySettingOfAnInstrument) {
  ASSERT_TRUE(site::create(folder_ / "new").is_ok());
  std::ifstream in(folder_ / "new/site.toml");
  std::string text = "[facility]\nname = \"X\"\n", line;
  bool of_instrument = false;
  while (std::getline(in, line)) {
    if (line.starts_with("# [")) of_instrument = line.starts_with("# [[instrument") || line.starts_with("# [trials");
    const bool is_setting = line.starts_with("# [") || (line.find(" = ") != std::string::npos && line.find(' ', 2) == line.find(" = "));
    if (of_instrument && is_setting) text += line.substr(2) + "\n";
  }
  auto site = load(text);
  ASSERT_TRUE(site.is_ok()) << site.status().message() << text;
  const site::Instrument& mari = site->instruments.at(0);
  EXPECT_EQ(mari.conda_python, "/opt/conda/envs/{env}/bin/python");
  EXPECT_EQ(mari.interpreters.at("nightly"), "/opt/mantidnightly/bin/python");
  EXPECT_TRUE(mari.stderr_fails);
  EXPECT_THAT(mari.stderr_allowed, ElementsAre("^WARNING"));
  EXPECT_EQ(mari.flat_folder, (folder_ / "instrument/{instrument}/RB{experiment}/newest").string());
  EXPECT_THAT(mari.support_urls, ElementsAre("https://raw.githubusercontent.com/my-facility/"));
  ASSERT_EQ(mari.stages.size(), 1u);
  EXPECT_EQ(mari.stages[0].over, "experiment");
  EXPECT_EQ(mari.stages[0].interpreter, "nightly");
  EXPECT_EQ(site->trials.folder, (folder_ / "trials").string());
}

TEST_F(SiteTest, StageHasWhatItsInstrumentHasUnlessItSaysOtherwise) {
  auto site = load(std::string(kMari) + "time_limit = \"5m\"\n[[instrument.stage]]\nname = \"merge\"\nscript = \"merge.py\"\n");
  ASSERT_TRUE(site.is_ok()) << site.status().message();
  const site::Stage& merge = site->instruments.at(0).stages.at(0);
  EXPECT_THAT(merge.after, ElementsAre("reduction"));
  EXPECT_EQ(merge.over, "run");
  EXPECT_EQ(merge.script_path, (folder_ / "merge.py").string());
  EXPECT_EQ(merge.contract, "isis");
  EXPECT_EQ(merge.interpreter, "");
  EXPECT_EQ(merge.output_pattern, (folder_ / "output/{instrument}/{experiment}/{run}/{stage}/run-version-{version}").string());
  EXPECT_EQ(merge.time_limit_ms, 300'000u);
}

TEST_F(SiteTest, StagesStandBehindThoseTheyTake) {
  const auto stage = [](const std::string& name, const std::string& more) { return "[[instrument.stage]]\nname = \"" + name + "\"\nscript = \"s.py\"\n" + more; };
  auto site = load(kMari + stage("fit", "after = [\"merge\", \"reduction\"]\n") + stage("merge", ""));
  ASSERT_TRUE(site.is_ok()) << site.status().message();
  EXPECT_EQ(site->instruments[0].stages[0].name, "merge");
  EXPECT_THAT(problem(kMari + stage("a", "after = [\"b\"]\n") + stage("b", "after = [\"a\"]\n")), HasSubstr("without a circle (a, b would come after themselves)"));
  EXPECT_THAT(problem(kMari + stage("a", "after = [\"a\"]\n")), HasSubstr("without a circle (a would"));
  EXPECT_THAT(problem(kMari + stage("a", "after = [\"x\"]\n")), HasSubstr("line 4: [[instrument]] MARI: stage must be after stages that have a table (a comes after x, which has none)"));
  EXPECT_THAT(problem(kMari + stage("a", "") + stage("a", "")), HasSubstr("a stands twice"));
  EXPECT_THAT(problem(kMari + stage("a", "after = []\n")), HasSubstr("unless over is \"runs\""));
  EXPECT_TRUE(load(kMari + stage("a", "after = []\nover = \"runs\"\n")).is_ok());
  EXPECT_THAT(problem(kMari + stage("reduction", "")), HasSubstr("line 9: [[instrument.stage]] MARI reduction: name must be"));
  EXPECT_THAT(problem(kMari + stage("a", "output = \"out/{run}\"\n")), HasSubstr("holds {version}"));
  EXPECT_THAT(problem(kMari + stage("a", "over = \"experiment\"\noutput = \"out/{run}/{version}\"\n")), HasSubstr("holds {experiment}"));
  EXPECT_THAT(problem(kMari + stage("a", "python = \"nightly\"\n")), HasSubstr("one of the instrument's interpreters (it has \"nightly\")"));
}

TEST_F(SiteTest, WhatIsWrittenIsNotFoundAsRawFiles) {
  const std::string stage = "[[instrument.stage]]\nname = \"a\"\nscript = \"s.py\"\n";
  EXPECT_THAT(problem(kMari + stage + "output = \"archive/NDX{instrument}/Instrument/data/{run}/{version}\"\n"),
              HasSubstr("[[instrument.stage]] MARI a: output lies in " + (folder_ / "archive/NDXMARI/Instrument/data").string()));
  EXPECT_THAT(problem(std::string(kMari) + "flat = \"archive/NDXMARI/Instrument/data/flat\"\n"), HasSubstr("would be taken for runs"));
  EXPECT_THAT(problem(std::string(kMari) + "[trials]\nfolder = \"archive/NDXMARI/Instrument/data\"\n"), HasSubstr("[trials]: folder lies in"));
  EXPECT_TRUE(load(kMari + stage + "output = \"archive/NDXMARI/Instrument/data2/{run}/{version}\"\n").is_ok());
}

TEST_F(SiteTest, SurroundingsOfAScriptAreChecked) {
  const std::string mari = kMari;
  EXPECT_THAT(problem(mari + "conda_python = \"/opt/python\"\n"), HasSubstr("line 8: [[instrument]] mari: conda_python must be a path that holds {env}"));
  EXPECT_THAT(problem(mari + "interpreters = { instrument = \"/opt/python\" }\n"), HasSubstr("interpreters.instrument must be"));
  EXPECT_THAT(problem(mari + "interpreters = { old = 3 }\n"), HasSubstr("interpreters.old must be NAME = \"PATH\""));
  EXPECT_THAT(problem(mari + "stderr_fails = true\nstderr_allowed = [\"(\"]\n"), HasSubstr("regular expressions"));
  EXPECT_THAT(problem(mari + "stderr_allowed = [\"x\"]\n"), HasSubstr("left out where stderr_fails is not true"));
  EXPECT_THAT(problem(mari + "flat = \"out/{run}\"\n"), HasSubstr("it has {run}"));
  for (const char* url : {"https://github.com", "file:///etc/", "https://a b/", "https://u:p@host/", "//host/"}) {
    EXPECT_THAT(problem(mari + "support_urls = [\"" + url + "\"]\n"), HasSubstr(std::string("\"https://HOST/\" or more (it has \"") + url)) << url;
  }
}

TEST_F(SiteTest, SiteIsFoundFromAFolderBelow) {
  std::ofstream(folder_ / "site.toml") << kMari;
  std::filesystem::create_directories(folder_ / "archive/deep");
  unsetenv("RUNLEDGER_SITE");
  auto found = site::find(std::nullopt, folder_ / "archive/deep");
  ASSERT_TRUE(found.is_ok());
  EXPECT_EQ(*found, folder_);
  EXPECT_THAT(site::find(std::nullopt, "/").status().message(), HasSubstr("--site"));
}

TEST_F(SiteTest, NothingIsForgottenUnlessItSaysSo) {
  EXPECT_EQ(load(kMari)->retention.commands_ms + load(kMari)->retention.logs_ms, 0u);
  const auto kept = load(std::string(kMari) + "[retention]\ncommands = \"90d\"\nlogs = \"2y\"\n");
  ASSERT_TRUE(kept.is_ok()) << kept.status().message();
  EXPECT_EQ(kept->retention.commands_ms, 90ull * 86'400'000);
  EXPECT_EQ(kept->retention.logs_ms, 730ull * 86'400'000);
  EXPECT_THAT(load(std::string(kMari) + "[retention]\nlogs = \"1h\"\n").status().message(), HasSubstr("\"1d\" or more"));
  EXPECT_THAT(load(std::string(kMari) + "[retention]\nscripts = \"1d\"\n").status().message(), HasSubstr("scripts"));
}

TEST_F(SiteTest, AgeMayBeLongerThanATimerCanWait) {
  const auto kept = load(std::string(kMari) + "[retention]\ncommands = \"300y\"\nlogs = \"1000000000d\"\n");
  ASSERT_TRUE(kept.is_ok()) << kept.status().message();
  EXPECT_EQ(kept->retention.commands_ms, 300 * 365 * 86'400'000ull);
  EXPECT_EQ(kept->retention.logs_ms, 1'000'000'000 * 86'400'000ull);
  EXPECT_THAT(problem(std::string(kMari) + "[witness]\nevery = \"300y\"\n"), HasSubstr("at most 100y"));
  EXPECT_TRUE(load(std::string(kMari) + "[witness]\nevery = \"100y\"\n").is_ok());
}

TEST_F(SiteTest, WithoutAccessOnlyTheOwnerConnects) { EXPECT_FALSE(load(kMari)->access); }

TEST_F(SiteTest, AccessHasItsDefaults) {
  auto site = load(std::string(kMari) + "[access]\n");
  ASSERT_TRUE(site.is_ok()) << site.status().message();
  ASSERT_TRUE(site->access);
  EXPECT_EQ(site->access->login_ms, 12 * 3600'000u);
  EXPECT_EQ(site->access->machine_token_ms, 365ull * 86'400'000);
  EXPECT_EQ(site->access->refresh_ms, 300'000u);
  EXPECT_EQ(site->access->member_reruns, 20u);
  EXPECT_EQ(site->access->scientist_reruns, 10'000u);
  EXPECT_FALSE(site->access->directory);
  EXPECT_THAT(site->access->roles, testing::IsEmpty());
}

TEST_F(SiteTest, AccessIsReadWhole) {
  auto site = load(std::string(kMari) + R"toml(
[access]
login = "8h"
machine_token = "90d"
refresh = "1m"
member_reruns = 5
certificate = "tls/ledger.pem"
key = "tls/ledger.key"
client_ca = "/etc/daemons.pem"
[access.ldap]
servers = ["ldaps://ldap1.example.org", "ldap://ldap2:1389"]
ca = "tls/ca.pem"
bind_name = "cn=reader,dc=example,dc=org"
bind_password_file = "secrets/ldap"
user_base = "ou=people,dc=example,dc=org"
user_filter = "(&(uid={user})(objectClass=person))"
group_base = "ou=groups,dc=example,dc=org"
member_of = true
nested_levels = 3
answer_time_limit = "2s"
[[access.role]]
role = "scientist"
groups = ["sns_{instrument}_team", "{instrument}_scientists"]
[[access.role]]
role = "member"
groups = ["IPTS-{experiment}"]
experiment = "IPTS-{experiment}"
[[access.role]]
role = "scientist"
accounts = ["alice"]
instrument = "mari"
)toml");
  ASSERT_TRUE(site.is_ok()) << site.status().message();
  const site::Access& access = *site->access;
  EXPECT_EQ(access.login_ms, 8 * 3600'000u);
  EXPECT_EQ(access.certificate, (folder_ / "tls/ledger.pem").string());
  EXPECT_EQ(access.client_ca, "/etc/daemons.pem");
  ASSERT_TRUE(access.directory);
  EXPECT_THAT(access.directory->servers, ElementsAre("ldaps://ldap1.example.org", "ldap://ldap2:1389"));
  EXPECT_EQ(access.directory->bind_password_file, (folder_ / "secrets/ldap").string());
  EXPECT_EQ(access.directory->user_filter, "(&(uid={user})(objectClass=person))");
  EXPECT_TRUE(access.directory->member_of);
  EXPECT_FALSE(access.directory->plaintext);
  EXPECT_EQ(access.directory->nested_levels, 3u);
  EXPECT_EQ(access.directory->answer_time_limit_ms, 2'000u);
  ASSERT_EQ(access.roles.size(), 3u);
  EXPECT_THAT(access.roles[0].groups, ElementsAre("sns_{instrument}_team", "{instrument}_scientists"));
  EXPECT_EQ(access.roles[1].experiment, "IPTS-{experiment}");
  EXPECT_EQ(access.roles[2].instrument, "MARI");
  EXPECT_THAT(access.roles[2].where, HasSubstr("[[access.role]] scientist"));
}

TEST_F(SiteTest, MistakesOfAccessNameTheirLineAndKey) {
  const std::string access = std::string(kMari) + "[access]\n";  // its line is 8
  const std::string ldap = "[access.ldap]\nservers = [\"ldaps://l\"]\nuser_base = \"dc=x\"\ngroup_base = \"dc=x\"\n";
  EXPECT_THAT(problem(access + "logins = \"8h\"\n"), HasSubstr("line 9: [access] has no setting \"logins\""));
  EXPECT_THAT(problem(access + "login = \"1s\"\n"), HasSubstr("line 9: [access]: login must be from \"1m\" to \"90d\""));
  EXPECT_THAT(problem(access + "refresh = \"0s\"\n"), HasSubstr("from \"1s\" to \"24h\""));
  EXPECT_THAT(problem(access + "certificate = \"a.pem\"\n"), HasSubstr("together with key"));
  EXPECT_THAT(problem(access + "client_ca = \"a.pem\"\n"), HasSubstr("no certificate"));
  EXPECT_THAT(problem(access + "ldap = \"ldaps://l\"\n"), HasSubstr("ldap must be a table of its own"));
  EXPECT_THAT(problem(access + "[access.ldap]\nservers = [\"http://l\"]\n"), HasSubstr("line 10: [access.ldap]: servers must be \"ldaps://HOST\""));
  EXPECT_THAT(problem(access + "[access.ldap]\nservers = [\"ldaps://l\"]\n"), HasSubstr("user_base is missing"));
  EXPECT_THAT(problem(access + ldap + "bind_name = \"cn=x\"\n"), HasSubstr("together with bind_password_file"));
  EXPECT_THAT(problem(access + ldap + "user_filter = \"(uid=alice)\"\n"), HasSubstr("{user}"));
  EXPECT_THAT(problem(access + ldap + "plaintext = \"yes\"\n"), HasSubstr("true or false"));
  EXPECT_THAT(problem(access + ldap + "password = \"x\"\n"), HasSubstr("has no setting \"password\""));
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"boss\"\naccounts = [\"alice\"]\n"), HasSubstr("line 10: [[access.role]] boss: role must be one of member"));
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"operator\"\n"), HasSubstr("groups must be given, or accounts"));
  EXPECT_THAT(problem(access + ldap + "[[access.role]]\nrole = \"scientist\"\ngroups = [\"{instrument}\"]\naccounts = [\"alice\"]\n"), HasSubstr("a table of their own"));
  EXPECT_EQ(problem(access + ldap + "[[access.role]]\nrole = \"operator\"\ngroups = [\"ops\"]\naccounts = [\"alice\"]\n"), "no problem");
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"operator\"\ngroups = [\"ops\"]\n"), HasSubstr("no [access.ldap]"));
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"scientist\"\naccounts = [\"alice\"]\n"), HasSubstr("the instrument they are scientists of"));
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"scientist\"\naccounts = [\"alice\"]\ninstrument = \"LET\"\n"), HasSubstr("it says \"LET\""));
  EXPECT_THAT(problem(access + "[[access.role]]\nrole = \"member\"\naccounts = [\"alice\"]\n"), HasSubstr("the experiment they are members of"));
  EXPECT_THAT(problem(access + ldap + "[[access.role]]\nrole = \"member\"\ngroups = [\"IPTS-{experiment}\"]\nexperiment = \"IPTS\"\n"), HasSubstr("{experiment}"));
  EXPECT_THAT(problem(access + ldap + "[[access.role]]\nrole = \"auditor\"\ngroups = [\"a\"]\nexperiment = \"1\"\n"), HasSubstr("but for members"));
}

TEST_F(SiteTest, AddressOfTheNetworkNeedsAccessAndACertificate) {
  const auto listening = [](const std::string& address) { return "[facility]\nname = \"X\"\nlisten = [\"" + address + "\"]\n"; };
  const std::string access = "[access]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
  EXPECT_THAT(problem(listening("tls:localhost:4433")), HasSubstr("line 3: [facility]: listen must be \"unix:PATH\" alone, unless [access]"));
  EXPECT_THAT(problem(listening("tls:localhost:4433") + "[access]\n"), HasSubstr("has certificate and key"));
  for (const char* good : {"tls:localhost:4433", "tls:192.0.2.1:0", "tls:[::1]:4433"}) EXPECT_TRUE(load(listening(good) + access).is_ok()) << good;
  for (const char* bad : {"tls:localhost", "tls::4433", "tcp:localhost:4433", "tls:[::1:4433", "localhost:4433"}) EXPECT_THAT(problem(listening(bad) + access), HasSubstr("tls:HOST:PORT")) << bad;
}

TEST(UnitsTest, DurationsAndSizes) {
  EXPECT_EQ(site::parse_duration_ms("60m"), 3'600'000u);
  EXPECT_EQ(site::parse_duration_ms("250ms"), 250u);
  EXPECT_FALSE(site::parse_duration_ms("60"));
  EXPECT_FALSE(site::parse_duration_ms("99999999999999999999h"));
  EXPECT_EQ(site::parse_duration_ms("1000y"), 1000 * 365 * uint64_t{86'400'000});
  EXPECT_EQ(site::parse_duration_ms("1000000000d"), 1'000'000'000 * uint64_t{86'400'000});
  EXPECT_FALSE(site::parse_duration_ms("999999999999y")) << "is more than can be said in ms";
  EXPECT_EQ(site::parse_size_bytes("8GiB"), uint64_t{8} << 30);
  EXPECT_FALSE(site::parse_size_bytes("8 parsecs"));
}

}  // namespace
