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

/// A ledger that lost its later events: it held 30 and was witnessed at 10, 20 and 30, and 15 of them came back.
class P10LossTest : public P10WitnessTest {
 protected:
  void SetUp() override {
    P10WitnessTest::SetUp();
    note_many(10);
    ASSERT_TRUE(sign().is_ok());
    note_many(5, "kept");
    close();
    std::filesystem::copy(folder() / "db", root_ / "older", std::filesystem::copy_options::recursive);
    must_open();
    note_many(5, "lost");
    ASSERT_TRUE(sign().is_ok());
    note_many(10, "also lost");
    ASSERT_TRUE(sign().is_ok());
    close();
    std::filesystem::remove_all(folder() / "db");
    std::filesystem::rename(root_ / "older", folder() / "db");
    before_ = contents(file());
    EXPECT_EQ(open().code(), base::Code::kCorruption);
  }
  void accept() {
    const ledger::AcceptedLoss loss{support::person(), "the disk is gone"};
    options_.accept_loss = &loss;
    must_open();
    options_.accept_loss = nullptr;
    ASSERT_EQ(ledger_->head(), 16u);
    close();  // HEAD is written then
    must_open();
  }
  ledger::VerifyReport verify(uint64_t from = 1) {
    ledger::Verification::Options options;
    EXPECT_TRUE(options.hold_against(*ledger::read_witness_file(file(), key()), "FILE", from).is_ok());
    return ledger_->verification()->run(options);
  }
  std::string before_;
};

TEST_F(P10LossTest, AcceptedLossIsStatedInTheFileAndNothingIsTakenOutOfIt) {
  accept();
  const auto note = sign();
  ASSERT_TRUE(note.is_ok()) << note.status().message();
  EXPECT_THAT(*note, HasSubstr("\nrunledger-loss 16 30 15\n"));
  EXPECT_TRUE(contents(file()).starts_with(before_));
  const auto entries = *ledger::read_witness_file(file(), key());
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_FALSE(entries[0].lost);
  EXPECT_TRUE(entries[1].lost && entries[2].lost);
  EXPECT_EQ(ledger::last_standing(entries)->checkpoint.size, 16u);

  note_many(20, "new");  // past where it was, with other events
  const auto next = sign();
  ASSERT_TRUE(next.is_ok()) << next.status().message();
  EXPECT_THAT(*next, testing::Not(HasSubstr("runledger-loss"))) << "it is stated once";
  EXPECT_EQ(ledger::read_witness_file(file(), key())->size(), 5u);
}

TEST_F(P10LossTest, VerifyReportsAStatedLossAndNoFinding) {
  accept();
  for (const bool is_stated : {false, true}) {
    if (is_stated) {
      ASSERT_TRUE(sign().is_ok());
      note_many(30, "new");
      ASSERT_TRUE(sign().is_ok());
    }
    const auto report = verify();
    EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);
    ASSERT_EQ(report.loss_words.size(), 1u);
    EXPECT_EQ(report.loss_words[0],
              "event 16 accepts that events 16 to 30 were lost; what went with them: checkpoint 2 of FILE, checkpoint 3 of FILE");
  }
  const auto part = verify(20);
  EXPECT_TRUE(part.ok) << testing::PrintToString(part.findings);
  EXPECT_EQ(part.loss_words.size(), 1u) << "behind the trusted checkpoint, of 16 events";
}

TEST_F(P10LossTest, LossThatNoEventAcceptsIsRefused) {
  // HEAD is brought down too, as somebody does who wants nobody to know.
  std::filesystem::remove(folder() / "HEAD");
  const ledger::AcceptedLoss unknown{support::person(), "no idea"};
  options_.accept_loss = &unknown;
  must_open();  // its event names no promise, so it explains nothing that was witnessed
  options_.accept_loss = nullptr;
  EXPECT_THAT(sign().status().message(), HasSubstr("no event accepts that; nothing is signed"));
  note_many(30, "new");
  EXPECT_THAT(sign().status().message(), HasSubstr("the log was rewritten"));
  EXPECT_EQ(contents(file()), before_);
  EXPECT_FALSE(verify().ok);
}

TEST_F(P10LossTest, EarlierLossDoesNotHideALaterOne) {
  accept();
  note_many(2, "new");
  ASSERT_TRUE(sign().is_ok());
  close();
  std::filesystem::copy(folder(), root_ / "copy", std::filesystem::copy_options::recursive);
  must_open();
  note_many(4, "witnessed");
  ASSERT_TRUE(sign().is_ok());
  close();
  // Of 22 events 18 are left, all of them within what the first loss took: it was stated when the 22 were signed.
  std::filesystem::remove_all(folder());
  std::filesystem::rename(root_ / "copy", folder());
  must_open();
  const std::string before = contents(file());
  EXPECT_THAT(sign().status().message(), HasSubstr("the ledger holds 18 events"));
  note_many(10, "rewritten");
  EXPECT_THAT(sign().status().message(), HasSubstr("the log was rewritten"));
  EXPECT_EQ(contents(file()), before);
  EXPECT_FALSE(verify().ok);
}

TEST_F(P10LossTest, LossOfAnotherHistoryExplainsNothing) {
  // The event stands behind what was kept and names as many events as were witnessed, but under another root.
  std::filesystem::remove(folder() / "HEAD");
  ledger::AcceptedLoss other{support::person(), "of another ledger", ledger::Checkpoint{"runledger/x", 30, base::sha256("other")}};
  options_.accept_loss = &other;
  must_open();
  options_.accept_loss = nullptr;
  EXPECT_EQ(sign().status().code(), base::Code::kCorruption);
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

TEST_F(P10WitnessTest, SigningGoesOnBehindAnEntryCutShort) {
  // Symptom: cut inside its signature and followed by the next entry, it made the whole file unreadable, and nothing was signed any more.
  note_many(2);
  ASSERT_TRUE(sign().is_ok());
  const std::string entry = contents(file());
  note_many(2, "more");
  for (const size_t cut : {entry.size() - 1, entry.size() - 2, entry.size() - 3, entry.size() - 60, size_t{2}}) {
    root_.write("outside/checkpoints", entry.substr(0, cut));
    const auto note = sign();
    ASSERT_TRUE(note.is_ok()) << cut << ": " << note.status().message();
    EXPECT_EQ(ledger::read_witness_file(file(), key())->back().note, *note);
    EXPECT_EQ(*sign(), *note) << "it counts";
  }
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
