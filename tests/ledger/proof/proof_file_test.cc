#include "ledger/proof/proof_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "ledger/proof/tree_proof.h"

namespace {

using ledger::ProofFile;
using testing::HasSubstr;

/// A log of texts, with all its nodes in memory.
class Log {
 public:
  explicit Log(uint64_t size) {
    for (uint64_t i = 0; i < size; ++i) {
      edge.append(ledger::leaf_hash(text(i)), [&](int level, uint64_t index, const base::Sha256& hash) { nodes[{level, index}] = hash; });
    }
  }
  static std::string text(uint64_t index) { return "event " + std::to_string(index); }
  ledger::ReadNode reader() const {
    return [this](int level, uint64_t index) -> base::Result<base::Sha256> { return nodes.at({level, index}); };
  }
  ledger::TreeEdge edge;
  std::map<std::pair<int, uint64_t>, base::Sha256> nodes;
};

class P10ProofFileTest : public testing::Test {
 protected:
  std::string signed_note(const Log& log) const { return *key.sign(ledger::Checkpoint{key.public_key().name, log.edge.size(), log.edge.root()}.text()); }
  ProofFile proof() const {
    const Log log(13);
    ProofFile file;
    file.checkpoint = signed_note(log);
    for (const uint64_t seq : {3, 12, 13}) {
      file.events.push_back({seq, Log::text(seq - 1), *ledger::inclusion_path(seq - 1, 13, log.reader())});
    }
    for (const std::string& text : {std::string("print('hello')\n"), std::string()}) file.documents[std::string(base::as_bytes(base::sha256(text)))] = text;
    return file;
  }
  ledger::SigningKey key = *ledger::SigningKey::generate("runledger/0123");
  std::vector<ledger::NoteKey> keys{key.public_key()};
};

TEST_F(P10ProofFileTest, ComesBackFromItsTextAndIsProven) {
  auto parsed = ProofFile::parse(proof().text());
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
  EXPECT_EQ(parsed->text(), proof().text());
  const auto checkpoint = parsed->check(keys);
  ASSERT_TRUE(checkpoint.is_ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->size, 13u);
}

TEST_F(P10ProofFileTest, AnyChangedCharacterIsRefused) {
  const std::string whole = proof().text();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] ^= 1;
    const auto parsed = ProofFile::parse(changed);
    EXPECT_FALSE(parsed.is_ok() && parsed->check(keys).is_ok()) << "character " << at;
    const auto cut = ProofFile::parse(whole.substr(0, at));
    EXPECT_FALSE(cut.is_ok()) << "cut to " << at;
  }
  EXPECT_THAT(ProofFile::parse(whole + "more\n").status().message(), HasSubstr("nothing may follow \"end\""));
}

TEST_F(P10ProofFileTest, AnotherKeyOrPlaceIsRefused) {
  const auto other = ledger::SigningKey::generate("runledger/0123");
  EXPECT_EQ(proof().check({other->public_key()}).status().code(), base::Code::kPermissionDenied);
  ProofFile moved = proof();
  moved.events[0].seq = 4;
  EXPECT_THAT(moved.check(keys).status().message(), HasSubstr("event 4: "));
  ProofFile beyond = proof();
  beyond.events[0].seq = 14;
  EXPECT_FALSE(beyond.check(keys).is_ok());
}

TEST_F(P10ProofFileTest, LineThatIsWrongIsNamed) {
  EXPECT_THAT(ProofFile::parse("").status().message(), HasSubstr("line 1: \"runledger proof 1\" is expected"));
  EXPECT_THAT(ProofFile::parse("runledger proof 1\ncheckpoint\n| a\nevent 0\n").status().message(), HasSubstr("line 4: a number from 1 on"));
  EXPECT_THAT(ProofFile::parse("runledger proof 1\ncheckpoint\n| a\nevent 1\nbytes ??\nend\n").status().message(), HasSubstr("line 5: "));
}

TEST_F(P10ProofFileTest, ContinuationIsProvenAndARewrittenLogIsNot) {
  const Log before(5), after(13);
  ledger::ConsistencyFile file{signed_note(before), signed_note(after), *ledger::consistency_path(5, 13, after.reader())};
  const auto parsed = ledger::ConsistencyFile::parse(file.text());
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
  const auto checked = parsed->check(keys);
  ASSERT_TRUE(checked.is_ok()) << checked.status().message();
  EXPECT_EQ(checked->from.size, 5u);
  EXPECT_EQ(checked->to.size, 13u);

  Log rewritten(5);
  rewritten.edge = ledger::TreeEdge();
  for (int i = 0; i < 5; ++i) rewritten.edge.append(ledger::leaf_hash("other"), [](int, uint64_t, const base::Sha256&) {});
  file.from = signed_note(rewritten);
  EXPECT_EQ(file.check(keys).status().code(), base::Code::kCorruption);
  const std::string whole = parsed->text();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] ^= 1;
    const auto other = ledger::ConsistencyFile::parse(changed);
    EXPECT_FALSE(other.is_ok() && other->check(keys).is_ok()) << "character " << at;
  }
}

}  // namespace
