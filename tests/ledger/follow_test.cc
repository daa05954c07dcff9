// A copy takes what another ledger recorded as it is, or not at all.
#include "ledger/follow.h"

#include <gmock/gmock.h>

#include <fstream>
#include <future>

#include "ledger/checkpoint_key.h"
#include "ledger/doctor.h"
#include "ledger/log_copy.h"
#include "ledger/log_state.h"
#include "ledger/verify.h"
#include "ledger/witness.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::HasSubstr;

constexpr const char* kAddress = "unix:/far/away.sock";

class FollowTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    options_.sync = false;
    must_open();
    note_many(20);
    key_ = ledger_->checkpoint_key()->public_key();
  }
  std::filesystem::path copy_folder() const { return root_ / "copy"; }
  void open_copy() {
    copy_.reset();
    const base::Status prepared = ledger::prepare_copy(copy_folder(), key_, clock_);
    ASSERT_TRUE(prepared.is_ok()) << prepared.message();
    ledger::Ledger::Options options;
    options.sync = false;
    options.follows = kAddress;
    auto opened = ledger::Ledger::open(copy_folder(), options, clock_, support::toy_rules());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    copy_ = std::move(*opened);
  }
  /// Events first..last of the ledger.
  ledger::Delivery delivery(uint64_t first, uint64_t last) {
    ledger::Delivery delivery;
    const auto snapshot = ledger_->snapshot();
    ledger::CopiedPiece piece;
    ledger::LogCopy copy(first);
    while (copy.next() <= last) {
      auto read = copy.read(*snapshot, last);
      for (const auto& event : read->events) piece.events.emplace_back(ledger::as_bytes(event));
      for (std::string& blob : read->blobs) piece.blobs.push_back(std::move(blob));
    }
    delivery.events = std::move(*ledger::arrange(std::move(piece)));
    delivery.check = [](const ledger::TreeEdge&) { return base::Status(); };
    return delivery;
  }
  base::Status take(ledger::Delivery delivery) {
    std::promise<base::Status> done;
    copy_->take(std::move(delivery), [&](base::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
  base::Sha256 root_at(const ledger::Ledger& ledger, uint64_t size) { return ledger::load_edge(*ledger.snapshot(), size)->root(); }

  ledger::NoteKey key_;
  std::unique_ptr<ledger::Ledger> copy_;
};

TEST_F(FollowTest, CopyHasTheSameTreeRowsAndAnswers) {
  open_copy();
  ASSERT_TRUE(take(delivery(1, 7)).is_ok());
  ASSERT_TRUE(take(delivery(8, 20)).is_ok());
  EXPECT_EQ(copy_->head(), 20u);
  EXPECT_EQ(copy_->id(), ledger_->id());
  EXPECT_EQ(support::note_of(*copy_->snapshot(), "MARI", 28019)->last, "text 19");
  const auto report = copy_->verification()->run({});
  EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);
  EXPECT_EQ(report.root, root_at(*ledger_, 20));
  EXPECT_TRUE(copy_->check_views().is_ok());
}

TEST_F(FollowTest, RefusedDeliveryLeavesNoTrace) {
  open_copy();
  ASSERT_TRUE(take(delivery(1, 7)).is_ok());
  ledger::Delivery refused = delivery(8, 20);
  refused.checkpoint = "a note";
  refused.check = [this](const ledger::TreeEdge& with) {
    EXPECT_EQ(with.root(), root_at(*ledger_, 20));
    return base::Status(base::Code::kConflict, "not these");
  };
  EXPECT_EQ(take(std::move(refused)).message(), "not these");
  EXPECT_EQ(copy_->head(), 7u);
  EXPECT_EQ(copy_->snapshot()->held_checkpoint(), "");
  EXPECT_THAT(take(delivery(9, 20)).message(), HasSubstr("event 8 was to come, event 9 came"));
  ASSERT_TRUE(take(delivery(8, 20)).is_ok()) << "what was refused is not in the way";
  EXPECT_TRUE(copy_->verification()->run({}).ok);
}

TEST_F(FollowTest, CopyIsTheSameAfterARestart) {
  open_copy();
  ASSERT_TRUE(take(delivery(1, 7)).is_ok());
  ledger::Delivery rest = delivery(8, 20);
  rest.checkpoint = "kept";
  ASSERT_TRUE(take(std::move(rest)).is_ok());
  open_copy();
  EXPECT_EQ(copy_->head(), 20u);
  EXPECT_EQ(copy_->snapshot()->held_checkpoint(), "kept");
  EXPECT_EQ(ledger::read_head_file(copy_folder() / "HEAD")->size, 20u);
}

TEST_F(FollowTest, CommandsAreRefusedWithTheSourcesAddress) {
  open_copy();
  const auto answer = copy_->apply(support::annotate_run("mine", "MARI", 1, "x").reader(), support::person());
  EXPECT_EQ(answer.status.code(), base::Code::kPermissionDenied);
  EXPECT_THAT(answer.status.message(), HasSubstr(kAddress));
  EXPECT_EQ(copy_->head(), 0u);
}

TEST_F(FollowTest, FolderIsThatOfOneSourceOnly) {
  open_copy();
  copy_.reset();
  EXPECT_FALSE(std::filesystem::exists(copy_folder() / "checkpoint.key")) << "a copy signs nothing";
  const auto other = ledger::SigningKey::generate(key_.name)->public_key();
  EXPECT_THAT(ledger::prepare_copy(copy_folder(), other, clock_).message(), HasSubstr("was copied under the key " + key_.line()));
  const auto another_ledger = ledger::SigningKey::generate(ledger::checkpoint_origin(std::string(32, 'a')))->public_key();
  EXPECT_THAT(ledger::prepare_copy(copy_folder(), another_ledger, clock_).message(), HasSubstr("is ledger " + ledger_->id()));
  EXPECT_THAT(ledger::prepare_copy(folder(), key_, clock_).message(), HasSubstr("holds the private key of a ledger"));
}

TEST_F(FollowTest, OnlyALedgersKeyIsAKey) {
  EXPECT_TRUE(ledger::parse_source_key(key_.line() + "\n").is_ok());
  EXPECT_FALSE(ledger::parse_source_key("runledger").is_ok());
  EXPECT_THAT(ledger::parse_source_key(ledger::SigningKey::generate("example.org/log")->public_key().line()).status().message(),
              HasSubstr("prove --key"));
}

TEST_F(FollowTest, CheckpointIsVouchedForWithoutTheFile) {
  const auto file = root_ / "outside" / "checkpoints";
  ledger::Witness witness(ledger_->checkpoint_key(), file);
  ASSERT_TRUE(witness.vouch(*ledger_->snapshot(), clock_.now_ns()).is_ok());
  note_many(5, "more");
  const auto note = witness.vouch(*ledger_->snapshot(), clock_.now_ns());
  ASSERT_TRUE(note.is_ok()) << note.status().message();
  EXPECT_EQ(ledger::Checkpoint::open(*note, {key_})->root, root_at(*ledger_, 25));
  EXPECT_EQ(*witness.vouch(*ledger_->snapshot(), clock_.now_ns()), *note);
  EXPECT_EQ(ledger::read_witness_file(file, key_)->size(), 1u) << "the first one is held against the file, and in it";
  ASSERT_TRUE(witness.sign(*ledger_->snapshot(), clock_.now_ns()).is_ok());
  EXPECT_EQ(ledger::read_witness_file(file, key_)->back().note, *note) << "Ed25519 signs the same text the same way";
}

TEST_F(FollowTest, WitnessOfACopyKeepsWhatTheSourceSigned) {
  open_copy();
  const auto file = root_ / "outside" / "of-copy";
  ledger::Witness witness(key_, file);
  ASSERT_TRUE(take(delivery(1, 7)).is_ok());
  EXPECT_EQ(witness.sign(*copy_->snapshot(), clock_.now_ns()).status().code(), base::Code::kNotFound);
  const std::string note = *ledger_->checkpoint_key()->sign(ledger::Checkpoint{key_.name, 10, root_at(*ledger_, 10)}.text());
  ledger::Delivery reached = delivery(8, 10);
  reached.checkpoint = note;
  ASSERT_TRUE(take(std::move(reached)).is_ok());
  ASSERT_TRUE(take(delivery(11, 20)).is_ok());
  const auto kept = witness.sign(*copy_->snapshot(), clock_.now_ns());
  ASSERT_TRUE(kept.is_ok()) << kept.status().message();
  EXPECT_EQ(*kept, note);
  EXPECT_EQ(ledger::read_witness_file(file, key_)->back().checkpoint.size, 10u);
}

TEST_F(FollowTest, SourceIsRestoredFromItsCopyAndKeepsItsKey) {
  open_copy();
  ASSERT_TRUE(take(delivery(1, 20)).is_ok());
  copy_.reset();
  close();
  std::ofstream(folder() / "HEAD") << "damaged";
  const auto aside = ledger::exchange_for_backup(copy_folder(), folder(), support::toy_rules(), [](std::string_view, uint64_t, uint64_t) { return true; });
  ASSERT_TRUE(aside.is_ok()) << aside.status().message();
  must_open();
  EXPECT_EQ(ledger_->head(), 20u);
  ASSERT_TRUE(ledger_->checkpoint_key().is_ok()) << ledger_->checkpoint_key().status().message();
  EXPECT_EQ(ledger_->checkpoint_key()->public_key(), key_);
  EXPECT_TRUE(note("after", "it goes on").status.is_ok());
  const auto again = note("note19", "text 19");
  EXPECT_TRUE(again.repeated) << "a command that was answered before the loss";
}

}  // namespace
