#include "ledger/changed_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/temporary_folder.h"

namespace {

using testing::ElementsAre;

constexpr ledger::Table kTable = ledger::Table::kMeta;  // any will do
using Listed = std::vector<std::pair<std::string, std::string>>;

class ChangedRowsTest : public testing::Test {
 protected:
  void store(const std::string& key) {
    ledger::Store::Batch batch;
    batch.put(*store_->live(), kTable, key, "stored");
    ASSERT_TRUE(store_->write(batch, false).is_ok());
  }

  support::TemporaryFolder folder_;
  const std::shared_ptr<ledger::Store> store_ = ledger::Store::open(folder_ / "db", {.create = true, .views = {}}).value();
};

TEST_F(ChangedRowsTest, ChangesTakenBackNeverWere) {
  for (int i = 0; i < 50; ++i) store("a" + std::to_string(2 * i));
  ledger::ChangedRows rows;
  rows.begin(store_->live());
  const auto list_all = [&](const ledger::ChangedRows& of) {
    Listed listed;
    of.scan(kTable, "a", [&](std::string_view key, std::string_view row) { return listed.emplace_back(key, row), true; });
    return listed;
  };
  std::mt19937 random(1);
  const auto any_key = [&] { return "a" + std::to_string(random() % 100); };
  for (int command = 0; command < 300; ++command) {
    const Listed before = list_all(rows);
    std::vector<ledger::ChangedRows::Before> changes;
    for (int i = 0; i < 6; ++i) {
      const std::string row(random() % 20, static_cast<char>('a' + random() % 26));
      changes.push_back(rows.change(kTable, any_key(), random() % 3 == 0 ? std::nullopt : std::optional<std::string_view>(row)));
      rows.get(kTable, any_key());
    }
    if (random() % 2 == 0) continue;
    for (; !changes.empty(); changes.pop_back()) rows.restore(std::move(changes.back()));
    ASSERT_EQ(list_all(rows), before) << "command " << command;
    for (int i = 0; i < 10; ++i) {
      const std::string key = any_key();
      const auto listed = std::find_if(before.begin(), before.end(), [&](const auto& row) { return row.first == key; });
      ASSERT_EQ(rows.get(kTable, key), listed == before.end() ? std::nullopt : std::optional<std::string_view>(listed->second)) << "command " << command;
    }
  }
}

TEST_F(ChangedRowsTest, ChangeTakenBackIsNotWritten) {
  store("a1");
  ledger::ChangedRows rows;
  rows.begin(store_->live());
  rows.restore(rows.change(kTable, "a1", "unread before"));
  rows.restore(rows.change(kTable, "a2", "new"));
  rows.set(kTable, "a3", "stays");
  rows.restore(rows.change(kTable, "a3", "longer than before"));
  Listed changed;
  rows.each_changed(kTable, [&](std::string_view key, std::optional<std::string_view> row) { changed.emplace_back(key, row.value_or("gone")); });
  EXPECT_THAT(changed, ElementsAre(std::pair("a3", "stays")));
  EXPECT_EQ(rows.get(kTable, "a1"), "stored");
  EXPECT_EQ(rows.get(kTable, "a2"), std::nullopt);
}

TEST_F(ChangedRowsTest, ScanSaysWhichKindOfRows) {
  ledger::ChangedRows rows;
  rows.begin(store_->live());
  EXPECT_THROW(rows.scan(kTable, "", [](std::string_view, std::string_view) { return true; }), std::logic_error);
}

}  // namespace
