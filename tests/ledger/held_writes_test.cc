#include "ledger/held_writes.h"

#include <rocksdb/env.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/ledger/engine_fixture.h"
#include "tests/support/temporary_folder.h"

namespace {

/// Syncs a rename by the new name, as is done on btrfs.
class SyncsByName final : public rocksdb::FileSystemWrapper {
 public:
  SyncsByName() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "SyncsByName"; }
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus opened = target()->NewDirectory(name, options, directory, debug);
    if (opened.ok()) *directory = std::make_unique<Directory>(std::move(*directory));
    return opened;
  }

 private:
  class Directory final : public rocksdb::FSDirectoryWrapper {
   public:
    using FSDirectoryWrapper::FSDirectoryWrapper;
    rocksdb::IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                                          const rocksdb::DirFsyncOptions& what) override {
      if (what.reason == rocksdb::DirFsyncOptions::kFileRenamed && !std::filesystem::exists(what.renamed_new_name))
        return rocksdb::IOStatus::IOError(what.renamed_new_name, "is not there");
      return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, what);
    }
  };
};

class HeldWritesTest : public support::EngineFixture {
 protected:
  std::filesystem::path folder() const { return temporary.path() / "db"; }
  std::filesystem::path killed() const { return temporary.path() / "killed"; }

  /// A database with events in a table file and, behind them, in its write-ahead log.
  void SetUp() override {
    ASSERT_TRUE(open(temporary.path() / "first", rocksdb::Env::Default()).ok());
    put(1, 50);
    ASSERT_TRUE(database->Flush({}).ok());
    put(51, 100);
    leave(temporary.path() / "first", folder());
  }
  rocksdb::Status open(const std::filesystem::path& at, rocksdb::Env* with) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.env = with;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.info_log_level = rocksdb::InfoLogLevel::HEADER_LEVEL;
    options.info_log = std::make_shared<Silent>();
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, at, &opened);
    database.reset(opened);
    return status;
  }
  rocksdb::Status open_held(const std::filesystem::path& at) {
    writes = std::make_shared<ledger::HeldWrites>(below, at);
    env = rocksdb::NewCompositeEnv(writes);
    return open(at, env.get());
  }
  void close() {
    database.reset();
    env.reset();
    writes.reset();
  }
  /// What a kill leaves: the files as they are.
  void leave(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    close();
  }
  static std::map<std::string, std::string> contents(const std::filesystem::path& of) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(of)) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().string()] = entry.is_directory() ? "" : std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
  }
  /// Whatever there is besides.
  void expect_kept(const std::map<std::string, std::string>& before) {
    auto now = contents(folder());
    for (const auto& [name, bytes] : before) EXPECT_EQ(now[name], bytes) << name;
  }
  class Silent final : public rocksdb::Logger {
   public:
    using rocksdb::Logger::Logv;
    void Logv(const char*, va_list) override {}
  };

  const support::TemporaryFolder temporary;
  std::shared_ptr<rocksdb::FileSystem> below = rocksdb::FileSystem::Default();
  std::shared_ptr<ledger::HeldWrites> writes;
  std::unique_ptr<rocksdb::Env> env;
};

TEST_F(HeldWritesTest, WhatIsNotReleasedHasNotHappened) {
  for (const char* missing : {"", "LOCK", "IDENTITY"}) {
    if (*missing) std::filesystem::remove(folder() / missing);
    const auto before = contents(folder());
    ASSERT_TRUE(open_held(folder()).ok());
    EXPECT_EQ(count(), 100u) << "all can be read";
    put(101, 110);
    ASSERT_TRUE(database->Flush({}).ok());
    ASSERT_TRUE(database->CompactRange({}, nullptr, nullptr).ok());
    EXPECT_EQ(count(), 110u);
    expect_kept(before);
    close();
    EXPECT_EQ(contents(folder()), before) << "without " << missing;
  }
}

TEST_F(HeldWritesTest, ReleasedWritesAreThoseOfAnyDatabase) {
  ASSERT_TRUE(open_held(folder()).ok());
  ASSERT_TRUE(writes->release().ok());
  put(101, 110);
  leave(folder(), killed());
  EXPECT_FALSE(std::filesystem::exists(killed() / ledger::HeldWrites::kFolder));
  ASSERT_TRUE(open(killed(), rocksdb::Env::Default()).ok());
  EXPECT_EQ(count(), 110u);
  database.reset();
  ASSERT_TRUE(open_held(killed()).ok());
  ASSERT_TRUE(writes->release().ok());
  put(111, 120);
  ASSERT_TRUE(database->CompactRange({}, nullptr, nullptr).ok());
  EXPECT_EQ(count(), 120u);
  close();
  ASSERT_TRUE(open(killed(), rocksdb::Env::Default()).ok());
  EXPECT_EQ(count(), 120u);
}

TEST_F(HeldWritesTest, FileSystemThatSyncsRenamesByNameOpensADatabaseWithoutIdentity) {
  std::filesystem::remove(folder() / "IDENTITY");  // as in a backup
  below = std::make_shared<SyncsByName>();
  const rocksdb::Status opened = open_held(folder());
  ASSERT_TRUE(opened.ok()) << opened.ToString();
  ASSERT_TRUE(writes->release().ok());
  put(101, 110);
  EXPECT_EQ(count(), 110u);
  close();
}

TEST_F(HeldWritesTest, WhatAnOpeningDoesNotNeedIsRefusedUntilTheRelease) {
  ASSERT_TRUE(open_held(folder()).ok());
  const auto before = contents(folder());
  const std::string file = folder() / "CURRENT", other = folder() / "other";
  std::unique_ptr<rocksdb::FSWritableFile> written;
  std::unique_ptr<rocksdb::FSRandomRWFile> changed;
  EXPECT_TRUE(writes->ReuseWritableFile(other, file, {}, &written, nullptr).IsNotSupported());
  EXPECT_TRUE(writes->ReopenWritableFile(file, {}, &written, nullptr).IsNotSupported());
  EXPECT_TRUE(writes->NewRandomRWFile(file, {}, &changed, nullptr).IsNotSupported());
  EXPECT_TRUE(writes->LinkFile(file, other, {}, nullptr).IsNotSupported());
  EXPECT_TRUE(writes->Truncate(file, 0, {}, nullptr).IsNotSupported());
  EXPECT_TRUE(writes->DeleteDir(folder() / ledger::HeldWrites::kFolder, {}, nullptr).IsNotSupported());
  EXPECT_EQ(contents(folder()), before);
  ASSERT_TRUE(writes->release().ok());
  EXPECT_TRUE(writes->LinkFile(file, other, {}, nullptr).ok());
  close();
}

TEST_F(HeldWritesTest, KillBeforeTheReleaseChangesNothing) {
  ASSERT_TRUE(open_held(folder()).ok());
  leave(folder(), killed());
  EXPECT_TRUE(std::filesystem::exists(killed() / ledger::HeldWrites::kFolder / "CURRENT"));
  ASSERT_TRUE(open_held(killed()).ok());
  EXPECT_EQ(count(), 100u);
  ASSERT_TRUE(writes->release().ok());
  put(101, 110);
  EXPECT_EQ(count(), 110u);
  close();
  EXPECT_FALSE(std::filesystem::exists(killed() / ledger::HeldWrites::kFolder));
}

TEST_F(HeldWritesTest, ReleaseThatFailsHalfWayLeavesTheDatabaseAsItWas) {
  ASSERT_TRUE(open_held(folder()).ok());
  std::filesystem::remove(folder() / ledger::HeldWrites::kFolder / "CURRENT");
  EXPECT_FALSE(writes->release().ok());
  close();
  ASSERT_TRUE(open(folder(), rocksdb::Env::Default()).ok());
  EXPECT_EQ(count(), 100u);
}

TEST_F(HeldWritesTest, FileNobodyNamesIsKeptUntilTheRelease) {
  // An older CURRENT put back: the engine gives numbers anew that files behind it have, which may be all there is of what is missing.
  for (int number = 1; number < 40; ++number) {
    for (const char* kind : {"sst", "dbtmp"}) {
      char name[32];
      std::snprintf(name, sizeof name, "%06d.%s", number, kind);
      if (!std::filesystem::exists(folder() / name)) std::ofstream(folder() / name) << "somebody's last hope";
    }
  }
  const auto before = contents(folder());
  ASSERT_TRUE(open_held(folder()).ok());
  EXPECT_EQ(count(), 100u);
  expect_kept(before);
  close();
  EXPECT_EQ(contents(folder()), before);
}

}  // namespace
