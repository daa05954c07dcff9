// Real files are damaged as disks and people damage them; the doctor says what is whole, and makes nothing worse.
#include "ledger/doctor.h"

#include <gmock/gmock.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>

#include "ledger/backup.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"
#include "ledger/verify.h"
#include "ledger/witness.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using ledger::Condition;
using testing::Contains;
using testing::HasSubstr;

bool go_on(std::string_view, uint64_t, uint64_t) { return true; }

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
  }
  return files;
}

class DoctorTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    must_open();
    note_many(20);
    ASSERT_TRUE(ledger_->backup().value()->make(root_ / "backup", go_on).is_ok());
    note_many(30, "later");
    id_ = ledger_->id();
    close();
  }
  std::filesystem::path database() const { return folder() / "db"; }
  /// Everything into table files, one per table.
  void flush() {
    std::vector<std::string> names;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, database(), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* made = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, database(), families, &handles, &made).ok());
    for (size_t i = 0; i < handles.size(); ++i) {
      EXPECT_TRUE(made->Flush({}, handles[i]).ok());
      std::vector<rocksdb::LiveFileMetaData> files;
      made->GetLiveFilesMetaData(&files);
      for (const auto& file : files) table_files_[file.column_family_name] = database() / file.relative_filename;
    }
    for (auto* handle : handles) EXPECT_TRUE(made->DestroyColumnFamilyHandle(handle).ok());
    delete made;
  }
  /// Writes into a table past the ledger.
  static void damage(const std::filesystem::path& database, std::string_view table,
                     const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& write) {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, database, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* made = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, database, families, &handles, &made).ok());
    write(*made, handles.at(std::find(names.begin(), names.end(), table) - names.begin()));
    for (auto* handle : handles) EXPECT_TRUE(made->DestroyColumnFamilyHandle(handle).ok());
    delete made;
  }
  void cut_write_ahead_log() {
    for (const auto& entry : std::filesystem::directory_iterator(database())) {
      if (entry.path().extension() == ".log" && entry.file_size() > 0) std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
    }
  }
  ledger::Diagnosis examine() {
    const auto before = contents(folder());
    auto found = ledger::examine(folder(), support::toy_rules(), go_on);
    EXPECT_EQ(contents(folder()), before) << "looking wrote something";
    return found;
  }
  ledger::AcceptedLoss loss() { return {support::person(), "the disk is gone"}; }
  base::Status accept(const std::filesystem::path& witness = {}) {
    return ledger::accept_loss(folder(), loss(), support::toy_rules(), clock_, go_on, witness);
  }
  /// Signs what there is into a witness file outside.
  std::filesystem::path witness() {
    const std::filesystem::path file = root_ / "outside" / "checkpoints";
    must_open();
    EXPECT_TRUE(ledger::Witness(ledger_->checkpoint_key(), file).sign(*ledger_->snapshot(), clock_.now_ns()).is_ok());
    close();
    return file;
  }
  std::string id_;
  std::map<std::string, std::filesystem::path> table_files_;
};

TEST_F(DoctorTest, WholeLedgerIsWhole) {
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kWhole) << testing::PrintToString(found.findings);
  EXPECT_EQ(found.whole_events, 50u);
  EXPECT_TRUE(found.keeps_promise);
  EXPECT_EQ(found.whole_root, found.promised->root);
  EXPECT_EQ(accept().code(), base::Code::kConflict) << "nothing is lost";
}

TEST_F(DoctorTest, LedgerInUseIsLeftAloneAndItsProcessNamed) {
  must_open();
  const auto found = ledger::examine(folder(), support::toy_rules(), go_on);
  EXPECT_EQ(found.condition, Condition::kInUse);
  EXPECT_EQ(found.lock.process, ::getpid());
  EXPECT_EQ(ledger::salvage(folder(), root_ / "saved", support::toy_rules(), clock_, go_on).status().code(), base::Code::kConflict);
}

TEST_F(DoctorTest, NoLedgerIsNoLedger) { EXPECT_EQ(ledger::examine(root_ / "nowhere", support::toy_rules(), go_on).condition, Condition::kAbsent); }

TEST_F(DoctorTest, TornWriteAheadLogIsShortAndItsLossIsAcceptedOnRecord) {
  cut_write_ahead_log();
  const auto found = examine();
  ASSERT_EQ(found.condition, Condition::kShort) << testing::PrintToString(found.findings);
  EXPECT_LT(found.whole_events, 50u);
  EXPECT_EQ(found.promised->size, 50u);
  ASSERT_FALSE(open().is_ok());
  const base::Status accepted = accept();
  ASSERT_TRUE(accepted.is_ok()) << accepted.message();
  must_open();
  ASSERT_EQ(ledger_->head(), found.whole_events + 1);
  const auto words = ledger_->snapshot()->event(ledger_->head());
  ledger::StoredEvent event(*words);
  const auto lost = event.get().getBody().getLossAccepted();
  EXPECT_EQ(lost.getPromisedEvents(), 50u);
  EXPECT_EQ(lost.getKeptEvents(), found.whole_events);
  EXPECT_EQ(support::text_of(lost.getReason().getText()), "the disk is gone");
  EXPECT_EQ(support::text_of(event.get().getActor().getName()), "alice");
  close();
  EXPECT_EQ(examine().condition, Condition::kWhole);
}

TEST_F(DoctorTest, LostHeadIsSaidAndAcceptedOnRecord) {
  for (const bool torn : {false, true}) {
    if (torn) {
      std::ofstream(folder() / "HEAD", std::ios::binary | std::ios::trunc) << std::string(32768, 'x');
    } else {
      std::filesystem::remove(folder() / "HEAD");
    }
    const auto found = examine();
    ASSERT_EQ(found.condition, Condition::kHeadLost) << testing::PrintToString(found.findings);
    EXPECT_THAT(found.head_problem, HasSubstr(torn ? "none of its 64 slots is whole" : "is missing"));
    EXPECT_EQ(found.ledger_id, id_);
    const base::Status accepted = accept();
    ASSERT_TRUE(accepted.is_ok()) << accepted.message();
    EXPECT_EQ(std::filesystem::exists(folder() / "HEAD.unreadable"), torn) << "what cannot be read is kept";
    EXPECT_EQ(examine().condition, Condition::kWhole);
  }
}

TEST_F(DoctorTest, OlderHeadIsKept) {
  std::filesystem::copy_file(root_ / "backup" / "HEAD", folder() / "HEAD", std::filesystem::copy_options::overwrite_existing);
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kWhole);
  EXPECT_EQ(found.promised->size, 20u);
  EXPECT_EQ(found.whole_events, 50u);
}

TEST_F(DoctorTest, HeadOfAnotherLedgerIsNamed) {
  close();
  auto other = ledger::Ledger::open(root_ / "other", {}, clock_, support::toy_rules()).value();
  other.reset();
  std::filesystem::copy_file(root_ / "other" / "HEAD", folder() / "HEAD", std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(examine().condition, Condition::kOther);
  EXPECT_FALSE(accept().is_ok());
}

TEST_F(DoctorTest, MissingTableFileIsNamedAndNothingElseIsLost) {
  flush();
  const auto gone = table_files_.at("view_notes.1");
  std::filesystem::remove(gone);
  EXPECT_FALSE(open().is_ok());
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kDerived) << testing::PrintToString(found.findings);
  EXPECT_EQ(found.whole_events, 50u);
  EXPECT_THAT(found.engine_problem + testing::PrintToString(found.findings), HasSubstr(gone.filename().string()));
  const auto saved = ledger::salvage(folder(), root_ / "saved", support::toy_rules(), clock_, go_on);
  ASSERT_TRUE(saved.is_ok()) << saved.status().message();
  EXPECT_EQ(saved->events, 50u);
  EXPECT_EQ(saved->root, found.promised->root);
  auto there = ledger::Ledger::open(root_ / "saved", {.create_if_missing = false}, clock_, support::toy_rules());
  ASSERT_TRUE(there.is_ok()) << there.status().message();
  EXPECT_TRUE((*there)->verification()->run({}).ok);
}

TEST_F(DoctorTest, MissingFileOfTheLogLeavesNothingToSaveAndSaysSo) {
  flush();
  std::filesystem::remove(table_files_.at("events"));
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kDamaged);
  EXPECT_EQ(found.whole_events, 0u);
  EXPECT_EQ(ledger::salvage(folder(), root_ / "saved", support::toy_rules(), clock_, go_on).status().code(), base::Code::kCorruption);
  EXPECT_FALSE(std::filesystem::exists(root_ / "saved"));
}

TEST_F(DoctorTest, MissingTreeIsMadeAgainFromTheEvents) {
  flush();
  std::filesystem::remove(table_files_.at("tree"));
  const auto found = examine();
  EXPECT_EQ(found.whole_events, 50u) << testing::PrintToString(found.findings);
  EXPECT_TRUE(found.keeps_promise) << "the events lead to the promised root";
  const auto saved = ledger::salvage(folder(), root_ / "saved", support::toy_rules(), clock_, go_on);
  ASSERT_TRUE(saved.is_ok()) << saved.status().message();
  EXPECT_EQ(saved->root, found.promised->root);
}

TEST_F(DoctorTest, FlippedBitInATableFileIsFoundAndWhatIsBeforeItSaved) {
  flush();
  const auto file = table_files_.at("events");
  std::string bytes = read_file(file);
  bytes[bytes.size() / 4] ^= 0x20;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kDamaged);
  EXPECT_GT(found.finding_count, 0u);
  EXPECT_LT(found.whole_events, 50u);
}

TEST_F(DoctorTest, ChangedEventInTheMiddleEndsWhatIsSavedAndThePromiseIsKept) {
  damage(database(), "events", [](rocksdb::DB& made, rocksdb::ColumnFamilyHandle* events) {
    std::string value;
    ASSERT_TRUE(made.Get({}, events, ledger::u64_key(31), &value).ok());
    value[20] ^= 1;
    ASSERT_TRUE(made.Put({}, events, ledger::u64_key(31), value).ok());
  });
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kDamaged);
  EXPECT_EQ(found.whole_events, 30u);
  EXPECT_THAT(found.findings, Contains(HasSubstr("event 31 ")));
  const auto saved = ledger::salvage(folder(), root_ / "saved", support::toy_rules(), clock_, go_on);
  ASSERT_TRUE(saved.is_ok()) << saved.status().message();
  EXPECT_EQ(saved->events, 30u);
  EXPECT_EQ(saved->promised, 50u);
  EXPECT_THAT(saved->ended_by, HasSubstr("event 31 "));
  // It does not open as if nothing had happened.
  EXPECT_FALSE(ledger::Ledger::open(root_ / "saved", {.create_if_missing = false}, clock_, support::toy_rules()).is_ok());
  ASSERT_TRUE(ledger::accept_loss(root_ / "saved", loss(), support::toy_rules(), clock_, go_on).is_ok());
  EXPECT_TRUE(ledger::Ledger::open(root_ / "saved", {.create_if_missing = false}, clock_, support::toy_rules()).is_ok());
}

TEST_F(DoctorTest, SalvageNamesALostDocumentOnceAndNoneThatWasErased) {
  // Symptom: what had been erased on record was called lost, and each as often as an event named it.
  const auto there = root_ / "documents";
  const std::string lost = "print('lost')\n", erased = "print('erased')\n";
  {
    auto opened = ledger::Ledger::open(there, {.sync = false}, clock_, ledger::standard_rules());
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    const auto must = [&](const support::CommandMessage& command) {
      const auto answer = (*opened)->apply(command.reader(), support::person());
      EXPECT_TRUE(answer.status.is_ok()) << answer.status.message();
      return answer.events.size();
    };
    must(support::configure_instrument("configure", "MARI"));
    for (const char* time : {"1", "2"}) {
      for (const std::string& script : {erased, lost}) EXPECT_EQ(must(support::register_script(time + script, "MARI", script)), 1u);
    }
    support::CommandMessage erase("erase");
    auto body = erase.get().getBody().initEraseBlobs();
    body.initBlobs(1)[0].setSha256(support::data(base::sha256(erased)));
    body.initReason().setCode("personal_data");
    body.getReason().setText("names a person");
    must(erase);
  }
  damage(there / "db", "blobs", [&](rocksdb::DB& made, rocksdb::ColumnFamilyHandle* blobs) {
    ASSERT_TRUE(made.Delete({}, blobs, std::string(base::as_bytes(base::sha256(lost)))).ok());
  });
  const auto saved = ledger::salvage(there, root_ / "saved", ledger::standard_rules(), clock_, go_on);
  ASSERT_TRUE(saved.is_ok()) << saved.status().message();
  EXPECT_EQ(saved->events, 6u);
  EXPECT_THAT(saved->lost_blobs, testing::ElementsAre(base::hex(base::sha256(lost))));
  EXPECT_EQ(saved->lost_blob_count, 1u);
}

TEST_F(DoctorTest, BackupTakesThePlaceAndTheDamagedFolderIsKept) {
  cut_write_ahead_log();
  const auto damaged = contents(folder());
  const auto aside = ledger::exchange_for_backup(root_ / "backup", folder(), support::toy_rules(), go_on);
  ASSERT_TRUE(aside.is_ok()) << aside.status().message();
  EXPECT_EQ(*aside, folder().string() + ".damaged-1");
  EXPECT_EQ(contents(*aside).size(), damaged.size());
  must_open();
  EXPECT_EQ(ledger_->head(), 20u);
}

TEST_F(DoctorTest, OlderBackupIsShortOfWhatWasWitnessedAndItsLossIsAcceptedOnRecord) {
  const auto file = witness();
  const auto with_witness = [&] { return ledger::examine(folder(), support::toy_rules(), go_on, file); };
  EXPECT_EQ(with_witness().condition, Condition::kWhole);
  ASSERT_TRUE(ledger::exchange_for_backup(root_ / "backup", folder(), support::toy_rules(), go_on).is_ok());
  EXPECT_EQ(examine().condition, Condition::kWhole) << "as far as its own HEAD goes";
  const auto found = with_witness();
  EXPECT_EQ(found.condition, Condition::kShort);
  EXPECT_EQ(found.witnessed->size, 50u);
  EXPECT_EQ(accept().code(), base::Code::kConflict) << "who does not know the witness file sees no loss";
  const base::Status accepted = accept(file);
  ASSERT_TRUE(accepted.is_ok()) << accepted.message();
  EXPECT_EQ(with_witness().condition, Condition::kWhole);
  must_open();
  ASSERT_EQ(ledger_->head(), 21u);
  const auto words = ledger_->snapshot()->event(21);
  EXPECT_EQ(ledger::StoredEvent(*words).get().getBody().getLossAccepted().getPromisedEvents(), 50u);
  EXPECT_TRUE(ledger::Witness(ledger_->checkpoint_key(), file).sign(*ledger_->snapshot(), clock_.now_ns()).is_ok());
}

TEST_F(DoctorTest, LostHeadIsNoLossOfWhatWasWitnessed) {
  const auto file = witness();
  std::filesystem::remove_all(database());
  std::filesystem::copy(root_ / "backup" / "db", database(), std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder() / "HEAD");
  EXPECT_EQ(ledger::examine(folder(), support::toy_rules(), go_on, file).condition, Condition::kHeadLost);
  ASSERT_TRUE(accept(file).is_ok());
  must_open();
  const auto words = ledger_->snapshot()->event(ledger_->head());
  EXPECT_EQ(ledger::StoredEvent(*words).get().getBody().getLossAccepted().getPromisedEvents(), 50u) << "the witness knew";
}

TEST_F(DoctorTest, WitnessOfAnotherHistoryIsNamed) {
  const auto file = witness();
  close();
  std::filesystem::remove_all(database());
  std::filesystem::remove(folder() / "HEAD");
  must_open();
  note_many(60, "rewritten");
  close();
  const auto found = ledger::examine(folder(), support::toy_rules(), go_on, file);
  EXPECT_EQ(found.condition, Condition::kOther) << "the same key, other events";
  EXPECT_EQ(accept(file).code(), base::Code::kConflict);
}

TEST_F(DoctorTest, FolderWithoutADatabaseIsUnreadable) {
  std::filesystem::remove_all(database());
  std::filesystem::create_directory(database());
  const auto found = examine();
  EXPECT_EQ(found.condition, Condition::kUnreadable);
  EXPECT_EQ(found.promised->size, 50u);
}

}  // namespace
