#include "ledger/proof/tree_proof.h"

#include <gtest/gtest.h>

#include <map>

namespace {

constexpr uint64_t kSizes = 70;  // more than two complete subtrees of 32

class TreeProofTest : public testing::Test {
 protected:
  TreeProofTest() {
    ledger::TreeEdge edge;
    roots_.push_back(edge.root());
    for (uint64_t i = 0; i < kSizes; ++i) {
      leaves_.push_back(ledger::leaf_hash("leaf " + std::to_string(i)));
      edge.append(leaves_.back(), [&](int level, uint64_t index, const base::Sha256& hash) { nodes_[{level, index}] = hash; });
      roots_.push_back(edge.root());
    }
  }
  ledger::ReadNode node() const {
    return [this](int level, uint64_t index) -> base::Result<base::Sha256> {
      const auto found = nodes_.find({level, index});
      if (found == nodes_.end()) return base::Status(base::Code::kCorruption, "no such node");
      return found->second;
    };
  }
  std::vector<base::Sha256> leaves_;
  std::vector<base::Sha256> roots_;  // by size
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes_;
};

TEST_F(TreeProofTest, EveryLeafOfEveryTreeIsProven) {
  for (uint64_t size = 1; size <= kSizes; ++size) {
    for (uint64_t index = 0; index < size; ++index) {
      const auto path = ledger::inclusion_path(index, size, node());
      ASSERT_TRUE(path.is_ok()) << path.status().message();
      EXPECT_TRUE(ledger::check_inclusion(leaves_[index], index, size, *path, roots_[size]).is_ok()) << index << " of " << size;
    }
  }
}

TEST_F(TreeProofTest, AnotherLeafPlaceSizeOrRootIsNotProven) {
  for (const uint64_t size : {uint64_t{1}, uint64_t{7}, uint64_t{64}, kSizes}) {
    for (uint64_t index = 0; index < size; ++index) {
      const auto path = *ledger::inclusion_path(index, size, node());
      const auto check = [&](uint64_t leaf, uint64_t at, uint64_t of, const std::vector<base::Sha256>& by, uint64_t root) {
        return ledger::check_inclusion(leaves_[leaf], at, of, by, roots_[root]).is_ok();
      };
      EXPECT_FALSE(check((index + 1) % kSizes, index, size, path, size));
      if (size > 1) {
        EXPECT_FALSE(check(index, (index + 1) % size, size, path, size));
      }
      EXPECT_FALSE(check(index, index, size, path, size - 1));
      EXPECT_FALSE(check(index, size, size, path, size));
      for (size_t i = 0; i < path.size(); ++i) {
        auto damaged = path;
        damaged[i][31] ^= 1;
        EXPECT_FALSE(check(index, index, size, damaged, size));
      }
      auto longer = path, shorter = path;
      longer.push_back(roots_[1]);
      EXPECT_FALSE(check(index, index, size, longer, size));
      if (!path.empty()) {
        shorter.pop_back();
        EXPECT_FALSE(check(index, index, size, shorter, size));
      }
    }
  }
}

TEST_F(TreeProofTest, EveryTreeIsTheBeginningOfEveryLaterOne) {
  for (uint64_t size = 1; size <= kSizes; ++size) {
    for (uint64_t old_size = 1; old_size <= size; ++old_size) {
      const auto path = ledger::consistency_path(old_size, size, node());
      ASSERT_TRUE(path.is_ok()) << path.status().message();
      EXPECT_TRUE(ledger::check_consistency(old_size, roots_[old_size], size, roots_[size], *path).is_ok()) << old_size << " of " << size;
      auto other = roots_[old_size];
      other[0] ^= 1;
      EXPECT_FALSE(ledger::check_consistency(old_size, other, size, roots_[size], *path).is_ok()) << old_size << " of " << size;
      EXPECT_FALSE(ledger::check_consistency(old_size, roots_[old_size], size, roots_[size - 1], *path).is_ok());
      for (size_t i = 0; i < path->size(); ++i) {
        auto damaged = *path;
        damaged[i][0] ^= 1;
        EXPECT_FALSE(ledger::check_consistency(old_size, roots_[old_size], size, roots_[size], damaged).is_ok());
        auto shorter = *path;
        shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_FALSE(ledger::check_consistency(old_size, roots_[old_size], size, roots_[size], shorter).is_ok());
      }
    }
  }
}

TEST_F(TreeProofTest, EmptyTreeIsTheBeginningOfAll) {
  EXPECT_TRUE(ledger::check_consistency(0, roots_[0], 5, roots_[5], {}).is_ok());
  EXPECT_FALSE(ledger::check_consistency(5, roots_[5], 4, roots_[4], {}).is_ok());
}

TEST_F(TreeProofTest, UnreadableNodeIsSaid) {
  const auto none = [](int, uint64_t) -> base::Result<base::Sha256> { return base::Status(base::Code::kCorruption, "torn"); };
  EXPECT_EQ(ledger::inclusion_path(3, 8, none).status().message(), "torn");
  EXPECT_EQ(ledger::consistency_path(3, 8, none).status().message(), "torn");
}

}  // namespace
