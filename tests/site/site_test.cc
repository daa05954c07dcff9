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
  EXPECT_THAT(problem("[facility]\nname = \"X\"\n[[instrument]]\nname = \"A\"\ncontract = \"fia\"\nraw = [\"a\"]\n"), HasSubstr("isis, sns"));
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
