// What is erased is gone, from the disk too, and the log says so; records of commands that are forgotten count as absent.
#include <gmock/gmock.h>

#include <fstream>
#include <future>
#include <sstream>

#include "base/text.h"
#include "ledger/erasure.h"
#include "ledger/keys.h"
#include "ledger/store.h"
#include "ledger/upkeep.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using support::CommandMessage;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kSecret = "Dr. Somebody, Xqzvw Street 7: to be forgotten";

class ForgettingTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
  static ledger::Rules rules() {
    ledger::Rules rules = support::toy_rules();
    rules.decide = [decide = rules.decide](const ledger::RowReader& rows, const ledger::DecideContext& context,
                                           schema::Command::Reader command) -> base::Result<ledger::EventDrafts> {
      ledger::EventDrafts drafts;
      const auto body = command.getBody();
      if (body.isEraseBlobs()) {
        drafts.emplace_back().body().setBlobsErased(body.getEraseBlobs());
      } else if (body.isForgetCommands()) {
        drafts.emplace_back().body().setCommandsForgotten(body.getForgetCommands());
      } else {
        return decide(rows, context, command);
      }
      return drafts;
    };
    return rules;
  }
  void must_open() {
    const base::Status status = open(rules());
    ASSERT_TRUE(status.is_ok()) << status.message();
  }

  CommandMessage note_with(std::string_view id, std::string_view bytes) {
    CommandMessage command = support::annotate_run(id, "MARI", 28001, "with a document");
    sha256_ = std::string(base::as_bytes(command.blob(bytes)));
    return command;
  }
  CommandMessage erasing(std::string_view id) {
    CommandMessage command(id);
    auto erase = command.get().getBody().initEraseBlobs();
    erase.initBlobs(1)[0].setSha256({reinterpret_cast<const kj::byte*>(sha256_.data()), sha256_.size()});
    erase.initReason().setText("names a person");
    return command;
  }
  ledger::Answer forget(std::string_view id, uint64_t up_to) {
    CommandMessage command(id);
    command.get().getBody().initForgetCommands().setUpTo(up_to);
    return apply(command);
  }
  /// Waits until what an erasure left to be done is done.
  void finish_upkeep() { ASSERT_TRUE(ledger_->check_views().is_ok()); }
  bool disk_holds(std::string_view needle) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
      if (!entry.is_regular_file()) continue;
      std::ostringstream bytes;
      bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      if (bytes.str().find(needle) != std::string::npos) return true;
    }
    return false;
  }
  std::string sha256_;
};

TEST_F(ForgettingTest, ErasedBytesAreGoneFromTheDiskAndTheEventSaysWhy) {
  apply(note_with("note", kSecret));
  ASSERT_TRUE(ledger_->snapshot()->has_blob(sha256_));
  ASSERT_TRUE(disk_holds("Xqzvw"));
  EXPECT_THAT(apply(erasing("erase")).events, ElementsAre(2));
  const auto snapshot = ledger_->snapshot();
  EXPECT_FALSE(snapshot->has_blob(sha256_));
  EXPECT_THAT(ledger::blob_missing(*snapshot, sha256_).message(), HasSubstr("erased by event 2 (alice, "));
  EXPECT_THAT(ledger::blob_missing(*snapshot, sha256_).message(), HasSubstr("): names a person"));
  EXPECT_EQ(ledger::erased_by(*snapshot, std::string(32, 'x')), 0u);
  finish_upkeep();
  EXPECT_FALSE(disk_holds("Xqzvw"));
}

TEST_F(ForgettingTest, ManyErasedDocumentsAreGoneAndTheOthersStay) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) {
    apply(note_with("note" + std::to_string(i), std::string(kSecret) + std::to_string(i)));
    names.push_back(sha256_);
  }
  for (int i = 0; i < 20; ++i) apply(note_with("kept" + std::to_string(i), "a document that stays " + std::to_string(i)));
  CommandMessage command("erase");
  auto blobs = command.get().getBody().initEraseBlobs().initBlobs(200);
  for (capnp::uint i = 0; i < 200; ++i) blobs[i].setSha256({reinterpret_cast<const kj::byte*>(names[i].data()), names[i].size()});
  ASSERT_TRUE(apply(command).status.is_ok());
  finish_upkeep();
  EXPECT_FALSE(disk_holds("Xqzvw"));
  EXPECT_EQ(ledger_->snapshot()->blob(sha256_), "a document that stays 19");
  close();
  const auto store = ledger::Store::open(folder() / "db", {.read_only = true, .views = {}});
  ASSERT_TRUE(store.is_ok());
  for (const std::string& name : names) {
    EXPECT_FALSE(*(*store)->live()->has(ledger::Table::kMeta, ledger::purge_key(ledger::Table::kBlobs, name)));
  }
}

TEST_F(ForgettingTest, WhatIsToLeaveTheDiskIsNotedWithTheEventThatAsks) {
  apply(note_with("note", kSecret));
  const auto row = [&] {
    std::string asked;
    const auto store = ledger::Store::open(folder() / "db", {.read_only = true, .views = {}});
    EXPECT_TRUE(store.is_ok()) << store.status().message();
    if (!store.is_ok()) return uint64_t{99};
    const auto found = (*store)->live()->get(ledger::Table::kMeta, ledger::purge_key(ledger::Table::kBlobs, sha256_), asked);
    return found.is_ok() && *found ? ledger::read_u64(asked) : uint64_t{0};
  };
  std::promise<void> waits, goes_on;
  auto gate = goes_on.get_future().share();
  bool first = true;
  ledger_->check_views({}, [&](std::string_view, uint64_t, uint64_t) {
    if (std::exchange(first, false)) waits.set_value(), gate.wait();
  }, [](auto) {});
  waits.get_future().wait();
  apply(erasing("erase"));
  EXPECT_EQ(row(), 2u);
  apply(note_with("again", kSecret));
  apply(erasing("erase again"));
  EXPECT_EQ(row(), 4u);
  goes_on.set_value();
  finish_upkeep();
  close();
  EXPECT_EQ(row(), 0u);
  EXPECT_FALSE(disk_holds("Xqzvw"));
}

TEST_F(ForgettingTest, ErasedBytesCanBeStoredAnew) {
  apply(note_with("note", kSecret));
  apply(erasing("erase"));
  apply(note_with("again", kSecret));
  EXPECT_EQ(ledger_->snapshot()->blob(sha256_), kSecret);
  finish_upkeep();
  must_open();
  EXPECT_EQ(ledger_->snapshot()->blob(sha256_), kSecret);
}

TEST_F(ForgettingTest, ErasingAndStoringInOneGroupKeepsTheirOrder) {
  const CommandMessage store = note_with("store", kSecret), erase = erasing("erase"), anew = note_with("anew", kSecret);
  capnp::MallocMessageBuilder message;
  const auto group = [&](std::vector<const CommandMessage*> commands) {
    auto list = message.initRoot<capnp::List<schema::Command>>(static_cast<capnp::uint>(commands.size()));
    for (size_t i = 0; i < commands.size(); ++i) list.setWithCaveats(static_cast<capnp::uint>(i), commands[i]->reader());
    const auto done = std::make_shared<std::promise<void>>();
    ledger_->submit_all(list.asReader(), support::person(), [done](const std::vector<ledger::Answer>&) { done->set_value(); });
    done->get_future().wait();
  };
  group({&store, &erase});
  EXPECT_FALSE(ledger_->snapshot()->has_blob(sha256_));
  group({&anew});
  EXPECT_TRUE(ledger_->snapshot()->has_blob(sha256_));
}

TEST_F(ForgettingTest, RefusedErasureErasesNothing) {
  apply(note_with("note", kSecret));
  CommandMessage erase = erasing("erase");
  erase.position("somebody", 99);  // beyond the end: refused after the fold
  EXPECT_EQ(apply(erase).status.code(), base::Code::kInvalidArgument);
  EXPECT_TRUE(ledger_->snapshot()->has_blob(sha256_));
}

TEST_F(ForgettingTest, ForgottenCommandIsNewAgain) {
  EXPECT_EQ(note("old", "one").events, std::vector<uint64_t>{1});
  EXPECT_FALSE(note("refused", "refuse").status.is_ok());
  EXPECT_EQ(note("kept", "two").events, std::vector<uint64_t>{2});
  EXPECT_EQ(note("kept refusal", "refuse").status.code(), base::Code::kConflict);
  ASSERT_TRUE(forget("forget", 1).status.is_ok());  // event 3

  EXPECT_TRUE(note("kept", "two").repeated);
  EXPECT_TRUE(note("kept refusal", "refuse").repeated);
  EXPECT_FALSE(note("refused", "refuse").repeated) << "it was answered when the log ended at event 1";
  const auto again = note("old", "one");
  EXPECT_FALSE(again.repeated);
  EXPECT_EQ(again.events, std::vector<uint64_t>{4});
  EXPECT_TRUE(note("old", "one").repeated) << "its new record is kept";

  finish_upkeep();
  must_open();
  EXPECT_TRUE(note("kept", "two").repeated);
  EXPECT_EQ(note("old", "one").events, std::vector<uint64_t>{4});
}

TEST_F(ForgettingTest, ForgottenRecordsLeaveTheDisk) {
  note("an-id-to-find-Xqzvw", "refuse");
  note("a kept one", "two");  // the first and last key of a file are also in the manifest
  note("z kept one", "two");
  ASSERT_TRUE(forget("forget", 1).status.is_ok());
  finish_upkeep();
  EXPECT_FALSE(disk_holds("an-id-to-find-Xqzvw"));
}

TEST_F(ForgettingTest, ForgettingCountsAtOnceWithinItsGroup) {
  note("old", "one");
  CommandMessage forget("forget");
  forget.get().getBody().initForgetCommands().setUpTo(1);
  const CommandMessage old = support::annotate_run("old", "MARI", 28001, "one");
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<capnp::List<schema::Command>>(2);
  list.setWithCaveats(0, forget.reader());
  list.setWithCaveats(1, old.reader());
  std::promise<std::vector<ledger::Answer>> done;
  ledger_->submit_all(list.asReader(), support::person(), [&](std::vector<ledger::Answer> answers) { done.set_value(std::move(answers)); });
  const auto answers = done.get_future().get();
  EXPECT_EQ(answers[1].events, std::vector<uint64_t>{3});
  EXPECT_FALSE(answers[1].repeated);
}

}  // namespace
