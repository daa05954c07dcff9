#include "ledger/proof/checkpoint.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "ledger/proof/merkle.h"

namespace {

TEST(CheckpointTest, ComesBackFromItsSignedNote) {
  auto key = ledger::SigningKey::generate(ledger::checkpoint_origin("0123"));
  ASSERT_TRUE(key.is_ok());
  const ledger::Checkpoint checkpoint{"runledger/0123", 42, ledger::leaf_hash("x")};
  const std::string note = *key->sign(checkpoint.text());
  auto opened = ledger::Checkpoint::open(note, {key->public_key()});
  ASSERT_TRUE(opened.is_ok()) << opened.status().message();
  EXPECT_EQ(*opened, checkpoint);
}

TEST(CheckpointTest, TextIsThatOfTheStandard) {
  const ledger::Checkpoint checkpoint{"runledger/0123", 0, base::sha256("")};
  EXPECT_EQ(checkpoint.text(), "runledger/0123\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
}

TEST(CheckpointTest, ExtensionLinesArePassedOver) {
  const ledger::Checkpoint checkpoint{"o", 7, base::sha256("")};
  EXPECT_EQ(*ledger::Checkpoint::parse(checkpoint.text() + "more\n"), checkpoint);
}

TEST(CheckpointTest, OtherTextsAreRefused) {
  const std::string root = base::base64(std::string(32, 'r'));
  for (const std::string& text : std::vector<std::string>{"", "o\n1\n", "\n1\n" + root + "\n", "o\n01\n" + root + "\n", "o\n-1\n" + root + "\n",
                                  "o\n1\n" + root, "o\n1\nAAAA\n", "o\n1\n" + root + "\n\n", "o\n18446744073709551616\n" + root + "\n"}) {
    EXPECT_EQ(ledger::Checkpoint::parse(text).status().code(), base::Code::kInvalidArgument) << text;
  }
}

TEST(TlogProofTest, ComesBackFromItsText) {
  const ledger::TlogProof proof{73894, {ledger::leaf_hash("a"), ledger::leaf_hash("b")}, "o\n80000\nroot\n\n\xE2\x80\x94 o sig\n"};
  auto parsed = ledger::TlogProof::parse(proof.text());
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
  EXPECT_EQ(parsed->index, proof.index);
  EXPECT_EQ(parsed->path, proof.path);
  EXPECT_EQ(parsed->checkpoint, proof.checkpoint);
}

TEST(TlogProofTest, ExtraDataOfOthersIsPassedOver) {
  const ledger::TlogProof proof{0, {}, "o\n1\n"};
  std::string text = proof.text();
  text.insert(text.find("index"), "extra YWdl\n");
  EXPECT_TRUE(ledger::TlogProof::parse(text).is_ok());
}

TEST(TlogProofTest, OtherTextsAreRefused) {
  for (const char* text : {"", "c2sp.org/tlog-proof@v2\nindex 1\n\no\n", "c2sp.org/tlog-proof@v1\n\no\n", "c2sp.org/tlog-proof@v1\nindex 01\n\no\n",
                           "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\no\n", "c2sp.org/tlog-proof@v1\nindex 1\n"}) {
    EXPECT_EQ(ledger::TlogProof::parse(text).status().code(), base::Code::kInvalidArgument) << text;
  }
}

}  // namespace
