// What a witness file says by itself: every line signed, and a shorter checkpoint only behind a loss that is stated.
#include "ledger/proof/witness_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"

namespace {

using testing::HasSubstr;

class P10WitnessFileTest : public testing::Test {
 protected:
  P10WitnessFileTest() : key_(ledger::SigningKey::generate("runledger/0123").value()) {}
  std::string entry(uint64_t size, std::vector<ledger::StatedLoss> losses = {}) {
    const ledger::Checkpoint checkpoint{key_.public_key().name, size, base::sha256(std::to_string(size)), std::move(losses)};
    return ledger::witness_entry(key_.sign(checkpoint.text()).value(), static_cast<int64_t>(size));
  }
  auto parse(const std::string& text) { return ledger::parse_witness_text(text, "FILE", {key_.public_key()}); }
  ledger::SigningKey key_;
};

TEST_F(P10WitnessFileTest, LossMarksThoseThatWentWithIt) {
  const auto entries = parse(entry(10) + entry(20) + entry(30) + entry(15, {{15, 25, 14}}) + entry(40));
  EXPECT_EQ(entries.status().code(), base::Code::kCorruption) << "30 is more than what is stated to be lost";
  const auto whole = parse(entry(10) + entry(20) + entry(30) + entry(15, {{15, 30, 14}}) + entry(40));
  ASSERT_TRUE(whole.is_ok()) << whole.status().message();
  EXPECT_FALSE((*whole)[0].lost);
  EXPECT_EQ((*whole)[1].lost, (ledger::StatedLoss{15, 30, 14}));
  EXPECT_TRUE((*whole)[2].lost);
  EXPECT_FALSE((*whole)[3].lost || (*whole)[4].lost);
  EXPECT_EQ(ledger::last_standing(*whole)->checkpoint.size, 40u);
}

TEST_F(P10WitnessFileTest, ShorterCheckpointWithoutALossIsNamed) {
  const auto entries = parse(entry(10) + entry(20) + entry(15));
  EXPECT_EQ(entries.status().code(), base::Code::kCorruption);
  EXPECT_THAT(entries.status().message(), HasSubstr("FILE: checkpoint 3 has 15 events, the one before 20, and no loss is stated"));
}

TEST_F(P10WitnessFileTest, LossIsSignedAndReadBack) {
  const ledger::Checkpoint checkpoint{"runledger/0123", 15, base::sha256("15"), {{15, 30, 14}, {40, 50, 39}}};
  EXPECT_THAT(checkpoint.text(), testing::EndsWith("\nrunledger-loss 15 30 14\nrunledger-loss 40 50 39\n"));
  EXPECT_EQ(*ledger::Checkpoint::parse(checkpoint.text()), checkpoint);
  const std::string cut = ledger::Checkpoint{"runledger/0123", 15, base::sha256("15")}.text() + "runledger-loss 15 30\n";
  EXPECT_THAT(ledger::Checkpoint::parse(cut).status().message(), HasSubstr("three numbers"));
}

TEST_F(P10WitnessFileTest, EntryCutAtAnyByteIsPassedOverAndTheNextOnesCount) {
  const std::string cut_one = entry(20);
  for (const std::string& before : {std::string(), entry(10)}) {
    for (size_t size = 0; size <= cut_one.size(); ++size) {
      const bool is_whole = size + 2 >= cut_one.size();  // what lacks is the end of its line, or the empty one
      const size_t whole = (before.empty() ? 0 : 1) + (is_whole ? 1 : 0);
      std::string text = before + cut_one.substr(0, size);
      const auto cut = parse(text);
      ASSERT_TRUE(cut.is_ok()) << size << ": " << cut.status().message();
      EXPECT_EQ(cut->size(), whole) << size;
      if (!text.empty() && !text.ends_with('\n')) text += '\n';  // as the next one is appended
      const auto entries = parse(text + entry(30) + entry(40));
      ASSERT_TRUE(entries.is_ok()) << size << ": " << entries.status().message();
      ASSERT_EQ(entries->size(), whole + 2) << size;
      EXPECT_EQ(entries->back().note, parse(entry(40))->back().note) << size;
      EXPECT_EQ((*entries)[whole].checkpoint.size, 30u) << size;
    }
  }
}

TEST_F(P10WitnessFileTest, ChangedSignatureIsNoEntryCutShort) {
  const std::string whole = entry(10);
  const size_t end = whole.size() - 2;  // of the signature
  for (const std::string& changed : {whole.substr(0, end - 1) + whole.substr(end), whole.substr(0, end - 9) + "AAAA" + whole.substr(end - 5)}) {
    const auto entries = parse(changed + entry(20));
    EXPECT_EQ(entries.status().code(), base::Code::kCorruption) << changed;
    EXPECT_THAT(entries.status().message(), HasSubstr("FILE: checkpoint 1: "));
  }
}

TEST_F(P10WitnessFileTest, NoFileHoldsNothing) {
  EXPECT_EQ(ledger::last_standing({}), nullptr);
  EXPECT_TRUE(ledger::read_witness_file("/nowhere/checkpoints", key_.public_key())->empty());
}

}  // namespace
