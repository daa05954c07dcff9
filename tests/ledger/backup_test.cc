// A backup is a ledger, made while the other one runs, and never taken on trust.
#include "ledger/backup.h"

#include <gmock/gmock.h>

#include <fstream>

#include "ledger/verify.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::HasSubstr;

bool go_on(std::string_view, uint64_t, uint64_t) { return true; }

class BackupTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    options_.sync = false;
    must_open();
    note_many(50);
  }
  base::Result<ledger::HeldLedger> back_up(const std::filesystem::path& where) { return ledger_->backup().value()->make(where, go_on); }
  base::Result<ledger::HeldLedger> restore(const std::filesystem::path& from, const std::filesystem::path& to) {
    return ledger::restore(from, to, support::toy_rules().views, go_on);
  }
};

TEST_F(BackupTest, BackupOfARunningLedgerComesBackWithTheSameRoot) {
  std::ofstream(folder() / "checkpoint.key") << "secret";
  const auto made = back_up(root_ / "backup");
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  EXPECT_EQ(made->events, 50u);
  note_many(10, "later");
  const auto restored = restore(root_ / "backup", root_ / "back");
  ASSERT_TRUE(restored.is_ok()) << restored.status().message();
  EXPECT_EQ(restored->events, 50u);
  EXPECT_EQ(restored->root, made->root);
  EXPECT_EQ(restored->ledger_id, ledger_->id());
  EXPECT_TRUE(std::filesystem::exists(root_ / "back" / "checkpoint.key"));
  const std::string third = event_bytes(3), id = ledger_->id();
  close();
  auto there = ledger::Ledger::open(root_ / "back", {.create_if_missing = false}, clock_, support::toy_rules());
  ASSERT_TRUE(there.is_ok()) << there.status().message();
  EXPECT_EQ((*there)->id(), id);
  EXPECT_EQ(ledger::as_bytes(*(*there)->snapshot()->event(3)), third);
  EXPECT_TRUE((*there)->check_views().is_ok());
}

TEST_F(BackupTest, NeitherBackupNorRestoreGoesOverWhatIsThere) {
  std::filesystem::create_directory(root_ / "taken");
  root_.write("taken/precious", "bytes");
  EXPECT_EQ(back_up(root_ / "taken").status().code(), base::Code::kAlreadyExists);
  EXPECT_EQ(back_up(folder()).status().code(), base::Code::kAlreadyExists);
  ASSERT_TRUE(back_up(root_ / "backup").is_ok());
  close();
  EXPECT_EQ(restore(root_ / "backup", folder()).status().code(), base::Code::kAlreadyExists);
  EXPECT_EQ(restore(root_ / "backup", root_ / "taken").status().code(), base::Code::kAlreadyExists);
  EXPECT_TRUE(open().is_ok());
}

TEST_F(BackupTest, DamagedBackupIsNotRestored) {
  ASSERT_TRUE(back_up(root_ / "backup").is_ok());
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "backup" / "db")) {
    if (entry.path().extension() != ".sst") continue;
    // A copy, so that the damage stays out of the ledger, whose file it is too.
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    bytes[bytes.size() / 3] ^= 1;
    std::filesystem::remove(entry.path());
    std::ofstream(entry.path(), std::ios::binary) << bytes;
  }
  const auto restored = restore(root_ / "backup", root_ / "back");
  EXPECT_EQ(restored.status().code(), base::Code::kCorruption) << restored.status().message();
  EXPECT_FALSE(std::filesystem::exists(root_ / "back"));
  EXPECT_TRUE(ledger_->verification()->run({}).ok);
}

TEST_F(BackupTest, BackupThatIsEndedLeavesNothing) {
  const auto made = ledger_->backup().value()->make(root_ / "backup", [](std::string_view, uint64_t, uint64_t) { return false; });
  EXPECT_EQ(made.status().code(), base::Code::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(root_ / "backup"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "backup.runledger-part"));
}

TEST_F(BackupTest, SecondBackupOfTheSameNameLeavesTheFirstAlone) {
  const auto first = ledger_->backup();
  const auto second = ledger_->backup();
  base::Status refused;
  bool asked = false;
  const auto made = (*first)->make(root_ / "backup", [&](std::string_view what, uint64_t, uint64_t) {
    if (!asked && what != "tables") refused = (*second)->make(root_ / "backup", go_on).status();
    asked = asked || what != "tables";
    return true;
  });
  ASSERT_TRUE(asked);
  ASSERT_TRUE(made.is_ok()) << made.status().message();
  EXPECT_EQ(refused.code(), base::Code::kConflict);
  EXPECT_THAT(refused.message(), HasSubstr("is being made already; wait"));
  EXPECT_TRUE(ledger::verify_backup(root_ / "backup", support::toy_rules().views, go_on).is_ok());
}

TEST_F(BackupTest, WhatAnEndedProcessLeftIsNoObstacle) {
  std::filesystem::create_directories(root_ / "backup.runledger-part" / "db");
  root_.write("backup.runledger-part/HEAD", "half of it");
  EXPECT_TRUE(back_up(root_ / "backup").is_ok());
  EXPECT_FALSE(std::filesystem::exists(root_ / "backup.runledger-part"));
}

TEST_F(BackupTest, FolderThatIsNoLedgerIsNoBackup) {
  std::filesystem::create_directory(root_ / "empty");
  const auto restored = restore(root_ / "empty", root_ / "back");
  EXPECT_EQ(restored.status().code(), base::Code::kInvalidArgument);
  EXPECT_THAT(restored.status().message(), HasSubstr("is no backup"));
}

}  // namespace
