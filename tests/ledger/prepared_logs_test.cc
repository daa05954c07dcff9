#include "ledger/prepared_logs.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "ledger/keys.h"
#include "tests/support/temporary_folder.h"

namespace {

constexpr uint64_t kPrepared = 256u << 10;

class PreparedLogsTest : public testing::Test {
 protected:
  PreparedLogsTest() : logs(std::make_shared<ledger::PreparedLogs>(rocksdb::FileSystem::Default(), (temporary.path() / "db").string(), kPrepared)) {
    env = rocksdb::NewCompositeEnv(logs);
    std::filesystem::create_directories(temporary.path() / "db");
  }
  void open(const std::string& folder, rocksdb::Env* with) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.env = with;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, folder, &opened);
    ASSERT_TRUE(status.ok()) << status.ToString();
    database.reset(opened);
  }
  void put(uint64_t from, uint64_t to) {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    for (uint64_t i = from; i <= to; ++i) ASSERT_TRUE(database->Put(durable, ledger::u64_key(i), std::string(300, 'e')).ok());
  }
  uint64_t count() {
    uint64_t rows = 0;
    const std::unique_ptr<rocksdb::Iterator> all(database->NewIterator({}));
    for (all->SeekToFirst(); all->Valid(); all->Next()) rows += 1;
    EXPECT_TRUE(all->status().ok()) << all->status().ToString();
    return rows;
  }

  const support::TemporaryFolder temporary;
  std::shared_ptr<ledger::PreparedLogs> logs;
  std::unique_ptr<rocksdb::Env> env;
  std::unique_ptr<rocksdb::DB> database;
};

TEST_F(PreparedLogsTest, NothingIsWrittenBeforeItIsWorthWhile) {
  open(temporary.path() / "db", env.get());
  put(1, 10);
  ASSERT_TRUE(database->Flush({}).ok());
  EXPECT_FALSE(std::filesystem::exists(temporary.path() / "db" / ledger::PreparedLogs::kSpareName));
  EXPECT_EQ(logs->taken(), 0u);
}

TEST_F(PreparedLogsTest, EventsInAPreparedLogSurviveAKill) {
  open(temporary.path() / "db", env.get());
  logs->begin();
  ASSERT_TRUE(logs->wait_for_spare());
  put(1, 10);
  ASSERT_TRUE(database->Flush({}).ok());  // the engine goes on in a new log
  ASSERT_EQ(logs->taken(), 1u);
  put(11, 30);
  // What a kill leaves: the files as they are, with the zeros behind what was written.
  std::filesystem::copy(temporary.path() / "db", temporary.path() / "killed");
  database.reset();
  open(temporary.path() / "killed", rocksdb::Env::Default());
  EXPECT_EQ(count(), 30u);
  put(31, 40);
  EXPECT_EQ(count(), 40u);
}

TEST_F(PreparedLogsTest, LogLargerThanPreparedGoesOn) {
  open(temporary.path() / "db", env.get());
  logs->begin();
  ASSERT_TRUE(logs->wait_for_spare());
  ASSERT_TRUE(database->Put({}, "a", "b").ok());
  ASSERT_TRUE(database->Flush({}).ok());
  ASSERT_EQ(logs->taken(), 1u);
  put(1, 3 * kPrepared / 1000);
  const uint64_t written = count();
  std::filesystem::copy(temporary.path() / "db", temporary.path() / "killed");
  database.reset();
  open(temporary.path() / "killed", rocksdb::Env::Default());
  EXPECT_EQ(count(), written);
}

TEST_F(PreparedLogsTest, OldBytesOfARetiredLogNeverComeBack) {
  open(temporary.path() / "db", env.get());
  logs->begin();
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(logs->wait_for_spare());
    put(100 * round + 1, 100 * round + 50);
    ASSERT_TRUE(database->Flush({}).ok());  // the log before is retired, and becomes a spare
  }
  EXPECT_GE(logs->taken(), 3u);
  put(1000, 1000);
  std::filesystem::copy(temporary.path() / "db", temporary.path() / "killed");
  database.reset();
  open(temporary.path() / "killed", rocksdb::Env::Default());
  EXPECT_EQ(count(), 4 * 50 + 1u);
}

TEST_F(PreparedLogsTest, LogThatABackupSharesIsNotWrittenAgain) {
  open(temporary.path() / "db", env.get());
  logs->begin();
  std::vector<std::pair<std::filesystem::path, std::string>> backups;
  const auto bytes = [](const std::filesystem::path& path) {  // without the zeros behind them, which the engine cuts off
    std::ifstream file(path, std::ios::binary);
    std::string all(std::istreambuf_iterator<char>(file), {});
    return all.substr(0, all.find_last_not_of('\0') + 1);
  };
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(logs->wait_for_spare());
    put(100 * round + 1, 100 * round + 50);
    for (const auto& entry : std::filesystem::directory_iterator(temporary.path() / "db")) {
      if (entry.path().extension() != ".log") continue;
      const std::filesystem::path backup = temporary.path() / ("backup-" + std::to_string(round) + entry.path().filename().string());
      std::filesystem::create_hard_link(entry.path(), backup);
      backups.emplace_back(backup, bytes(backup));
    }
    ASSERT_TRUE(database->Flush({}).ok());  // the log before is retired
  }
  ASSERT_TRUE(logs->wait_for_spare());
  EXPECT_GE(logs->taken(), 3u);
  ASSERT_GE(backups.size(), 4u);
  for (const auto& [backup, before] : backups) EXPECT_EQ(bytes(backup), before) << backup;
}

}  // namespace
