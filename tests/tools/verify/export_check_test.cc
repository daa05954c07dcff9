// P10: an auditor with an export, the public key and the checkpoints that were kept needs no ledger to tell whether history was rewritten.
#include "tools/verify/export_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "ledger/canonical.h"
#include "ledger/proof/merkle.h"
#include "ledger/transfer/export_writer.h"
#include "schema/event.capnp.h"
#include "tests/support/temporary_folder.h"
#include "tools/verify/kept_checkpoints.h"

namespace {

using testing::HasSubstr;

const std::string kId(32, 'a');

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A script registered; `blob` is its text.
std::string event(uint64_t seq, std::string_view blob) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  event.setSeq(seq);
  event.setTime(static_cast<int64_t>(1'800'000'000'000'000'000 + seq));
  event.setCommandId("c" + std::to_string(seq));
  event.initActor().setName("alice");
  const base::Sha256 hash = base::sha256(blob);
  event.getBody().initScriptRegistered().setSha256({hash.data(), hash.size()});
  return ledger::canonical_bytes(message.getRoot<schema::Event>().asReader());
}

std::string accepted_loss(uint64_t seq, uint64_t promised, const base::Sha256& promised_root, const base::Sha256& kept_root) {
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  event.setSeq(seq);
  event.setTime(static_cast<int64_t>(1'800'000'000'000'000'000 + seq));
  auto loss = event.getBody().initLossAccepted();
  loss.setPromisedEvents(promised);
  loss.setPromisedRoot({promised_root.data(), promised_root.size()});
  loss.setKeptEvents(seq - 1);
  loss.setKeptRoot({kept_root.data(), kept_root.size()});
  return ledger::canonical_bytes(message.getRoot<schema::Event>().asReader());
}

ledger::TreeEdge tree(const std::vector<std::string>& events, size_t count) {
  ledger::TreeEdge edge;
  for (size_t i = 0; i < count; ++i) edge.append(ledger::leaf_hash(events[i]), [](int, uint64_t, const base::Sha256&) {});
  return edge;
}

class P10ExportCheckTest : public testing::Test {
 protected:
  P10ExportCheckTest() : key_(ledger::SigningKey::generate(ledger::checkpoint_origin(kId)).value()) {
    for (uint64_t seq = 1; seq <= 5; ++seq) {
      scripts_.push_back("def main(): return " + std::to_string(seq));
      events_.push_back(event(seq, scripts_.back()));
    }
  }
  std::string checkpoint(uint64_t size) { return checkpoint(key_, size, tree(events_, size).root()); }
  std::string checkpoint(const ledger::SigningKey& key, uint64_t size, const base::Sha256& root) {
    return key.sign(ledger::Checkpoint{key.public_key().name, size, root}.text()).value();
  }
  /// Events from..5 with their documents.
  std::string written(uint64_t from, std::string_view note) {
    const std::filesystem::path path = root_ / ("export" + std::to_string(files_++));
    auto writer = ledger::ExportWriter::create(path, {kId, from, events_.size(), tree(events_, from - 1), "0.1.0"}).value();
    for (size_t i = from - 1; i < events_.size(); ++i) {
      if (!scripts_[i].empty()) writer->hold(scripts_[i]);
      EXPECT_TRUE(writer->add(events_[i]).is_ok());
    }
    EXPECT_TRUE(writer->finish(note).is_ok());
    return path;
  }
  base::Status check(const std::string& path, const std::string& kept = "") {
    std::vector<ledger::Witnessed> entries;
    if (!kept.empty()) {
      auto read = tools::read_checkpoints(root_.write("kept", kept), {key_.public_key()});
      if (!read.is_ok()) return read.status();
      entries = *read;
    }
    findings_ = {};
    return tools::check_export_file(findings_, path, {key_.public_key()}, entries, "kept");
  }

  support::TemporaryFolder root_;
  ledger::SigningKey key_;
  std::vector<std::string> scripts_, events_;
  tools::Findings findings_;
  int files_ = 0;
};

TEST_F(P10ExportCheckTest, SignedExportIsProven) {
  const base::Status status = check(written(1, checkpoint(5)));
  ASSERT_TRUE(status.is_ok()) << status.message();
  EXPECT_THAT(findings_.text, HasSubstr("PROVEN: events 1 to 5 of runledger/" + kId + ", with 5 documents"));
  EXPECT_EQ(findings_.json["size"], 5);
  EXPECT_EQ(findings_.json["documents"], 5);
}

TEST_F(P10ExportCheckTest, LaterPartIsProvenAndSaysWhereItBegins) {
  const base::Status status = check(written(4, checkpoint(5)));
  ASSERT_TRUE(status.is_ok()) << status.message();
  EXPECT_THAT(findings_.text, HasSubstr("It begins behind event 3"));
  EXPECT_EQ(findings_.json["from"], 4);
}

TEST_F(P10ExportCheckTest, EditedBytesAndCutsAreNotProven) {
  const std::string bytes = read_file(written(1, checkpoint(5)));
  for (size_t at = 0; at < bytes.size(); at += 5) {  // each one: tests/ledger/transfer
    std::string changed = bytes;
    changed[at] ^= 0x01;
    EXPECT_FALSE(check(root_.write("changed", changed)).is_ok()) << "byte " << at;
  }
  for (size_t size = 0; size < bytes.size(); size += 50) EXPECT_FALSE(check(root_.write("cut", bytes.substr(0, size))).is_ok()) << "cut to " << size;
}

TEST_F(P10ExportCheckTest, ExportMadeToFitIsFoundByItsCheckpoint) {
  // Whoever rewrites a whole export gets every checksum and the root right; the key is what is missing.
  const std::string note = checkpoint(5);
  scripts_[2] = "def main(): return 'nothing happened'";
  events_[2] = event(3, scripts_[2]);
  const base::Status forged = check(written(1, note));
  EXPECT_EQ(forged.code(), base::Code::kCorruption);
  EXPECT_THAT(forged.message(), HasSubstr("its events are not those that were signed"));
}

TEST_F(P10ExportCheckTest, AnotherKeyAnotherLedgerAndNoCheckpointProveNothing) {
  const auto stranger = ledger::SigningKey::generate(key_.public_key().name).value();
  EXPECT_EQ(check(written(1, checkpoint(stranger, 5, tree(events_, 5).root()))).code(), base::Code::kPermissionDenied);
  const auto unsigned_one = check(written(1, ""));
  EXPECT_THAT(unsigned_one.message(), HasSubstr("bears no signed checkpoint"));
  const std::string other = key_.sign(ledger::Checkpoint{"runledger/other", 5, tree(events_, 5).root()}.text()).value();
  EXPECT_THAT(check(written(1, other)).message(), HasSubstr("its checkpoint is of runledger/other"));
  EXPECT_THAT(check(written(1, checkpoint(4))).message(), HasSubstr("the checkpoint is of 4 events"));
}

TEST_F(P10ExportCheckTest, KeptCheckpointsAreContinuedOrTheRewritingIsNamed) {
  const std::string path = written(1, checkpoint(5)), later = written(4, checkpoint(5));
  ASSERT_TRUE(check(path, checkpoint(2)).is_ok());
  EXPECT_THAT(findings_.text, HasSubstr("It continues 1 checkpoint of kept"));
  const std::string witnessed = ledger::witness_entry(checkpoint(2), 1) + ledger::witness_entry(checkpoint(3), 2) + ledger::witness_entry(checkpoint(5), 3);
  ASSERT_TRUE(check(path, witnessed).is_ok());
  EXPECT_EQ(findings_.json["compared_checkpoints"], 3);
  ASSERT_TRUE(check(later, witnessed).is_ok()) << "one before it begins is left out, the one it begins at is not";
  EXPECT_EQ(findings_.json["compared_checkpoints"], 2);
  EXPECT_THAT(check(later, checkpoint(2)).message(), HasSubstr("nothing could be compared"));

  std::vector<std::string> rewritten = events_;
  rewritten[1] = event(2, "another");
  const std::string old = checkpoint(key_, 3, tree(rewritten, 3).root());
  const base::Status refused = check(path, ledger::witness_entry(checkpoint(1), 1) + ledger::witness_entry(old, 2));
  EXPECT_EQ(refused.code(), base::Code::kCorruption);
  EXPECT_THAT(refused.message(), HasSubstr("the first 3 events are not those of checkpoint 2 of kept"));
}

TEST_F(P10ExportCheckTest, LossThatIsStatedIsReportedAndExplainsOlderCheckpoints) {
  // Of 9 events 3 were kept; all 9 had been witnessed.
  const auto lost_root = base::sha256("nine events, gone");
  const std::string before = ledger::witness_entry(checkpoint(2), 1) + ledger::witness_entry(checkpoint(key_, 9, lost_root), 2);
  events_[3] = accepted_loss(4, 9, lost_root, tree(events_, 3).root());
  scripts_[3].clear();
  const std::string path = written(1, checkpoint(5));
  ASSERT_TRUE(check(path, before).is_ok()) << check(path, before).message();
  EXPECT_THAT(findings_.text, HasSubstr("stated loss: event 4 accepts that events 4 to 9 were lost\nIt continues 1 checkpoint of kept; 1 went with"));
  EXPECT_EQ(findings_.json["losses"].size(), 1u);

  ledger::Checkpoint stated{key_.public_key().name, 4, tree(events_, 4).root(), {{4, 9, 3}}};
  const std::string after = before + ledger::witness_entry(key_.sign(stated.text()).value(), 3);
  EXPECT_TRUE(check(path, after).is_ok()) << check(path, after).message();
  EXPECT_TRUE(check(written(5, checkpoint(5)), after).is_ok()) << "the loss is stated before it begins";
  const base::Status hidden = check(path, after + ledger::witness_entry(checkpoint(key_, 5, base::sha256("another fifth event")), 4));
  EXPECT_THAT(hidden.message(), HasSubstr("the first 5 events are not those of checkpoint 4")) << "signed when the loss was stated already";

  findings_ = {};
  ASSERT_TRUE(tools::check_checkpoints(findings_, root_.write("witness", after), {key_.public_key()}).is_ok());
  EXPECT_THAT(findings_.text, HasSubstr("PROVEN: 3 checkpoints of runledger/"));
  EXPECT_THAT(findings_.text, HasSubstr("stated loss: event 4 accepts that of 9 promised events 3 were kept; 1 checkpoint went with the others"));
}

}  // namespace
