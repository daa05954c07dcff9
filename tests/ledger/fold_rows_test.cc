// Rows being folded, against rows in a map: what is read never depends on what was written to tables meanwhile.
#include "ledger/fold_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "ledger/view_fold.h"
#include "tests/support/temporary_folder.h"

namespace {

using ledger::ViewId;
using testing::ElementsAre;

/// Only gives its rows a table.
class Tables final : public ledger::View {
 public:
  ledger::ViewId id() const override { return ViewId::kRuns; }
  const char* name() const override { return "tables"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader, ledger::Rows&) const override {}
};

using Listed = std::vector<std::pair<std::string, std::string>>;

class FoldRowsTest : public testing::Test {
 protected:
  FoldRowsTest() {
    store_ = ledger::Store::open(folder_ / "db", {.create = true, .views = views_}).value();
    fresh_ = store_->fresh_views(views_, ledger::Store::Keep::kOverRestart).value();
    rows_.begin(fresh_.tables);
  }
  void write() {
    const base::Status written = ledger::write_rows(*store_, fresh_, ledger::Store::Keep::kOverRestart, rows_);
    ASSERT_TRUE(written.is_ok()) << written.message();
  }
  void put(const std::string& key, const std::string& row) { rows_.put(ViewId::kRuns, key, row); }
  std::optional<std::string> get(const std::string& key) { return rows_.get(ViewId::kRuns, key); }
  Listed list(const std::string& from, size_t limit = 1000) {
    Listed listed;
    rows_.scan(ViewId::kRuns, from, [&](std::string_view key, std::string_view row) {
      listed.emplace_back(key, row);
      return listed.size() < limit;
    });
    return listed;
  }
  Listed changed() {
    Listed listed;
    rows_.each_changed(ViewId::kRuns, [&](std::string_view key, std::optional<std::string_view> row) { listed.emplace_back(key, row.value_or("gone")); });
    return listed;
  }

  support::TemporaryFolder folder_;
  Tables view_;
  std::array<const ledger::View*, 1> views_{&view_};
  std::shared_ptr<ledger::Store> store_;
  ledger::Store::Fresh fresh_;
  ledger::FoldRows rows_;
};

TEST_F(FoldRowsTest, ReadsAreThoseOfAMapWhateverWasWrittenMeanwhile) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    std::mt19937 random(seed);
    std::map<std::string, std::string> model;
    rows_.scan(ViewId::kRuns, "a", [&](std::string_view key, std::string_view row) { return model.emplace(key, row).second; });
    rows_.scan(ViewId::kRuns, "b", [&](std::string_view key, std::string_view row) { return model.emplace(key, row).second; });
    for (int step = 0; step < 3000; ++step) {
      const std::string key = std::string(1, "ab"[random() % 2]) + std::to_string(random() % 200);
      switch (random() % 8) {
        case 0:
        case 1:
        case 2: {
          const std::string row(random() % 50, static_cast<char>('a' + random() % 26));
          put(key, row);
          model[key] = row;
          break;
        }
        case 3:
          rows_.erase(ViewId::kRuns, key);
          model.erase(key);
          break;
        case 4: {
          const size_t limit = 1 + random() % 20;
          Listed expected;
          for (auto row = model.lower_bound(key); row != model.end() && row->first[0] == key[0] && expected.size() < limit; ++row) expected.push_back(*row);
          ASSERT_EQ(list(key, limit), expected) << "seed " << seed << ", step " << step;
          break;
        }
        default: {
          const auto row = model.find(key);
          ASSERT_EQ(get(key), row == model.end() ? std::nullopt : std::optional(row->second)) << "seed " << seed << ", step " << step;
        }
      }
      if (random() % 500 == 0) write();
    }
  }
}

TEST_F(FoldRowsTest, RowIsWrittenOnceHoweverOftenItChanged) {
  put("a1", "one");
  put("a1", "longer than before");
  put("a1", "short");
  put("b1", "kept");
  get("b2");  // not there
  put("b2", "x");
  rows_.erase(ViewId::kRuns, "b2");
  EXPECT_THAT(changed(), ElementsAre(std::pair("a1", "short"), std::pair("b1", "kept"))) << "b2 never was, and is not";
  write();
  EXPECT_THAT(changed(), testing::IsEmpty());
  EXPECT_EQ(get("a1"), "short");
  rows_.erase(ViewId::kRuns, "b1");
  EXPECT_THAT(changed(), ElementsAre(std::pair("b1", "gone"))) << "a1 was only read";
  write();
  EXPECT_EQ(get("b1"), std::nullopt);
}

TEST_F(FoldRowsTest, WhatIsWrittenSurvivesWithHowFarItIsFolded) {
  put("a1", "one");
  fresh_.folded = 77;
  write();
  put("a1", "lost");
  fresh_ = {};
  rows_.begin(nullptr);
  store_.reset();
  store_ = ledger::Store::open(folder_ / "db", {.views = views_}).value();
  const auto begun = store_->begun_views();
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_EQ(begun[0].folded, 77u);
  rows_.begin(begun[0].tables);
  EXPECT_EQ(get("a1"), "one");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "db/sorted")) << "files on their way leave nothing behind";
}

}  // namespace
