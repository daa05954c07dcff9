// The formulas are those of c2sp.org/tlog-tiles, written down again.
#include "ledger/proof/tiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "ledger/proof/checkpoint.h"
#include "tests/support/temporary_folder.h"

namespace {

std::map<std::string, std::string> files_below(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[std::filesystem::relative(entry.path(), folder)] = text.str();
  }
  return files;
}

class TileWriterTest : public testing::TestWithParam<uint64_t> {
 protected:
  static std::string entry(uint64_t index) { return std::string(index % 5, 'e') + std::to_string(index); }
  support::TemporaryFolder folder;
};

TEST(TileNumberTest, GroupsOfThreeDigitsAllButTheLastWithAnX) {
  EXPECT_EQ(ledger::tile_number(0), "000");
  EXPECT_EQ(ledger::tile_number(67), "067");
  EXPECT_EQ(ledger::tile_number(1000), "x001/000");
  EXPECT_EQ(ledger::tile_number(1234067), "x001/x234/067");
}

TEST_P(TileWriterTest, FilesAreThoseOfTheStandard) {
  const uint64_t size = GetParam();
  ledger::TileWriter writer(folder.path());
  ledger::TreeEdge edge;
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes;
  for (uint64_t i = 0; i < size; ++i) {
    ASSERT_TRUE(writer.append(entry(i)).is_ok());
    edge.append(ledger::leaf_hash(entry(i)), [&](int level, uint64_t index, const base::Sha256& hash) { nodes[{level, index}] = hash; });
  }
  const auto key = ledger::SigningKey::generate("runledger/0123");
  const std::string note = *key->sign(ledger::Checkpoint{"runledger/0123", size, edge.root()}.text());
  const base::Status finished = writer.finish(note);
  ASSERT_TRUE(finished.is_ok()) << finished.message();

  std::map<std::string, std::string> wanted{{"checkpoint", note}};
  uint64_t hashes = size;  // floor(size / 256^level)
  for (int level = 0; hashes > 0; ++level, hashes /= 256) {
    for (uint64_t tile = 0; tile * 256 < hashes; ++tile) {
      const uint64_t width = std::min<uint64_t>(256, hashes - tile * 256);
      char name[64];
      std::snprintf(name, sizeof name, width < 256 ? "tile/%d/%03d.p/%d" : "tile/%d/%03d", level, static_cast<int>(tile), static_cast<int>(width));
      for (uint64_t i = 0; i < width; ++i) wanted[name] += base::as_bytes(nodes.at({8 * level, tile * 256 + i}));
      if (level > 0) continue;
      std::string bundle = name;
      bundle.replace(5, 1, "entries");
      for (uint64_t i = 0; i < width; ++i) {
        const std::string text = entry(tile * 256 + i);
        wanted[bundle] += '\0';
        wanted[bundle] += static_cast<char>(text.size());
        wanted[bundle] += text;
      }
    }
  }
  EXPECT_EQ(files_below(folder.path()), wanted);
}
INSTANTIATE_TEST_SUITE_P(Sizes, TileWriterTest, testing::Values(1, 255, 256, 257, 512, 700, 65537));

TEST_F(TileWriterTest, OtherEventsThanTheCheckpointsAreRefused) {
  ledger::TileWriter writer(folder.path());
  ASSERT_TRUE(writer.append("one").is_ok());
  const auto key = ledger::SigningKey::generate("runledger/0123");
  const std::string note = *key->sign(ledger::Checkpoint{"runledger/0123", 1, ledger::leaf_hash("two")}.text());
  EXPECT_EQ(writer.finish(note).code(), base::Code::kCorruption);
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoint"));
  EXPECT_EQ(writer.append(std::string(65536, 'x')).code(), base::Code::kInvalidArgument);
}

}  // namespace
