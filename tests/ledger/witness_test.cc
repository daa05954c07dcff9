// P10: two checkpoints that contradict each other are never signed.
#include "ledger/witness.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "ledger/verify.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::HasSubstr;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class P10WitnessTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    options_.sync = false;
    must_open();
  }
  std::filesystem::path file() const { return root_ / "outside" / "checkpoints"; }
  ledger::Witness witness() const { return ledger::Witness(ledger_->checkpoint_key(), file()); }
  base::Result<std::string> sign() { return witness().sign(*ledger_->snapshot(), clock_.now_ns()); }
  const ledger::NoteKey& key() const { return ledger_->checkpoint_key()->public_key(); }
};

TEST_F(P10WitnessTest, CheckpointIsSignedAndWitnessedOnce) {
  EXPECT_EQ(sign().status().code(), base::Code::kNotFound) << "an empty log";
  note_many(5);
  const auto note = sign();
  ASSERT_TRUE(note.is_ok()) << note.status().message();
  const auto checkpoint = ledger::Checkpoint::open(*note, {key()});
  ASSERT_TRUE(checkpoint.is_ok());
  EXPECT_EQ(checkpoint->size, 5u);
  EXPECT_EQ(checkpoint->root, ledger_->verification()->run({}).root);
  EXPECT_EQ(*sign(), *note) << "nothing has grown";
  EXPECT_EQ(ledger::read_witness_file(file(), key())->size(), 1u);
  note_many(3, "more");
  ASSERT_TRUE(sign().is_ok());
  const auto entries = ledger::read_witness_file(file(), key());
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].note, *note);
  EXPECT_EQ((*entries)[1].checkpoint.size, 8u);
}

TEST_F(P10WitnessTest, FileBeginsEachEntryWithItsTime) {
  note_many(1);
  const std::string note = *sign();
  EXPECT_EQ(contents(file()), "--- " + base::iso_time(clock_.now_ns()) + "\n" + note + "\n");
}

TEST_F(P10WitnessTest, RewrittenLedgerIsRefusedAndNothingIsOverwritten) {
  note_many(5);
  ASSERT_TRUE(sign().is_ok());
  const std::string before = contents(file());
  for (const int events : {4, 5, 9}) {
    // With the same key, as somebody has it who can replace the folder.
    auto other = ledger::Ledger::open(root_ / ("other" + std::to_string(events)), options_, clock_, support::toy_rules());
    ASSERT_TRUE(other.is_ok());
    for (int i = 0; i < events; ++i) (*other)->apply(support::annotate_run(std::to_string(i), "MARI", 1, "rewritten").reader(), support::person());
    ledger::Witness witness(ledger_->checkpoint_key(), file());
    const auto refused = witness.sign(*(*other)->snapshot(), clock_.now_ns());
    EXPECT_EQ(refused.status().code(), base::Code::kCorruption) << events;
    EXPECT_THAT(refused.status().message(), HasSubstr(events == 4 ? "the ledger holds 4 events" : "the log was rewritten"));
    EXPECT_THAT(witness.problem().message(), HasSubstr("nothing is signed"));
    EXPECT_EQ(contents(file()), before);
  }
}

TEST_F(P10WitnessTest, CheckpointOfAnotherKeyIsNamedAndRefused) {
  note_many(2);
  const auto foreign = ledger::SigningKey::generate(key().name);
  std::filesystem::create_directories(file().parent_path());
  const std::string entry = "--- 2026-11-01T12:00:00Z\n" + *foreign->sign(ledger::Checkpoint{key().name, 1, base::sha256("x")}.text()) + "\n";
  root_.write("outside/checkpoints", entry);
  const auto refused = sign();
  EXPECT_EQ(refused.status().code(), base::Code::kPermissionDenied);
  EXPECT_THAT(refused.status().message(), HasSubstr("checkpoint 1 was signed by another key"));
  EXPECT_EQ(contents(file()), entry);
}

TEST_F(P10WitnessTest, ChangedEntryIsNamedAndOneCutShortIsPassedOver) {
  note_many(2);
  ASSERT_TRUE(sign().is_ok());
  const std::string whole = contents(file());
  note_many(2, "more");
  root_.write("outside/checkpoints", whole + "--- 2026-11-01T12:00:01Z\nrunledger/");
  ASSERT_TRUE(sign().is_ok()) << sign().status().message();
  EXPECT_EQ(ledger::read_witness_file(file(), key())->size(), 2u);
  std::string changed = whole;
  changed[changed.find("\n2\n") + 1] = '3';
  root_.write("outside/checkpoints", changed);
  const auto refused = sign();
  EXPECT_EQ(refused.status().code(), base::Code::kCorruption);
  EXPECT_THAT(refused.status().message(), HasSubstr("checkpoint 1: the signature of"));
  root_.write("outside/checkpoints", "something else\n");
  EXPECT_THAT(sign().status().message(), HasSubstr("is no witness file"));
}

TEST_F(P10WitnessTest, LostKeySignsNothingAndStopsNothing) {
  note_many(2);
  close();
  std::filesystem::remove(folder() / "checkpoint.key");
  must_open();
  EXPECT_EQ(sign().status().code(), base::Code::kCorruption);
  EXPECT_THAT(witness().problem().message(), HasSubstr("checkpoint.key"));
  EXPECT_TRUE(note("goes on", "text").status.is_ok());
}

TEST_F(P10WitnessTest, UnwritableFileIsSaid) {
  note_many(1);
  root_.write("outside", "a file, no folder");
  EXPECT_THAT(sign().status().message(), HasSubstr("outside/checkpoints"));
}

}  // namespace
