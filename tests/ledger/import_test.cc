// A ledger that left in a file comes back the same.
#include "ledger/import.h"

#include <gmock/gmock.h>

#include <fstream>

#include "ledger/log_state.h"
#include "ledger/subjects.h"
#include "ledger/verify.h"
#include "tests/ledger/export_of.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::HasSubstr;

class ImportTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    options_.sync = false;
    ASSERT_TRUE(open(ledger::standard_rules()).is_ok());
  }
  void must(const support::CommandMessage& command, const ledger::Identity& who = support::person()) {
    const auto answer = apply(command, who);
    ASSERT_TRUE(answer.status.is_ok()) << answer.status.message();
  }
  /// A run reduced, with a script and an environment in the blob store.
  void reduce(uint64_t run) {
    const std::string n = std::to_string(run);
    if (run == 1) {
      must(support::configure_instrument("configure", "MARI"));
      must(support::join_worker("join", "w1"));
      must(support::register_script("script", "MARI"));
    }
    must(support::detect_run("detect" + n, "MARI", run));
    must(support::queue_job("queue" + n, "MARI", run).cause(ledger_->head()), support::daemon("coordinatord"));
    must(support::start_attempt("start" + n, ledger_->head(), "w1"));
  }
  ledger::TreeEdge edge() const {
    const auto snapshot = ledger_->snapshot();
    ledger::TreeEdge edge;
    for (uint64_t seq = 1; seq <= snapshot->head(); ++seq) {
      edge.append(ledger::leaf_hash(ledger::as_bytes(*snapshot->event(seq))), [](int, uint64_t, const base::Sha256&) {});
    }
    return edge;
  }
  base::Result<ledger::Imported> import(const std::filesystem::path& file, const std::filesystem::path& into) {
    return ledger::import_export(file, into, ledger::standard_rules(), clock_, [](std::string_view, uint64_t, uint64_t) { return true; });
  }
  std::unique_ptr<ledger::Ledger> opened(const std::filesystem::path& where) {
    auto there = ledger::Ledger::open(where, {.create_if_missing = false}, clock_);
    EXPECT_TRUE(there.is_ok()) << there.status().message();
    return std::move(there).value();
  }
};

TEST_F(ImportTest, LedgerComesBackWithTheSameBytesRootAndRows) {
  for (uint64_t run = 1; run <= 5; ++run) reduce(run);
  support::write_export(*ledger_, root_ / "file");
  const auto imported = import(root_ / "file", root_ / "new");
  ASSERT_TRUE(imported.is_ok()) << imported.status().message();
  EXPECT_EQ(imported->events, ledger_->head());
  EXPECT_EQ(imported->root, edge().root());
  EXPECT_FALSE(std::filesystem::exists(root_ / "new.runledger-part"));

  const auto there = opened(root_ / "new");
  EXPECT_EQ(there->id(), ledger_->id());
  ASSERT_EQ(there->head(), ledger_->head());
  for (uint64_t seq = 1; seq <= there->head(); ++seq) {
    EXPECT_EQ(ledger::as_bytes(*there->snapshot()->event(seq)), ledger::as_bytes(*ledger_->snapshot()->event(seq)));
  }
  const auto report = there->verification()->run({});
  EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);
  EXPECT_EQ(report.root, imported->root);
  const std::string run = ledger::run_subject("MARI", 3);
  EXPECT_EQ(there->snapshot()->subject(run, 0, 100), ledger_->snapshot()->subject(run, 0, 100));
}

TEST_F(ImportTest, CommandsAreStillKnownAndDaemonsGoOnWhereTheyWere) {
  reduce(1);
  support::write_export(*ledger_, root_ / "file");
  ASSERT_TRUE(import(root_ / "file", root_ / "new").is_ok());
  const auto there = opened(root_ / "new");
  const auto again = there->apply(support::detect_run("detect1", "MARI", 1).reader(), support::person());
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.events, ledger_->apply(support::detect_run("detect1", "MARI", 1).reader(), support::person()).events);
  EXPECT_EQ(there->snapshot()->position("coordinatord"), 4u);  // the run it queued a job for
}

TEST_F(ImportTest, LaterPartContinuesTheLedgerItBelongsToAndNoOther) {
  reduce(1);
  support::write_export(*ledger_, root_ / "first");
  const ledger::TreeEdge before = edge();
  reduce(2);
  support::write_export(*ledger_, root_ / "second", before.size() + 1, before);
  EXPECT_EQ(import(root_ / "second", root_ / "new").status().code(), base::Code::kNotFound);
  ASSERT_TRUE(import(root_ / "first", root_ / "new").is_ok());
  EXPECT_EQ(import(root_ / "first", root_ / "new").status().code(), base::Code::kAlreadyExists);
  const auto imported = import(root_ / "second", root_ / "new");
  ASSERT_TRUE(imported.is_ok()) << imported.status().message();
  EXPECT_EQ(imported->root, edge().root());
  const auto twice = import(root_ / "second", root_ / "new");
  EXPECT_EQ(twice.status().code(), base::Code::kConflict);
  EXPECT_THAT(twice.status().message(), HasSubstr("continues " + std::to_string(before.size()) + " events"));
  const auto report = opened(root_ / "new")->verification()->run({});
  EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);

  auto other = ledger::Ledger::open(root_ / "other", {}, clock_).value();
  other.reset();
  EXPECT_EQ(import(root_ / "second", root_ / "other").status().code(), base::Code::kConflict);
}

TEST_F(ImportTest, LargeDocumentLeavesTheLogAlone) {
  // Symptom: a piece of a MiB with a document of almost 64 MiB behind it did not fit into a message, and the copy never went on.
  reduce(1);
  must(support::register_script("large", "MARI", std::string(3 << 20, '#')));
  const auto snapshot = ledger_->snapshot();
  ledger::LogCopy copy(1);
  bool alone = false;
  while (copy.next() <= snapshot->head()) {
    const auto piece = copy.read(*snapshot, snapshot->head());
    ASSERT_TRUE(piece.is_ok());
    size_t bytes = 0;
    for (const std::string& blob : piece->blobs) bytes += blob.size();
    if (bytes >= 3 << 20) alone = piece->events.size() == 1;
  }
  EXPECT_TRUE(alone);
}

TEST_F(ImportTest, ErasedDocumentStaysErasedAndAnotherLikeItComesBack) {
  const std::string script = "print('a name')";
  const auto erase = [&](std::string_view id) {
    support::CommandMessage command(id);
    auto erased = command.get().getBody().initEraseBlobs();
    const base::Sha256 name = base::sha256(script);
    erased.initBlobs(1)[0].setSha256(support::data(name));
    erased.initReason().setCode("asked_for");
    erased.getReason().setText("holds a name");
    must(command);
  };
  const auto comes_back = [&](const char* name) {
    support::write_export(*ledger_, root_ / name);
    EXPECT_TRUE(import(root_ / name, root_ / (std::string(name) + "-ledger")).is_ok());
    const auto there = opened(root_ / (std::string(name) + "-ledger"));
    const auto report = there->verification()->run({});
    EXPECT_TRUE(report.ok) << testing::PrintToString(report.findings);
    return there->snapshot()->blob(base::as_bytes(base::sha256(script))).has_value();
  };
  must(support::configure_instrument("configure", "MARI"));
  must(support::register_script("first", "MARI", script));
  must(support::register_script("other", "MARI", "print(2)"));
  erase("erase");
  EXPECT_FALSE(comes_back("erased"));
  must(support::register_script("again", "MARI", script));
  EXPECT_TRUE(comes_back("anew"));
}

TEST_F(ImportTest, DamagedExportLeavesNothing) {
  reduce(1);
  support::write_export(*ledger_, root_ / "file");
  std::filesystem::resize_file(root_ / "file", std::filesystem::file_size(root_ / "file") - 5);
  const auto imported = import(root_ / "file", root_ / "new");
  EXPECT_EQ(imported.status().code(), base::Code::kCorruption);
  EXPECT_THAT(imported.status().message(), HasSubstr("cut short"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "new"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "new.runledger-part"));
}

TEST_F(ImportTest, NothingIsWrittenOver) {
  reduce(1);
  support::write_export(*ledger_, root_ / "file");
  std::filesystem::create_directory(root_ / "new");
  root_.write("new/precious", "bytes");
  EXPECT_EQ(import(root_ / "file", root_ / "new").status().code(), base::Code::kAlreadyExists);
  EXPECT_TRUE(std::filesystem::exists(root_ / "new" / "precious"));
  EXPECT_EQ(import(root_ / "file", folder()).status().code(), base::Code::kAlreadyExists);
}

}  // namespace
