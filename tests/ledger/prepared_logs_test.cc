#include "ledger/prepared_logs.h"

#include <rocksdb/env.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/ledger/engine_fixture.h"
#include "tests/support/temporary_folder.h"

namespace {

class PreparedLogsTest : public support::EngineFixture {
 protected:
  PreparedLogsTest() : env(over(0)) {}
  /// `room`: bytes that must be left on the disk.
  static std::unique_ptr<rocksdb::Env> over(uint64_t room) {
    return rocksdb::NewCompositeEnv(std::make_shared<ledger::PreparedLogs>(rocksdb::FileSystem::Default(), room));
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
  /// Size of the log at work.
  uint64_t log_size() const {
    uint64_t size = 0;
    for (const auto& entry : std::filesystem::directory_iterator(temporary.path() / "db")) {
      if (entry.path().extension() == ".log") size = entry.file_size();
    }
    return size;
  }
  /// What a kill leaves: the files as they are, with the zeros behind what was written.
  void kill() {
    std::filesystem::copy(temporary.path() / "db", temporary.path() / "killed");
    database.reset();
  }
  uint64_t count_after_kill() {
    kill();
    open(temporary.path() / "killed", rocksdb::Env::Default());
    return count();
  }

  const support::TemporaryFolder temporary;
  const std::unique_ptr<rocksdb::Env> env;
};

TEST_F(PreparedLogsTest, SyncsFindTheLogAtItsSizeAlready) {
  open(temporary.path() / "db", env.get());
  put(1, 1);
  const uint64_t size = log_size();
  EXPECT_GT(size, 32u << 10);
  put(2, 100);
  EXPECT_EQ(log_size(), size) << "hundred events grew the log";
  put(101, 1000);
  EXPECT_GT(log_size(), size);
}

TEST_F(PreparedLogsTest, EventsInFrontOfZerosSurviveAKill) {
  open(temporary.path() / "db", env.get());
  put(1, 30);
  ASSERT_EQ(count_after_kill(), 30u);
  put(31, 40);
  EXPECT_EQ(count(), 40u);
}

TEST_F(PreparedLogsTest, EventsBehindTheFirstZerosSurviveAKill) {
  open(temporary.path() / "db", env.get());
  put(1, 1500);  // half a MB: zeros were written several times
  EXPECT_EQ(count_after_kill(), 1500u);
}

TEST_F(PreparedLogsTest, LargeWritesAmongSmallOnesSurviveAKill) {
  open(temporary.path() / "db", env.get());
  for (uint64_t round = 0; round < 10; ++round) {
    put(100 * round + 1, 100 * round + 50);
    put(100 * round + 51, 100 * round + 51, 200 << 10);
  }
  EXPECT_EQ(count_after_kill(), 10 * 51u);
}

TEST_F(PreparedLogsTest, LargeRecordsBringNoZeros) {
  open(temporary.path() / "db", env.get());
  put(1, 20, 20 << 10);
  EXPECT_LT(log_size(), 20 * ((20u << 10) + 200));
}

TEST_F(PreparedLogsTest, FullDiskGetsNoZeros) {
  const auto no_room = over(UINT64_MAX);
  open(temporary.path() / "db", no_room.get());
  put(1, 20);
  EXPECT_LT(log_size(), 20u * 400);
  database.reset();
}

TEST_F(PreparedLogsTest, RecordTornInFrontOfZerosIsDropped) {
  open(temporary.path() / "db", env.get());
  put(1, 30);
  kill();
  for (const auto& entry : std::filesystem::directory_iterator(temporary.path() / "killed")) {
    if (entry.path().extension() != ".log") continue;
    std::ifstream log(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(log), {});
    const size_t end = bytes.find_last_not_of('\0') + 1;
    std::fstream torn(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    torn.seekp(static_cast<std::streamoff>(end - 100));
    torn << std::string(100, '\0');
  }
  open(temporary.path() / "killed", env.get());
  EXPECT_EQ(count(), 29u);
  put(30, 40);
  EXPECT_EQ(count(), 40u);
}

TEST_F(PreparedLogsTest, ClosedLogEndsWithItsLastRecord) {
  open(temporary.path() / "db", env.get());
  put(1, 10);
  const uint64_t prepared = log_size();
  database.reset();
  EXPECT_LT(log_size(), prepared / 4);
  open(temporary.path() / "db", rocksdb::Env::Default());
  EXPECT_EQ(count(), 10u);
}

}  // namespace
