#include "ledger/tree_rows.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/temporary_folder.h"

namespace {

base::Sha256 leaf(uint64_t index) { return ledger::leaf_hash("event " + std::to_string(index + 1)); }

class TreeRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = ledger::Store::open(folder_ / "db", {.create = true, .views = {}});
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    store_ = *opened;
  }
  /// Groups of this many events, up to `size`.
  void fill(uint64_t size, uint64_t group) {
    const auto live = store_->live();
    ledger::TreeRows rows;
    while (edge_.size() < size) {
      ledger::Store::Batch batch;
      for (uint64_t i = 0; i < group && edge_.size() < size; ++i) rows.append(edge_, leaf(edge_.size()), *live, batch);
      rows.emit(*live, batch);
      ASSERT_TRUE(store_->write(batch, false).is_ok());
    }
  }

  support::TemporaryFolder folder_;
  std::shared_ptr<ledger::Store> store_;
  ledger::TreeEdge edge_;
};

TEST_F(TreeRowsTest, EveryNodeAndEveryEdgeIsFoundWhateverTheGroupsWere) {
  // All nodes and roots, kept as the tree grew.
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes;
  std::vector<base::Sha256> roots{ledger::TreeEdge().root()};
  ledger::TreeEdge edge;
  for (uint64_t index = 0; index < 1100; ++index) {
    edge.append(leaf(index), [&](int level, uint64_t at, const base::Sha256& hash) { nodes[{level, at}] = hash; });
    roots.push_back(edge.root());
  }
  fill(300, 1);
  fill(700, 64);
  fill(1100, 333);  // over more than one row's end
  const auto live = store_->live();
  for (const auto& [place, hash] : nodes) {
    const auto found = ledger::load_node(*live, place.first, place.second);
    ASSERT_TRUE(found.is_ok()) << found.status().message();
    EXPECT_EQ(*found, hash) << "level " << place.first << " node " << place.second;
  }
  for (uint64_t size = 0; size <= 1100; size += size < 300 ? 1 : 37) {
    const auto found = ledger::load_edge(*live, size);
    ASSERT_TRUE(found.is_ok()) << found.status().message();
    EXPECT_EQ(found->root(), roots[size]) << size << " events";
  }
}

TEST_F(TreeRowsTest, NodeThatIsNotThereIsNamed) {
  fill(300, 50);
  EXPECT_EQ(ledger::load_node(*store_->live(), 0, 300).status().message(),
            "the tree over the log lacks the leaf of event 301; restore the ledger from a copy");
  EXPECT_EQ(ledger::load_node(*store_->live(), 8, 1).status().message(),
            "the tree over the log lacks node 1 of level 8; restore the ledger from a copy");
}

}  // namespace
