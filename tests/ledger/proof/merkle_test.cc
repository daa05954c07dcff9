#include "ledger/proof/merkle.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/text.h"

namespace {

/// RFC 6962 section 2.1, word for word.
base::Sha256 naive_root(const std::vector<std::string>& leaves, size_t begin, size_t end) {
  if (begin == end) return base::sha256("");
  if (end - begin == 1) return ledger::leaf_hash(leaves[begin]);
  size_t split = 1;
  while (split * 2 < end - begin) split *= 2;
  return ledger::node_hash(naive_root(leaves, begin, begin + split), naive_root(leaves, begin + split, end));
}

TEST(TreeEdgeTest, RootsAreThoseOfCertificateTransparency) {
  // The reference leaves and roots of the certificate-transparency test suite.
  const char* leaves[] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
  const char* roots[] = {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  ledger::TreeEdge edge;
  EXPECT_EQ(base::hex(edge.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (size_t i = 0; i < std::size(leaves); ++i) {
    edge.append(ledger::leaf_hash(*base::from_hex(leaves[i])), [](int, uint64_t, const base::Sha256&) {});
    EXPECT_EQ(base::hex(edge.root()), roots[i]) << i + 1 << " leaves";
  }
}

TEST(TreeEdgeTest, EveryEarlierSizeCanBeTakenUpFromTheCompleteNodes) {
  std::vector<std::string> leaves;
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes;
  ledger::TreeEdge edge;
  for (int i = 0; i < 300; ++i) {
    leaves.push_back("leaf " + std::to_string(i));
    edge.append(ledger::leaf_hash(leaves.back()), [&](int level, uint64_t index, const base::Sha256& hash) {
      EXPECT_TRUE(nodes.emplace(std::pair(level, index), hash).second) << "node " << level << "/" << index << " twice";
    });
    ASSERT_EQ(edge.root(), naive_root(leaves, 0, leaves.size())) << leaves.size();
  }
  for (uint64_t size = 0; size <= leaves.size(); ++size) {
    const ledger::TreeEdge earlier(size, [&](int level, uint64_t index) { return nodes.at({level, index}); });
    EXPECT_EQ(earlier.root(), naive_root(leaves, 0, size)) << size;
  }
}

}  // namespace
