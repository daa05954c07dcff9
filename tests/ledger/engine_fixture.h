// A database of the engine's own, for tests of the file system layers below it.
#pragma once

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <memory>
#include <string>

#include "ledger/keys.h"

namespace support {

class EngineFixture : public testing::Test {
 protected:
  void TearDown() override { database.reset(); }  // before the layers a test put below it
  /// Events `from` to `to`, each `size` bytes and a synced write of its own.
  void put(uint64_t from, uint64_t to, size_t size = 300) {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    for (uint64_t i = from; i <= to; ++i) ASSERT_TRUE(database->Put(durable, ledger::u64_key(i), std::string(size, 'e')).ok());
  }
  uint64_t count() {
    uint64_t rows = 0;
    const std::unique_ptr<rocksdb::Iterator> all(database->NewIterator({}));
    for (all->SeekToFirst(); all->Valid(); all->Next()) rows += 1;
    EXPECT_TRUE(all->status().ok()) << all->status().ToString();
    return rows;
  }

  std::unique_ptr<rocksdb::DB> database;
};

}  // namespace support
