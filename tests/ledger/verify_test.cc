// P10: a stored ledger is damaged, as its files could be, and the damage is found and named.
#include "ledger/verify.h"

#include <gmock/gmock.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <fstream>

#include "ledger/keys.h"
#include "ledger/subject_rows.h"
#include "ledger/subjects.h"
#include "ledger/tree_rows.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// The database of a closed ledger, written past the ledger.
class Damage {
 public:
  explicit Damage(const std::filesystem::path& folder) {
    const std::string path = folder / "db";
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &names_).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names_) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    EXPECT_TRUE(rocksdb::DB::Open({}, path, families, &handles_, &database_).ok());
  }
  ~Damage() {
    for (auto* handle : handles_) EXPECT_TRUE(database_->DestroyColumnFamilyHandle(handle).ok());
    delete database_;
  }
  std::string get(std::string_view table, std::string_view key) {
    std::string value;
    EXPECT_TRUE(database_->Get({}, handle(table), std::string(key), &value).ok());
    return value;
  }
  void put(std::string_view table, std::string_view key, std::string_view value) {
    EXPECT_TRUE(database_->Put({}, handle(table), std::string(key), std::string(value)).ok());
  }
  void erase(std::string_view table, std::string_view key) { EXPECT_TRUE(database_->Delete({}, handle(table), std::string(key)).ok()); }
  void flip(std::string_view table, std::string_view key, size_t at) {
    std::string value = get(table, key);
    value.at(at) ^= 1;
    put(table, key, value);
  }
  std::string first_key(std::string_view table) {
    const std::unique_ptr<rocksdb::Iterator> rows(database_->NewIterator({}, handle(table)));
    rows->SeekToFirst();
    return rows->key().ToString();
  }
  void flush(std::string_view table) { EXPECT_TRUE(database_->Flush({}, handle(table)).ok()); }

 private:
  rocksdb::ColumnFamilyHandle* handle(std::string_view table) {
    const auto name = std::find(names_.begin(), names_.end(), table);
    if (name == names_.end()) throw std::runtime_error("no table " + std::string(table));
    return handles_[name - names_.begin()];
  }
  std::vector<std::string> names_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::DB* database_ = nullptr;
};

class P10VerifyTest : public support::LedgerFixture {
 protected:
  void SetUp() override {
    options_.sync = false;
    must_open();
    note_many(20);
    close();
  }
  ledger::VerifyReport verify(const ledger::Verification::Options& options = {}, const ledger::Rules& rules = support::toy_rules()) {
    auto there = ledger::verify_folder(folder(), rules.views);
    EXPECT_TRUE(there.is_ok()) << there.status().message();
    if (!there.is_ok()) return {};
    return (*there)->run(options);
  }
  void expect_named(const ledger::VerifyReport& report, uint64_t first_bad, const std::string& words) {
    EXPECT_FALSE(report.ok);
    EXPECT_EQ(report.first_bad, first_bad);
    EXPECT_THAT(report.findings, Contains(HasSubstr(words)));
  }
};

TEST_F(P10VerifyTest, WholeLedgerIsFoundWhole) {
  const auto report = verify();
  EXPECT_THAT(report.findings, ElementsAre());
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.first_bad, 0u);
  must_open();
  EXPECT_EQ(report.events, ledger_->head());
  const auto running = ledger_->verification()->run({});
  EXPECT_TRUE(running.ok);
  EXPECT_EQ(running.root, report.root);
}

TEST_F(P10VerifyTest, ChangedByteOfAnEventIsNamedOnce) {
  Damage(folder()).flip("events", ledger::u64_key(7), 40);
  const auto report = verify();
  expect_named(report, 7, "event 7 ");
  EXPECT_EQ(report.events, 6u);
  EXPECT_EQ(std::count_if(report.findings.begin(), report.findings.end(), [](const std::string& text) { return text.starts_with("event"); }), 1);
}

TEST_F(P10VerifyTest, BytesAllOverAnEventCount) {
  const size_t size = Damage(folder()).get("events", ledger::u64_key(3)).size();
  for (size_t at = 0; at < size; at += 61) {
    Damage(folder()).flip("events", ledger::u64_key(3), at);
    EXPECT_EQ(verify().first_bad, 3u) << "byte " << at;
    Damage(folder()).flip("events", ledger::u64_key(3), at);
  }
}

/// With nodes above the leaves.
class P10VerifyNodesTest : public P10VerifyTest {
 protected:
  void SetUp() override {
    options_.sync = false;
    must_open();
    note_many(600);
    close();
  }
};

TEST_F(P10VerifyTest, ChangedLeafIsToldFromAChangedEventWhereNoNodeStandsAboveIt) {
  // Symptom: the doctor called a ledger of few events damaged, and saved none of those behind, because of one leaf.
  Damage(folder()).flip("tree", ledger::tree_key(0, 4), 0);
  const auto report = verify();
  EXPECT_EQ(report.first_bad, 0u);
  EXPECT_THAT(report.findings, ElementsAre(HasSubstr("the leaf of event 5 in the tree was changed; the event itself is whole")));
}

TEST_F(P10VerifyNodesTest, WholeLedgerIsFoundWhole) { EXPECT_THAT(verify().findings, ElementsAre()); }

TEST_F(P10VerifyNodesTest, ChangedLeafIsToldFromAChangedEvent) {
  Damage(folder()).flip("tree", ledger::tree_key(0, 4), 0);
  const auto report = verify();
  EXPECT_EQ(report.first_bad, 0u);
  EXPECT_THAT(report.findings, ElementsAre(HasSubstr("the leaf of event 5 in the tree was changed; the event itself is whole")));
}

TEST_F(P10VerifyNodesTest, ChangedEventBelowANodeIsNamedOnce) {
  Damage(folder()).flip("events", ledger::u64_key(300), 40);
  expect_named(verify(), 300, "event 300 does not have the bytes its tree was made of");
}

TEST_F(P10VerifyNodesTest, ChangedNodeIsNamedOnce) {
  Damage(folder()).flip("tree", ledger::tree_key(8, 1), 31);
  EXPECT_THAT(verify().findings, ElementsAre(HasSubstr("node 1 of level 8 of the tree, over events 257 to 512, is not made of")));
}

TEST_F(P10VerifyNodesTest, MissingAndNeedlessRowsAreNamed) {
  {
    Damage damage(folder());
    damage.erase("tree", ledger::tree_key(9, 0));
    damage.erase("tree", ledger::tree_key(0, 299));
    damage.put("tree", ledger::tree_key(5, 0), std::string(32, 'n'));
    damage.put("tree", ledger::tree_key(0, 600), std::string(32, 'n'));
  }
  EXPECT_THAT(verify().findings, testing::UnorderedElementsAre(HasSubstr("lacks the leaf of event 300"), HasSubstr("lacks node 0 of level 9"),
                                                               HasSubstr("1 row too many of level 0"), HasSubstr("1 row too many of level 5")));
}

TEST_F(P10VerifyNodesTest, RowOfLeavesThatDoesNotFitIsNamed) {
  {
    Damage damage(folder());
    const std::string leaf = damage.get("tree", ledger::tree_key(0, 255));
    damage.put("tree", ledger::tree_key(0, 255), leaf + leaf);  // beyond the leaves of its node
    damage.put("tree", ledger::tree_key(0, 300), leaf.substr(1));
  }
  EXPECT_THAT(verify().findings, testing::UnorderedElementsAre(HasSubstr("of 64 bytes that holds no leaves of its place"), HasSubstr("lacks the leaf of event 256"),
                                                               HasSubstr("of 31 bytes that holds no leaves of its place"), HasSubstr("lacks the leaf of event 301")));
}

TEST_F(P10VerifyTest, MissingEventsAreNamedAndReadingGoesOn) {
  {
    Damage damage(folder());
    damage.erase("events", ledger::u64_key(5));
    damage.erase("events", ledger::u64_key(6));
    damage.flip("events", ledger::u64_key(12), 40);
  }
  const auto report = verify();
  expect_named(report, 5, "events 5 to 6 are missing");
  EXPECT_THAT(report.findings, Contains(HasSubstr("event 12 does not have the bytes")));
}

TEST_F(P10VerifyTest, DoubledEventIsNamed) {
  {
    Damage damage(folder());
    damage.put("events", ledger::u64_key(9), damage.get("events", ledger::u64_key(8)));
  }
  expect_named(verify(), 9, "event 9 says of itself that it is event 8");
  {
    Damage damage(folder());
    damage.put("events", ledger::u64_key(9), damage.get("events", ledger::u64_key(10)));
  }
  expect_named(verify(), 9, "event 9 says of itself that it is event 10");
}

TEST_F(P10VerifyTest, RewrittenHistoryIsHeldAgainstHead) {
  // Whoever rewrites an event, and the whole tree above it, still contradicts HEAD.
  {
    Damage damage(folder());
    damage.flip("events", ledger::u64_key(7), 60);
    for (uint64_t seq = 1; seq <= 20; ++seq) {
      damage.put("tree", ledger::tree_key(0, seq - 1), base::as_bytes(ledger::leaf_hash(damage.get("events", ledger::u64_key(seq)))));
    }
  }
  const auto report = verify();
  EXPECT_FALSE(report.ok);
  EXPECT_NE(report.first_bad, 0u);
  EXPECT_LE(report.first_bad, 7u);
  EXPECT_THAT(report.findings, Contains(HasSubstr("not those HEAD promises")));
}

TEST_F(P10VerifyTest, ShorterLogIsHeldAgainstHead) {
  {
    Damage damage(folder());
    damage.erase("events", ledger::u64_key(20));
  }
  expect_named(verify(), 20, "event 20 is missing: HEAD promises 20 events, the log ends at 19");
}

TEST_F(P10VerifyTest, DamagedHeadIsNamed) {
  std::filesystem::resize_file(folder() / "HEAD", 0);
  expect_named(verify(), 0, "none of its 64 slots is whole");
  std::filesystem::remove(folder() / "HEAD");
  expect_named(verify(), 0, "HEAD: is missing");
}

TEST_F(P10VerifyTest, HeadOfAnotherLedgerIsNamed) {
  // Symptom: the HEAD of a ledger that had promised nothing yet passed for this one's.
  auto other = ledger::Ledger::open(root_ / "other", options_, clock_, support::toy_rules());
  ASSERT_TRUE(other.is_ok());
  *other = nullptr;
  std::filesystem::copy_file(root_ / "other" / "HEAD", folder() / "HEAD", std::filesystem::copy_options::overwrite_existing);
  expect_named(verify(), 0, "HEAD is of ledger ");
}

TEST_F(P10VerifyTest, MissingChangedAndNeedlessRowsOfTheSubjectIndexAreNamed) {
  {
    Damage damage(folder());
    damage.erase("subjects", ledger::subject_row_key(ledger::run_subject("MARI", 28003), 4));
    damage.put("subjects", ledger::subject_row_key(ledger::run_subject("MARI", 28003), 5), "");
    damage.put("subjects", ledger::subject_row_key(ledger::actor_subject("alice"), 9), "not empty");
  }
  const auto report = verify();
  EXPECT_EQ(report.first_bad, 0u);
  EXPECT_THAT(report.findings, testing::UnorderedElementsAre(testing::AllOf(HasSubstr("lacks the row rMARI"), HasSubstr("of event 4")),
                                                             testing::AllOf(HasSubstr("lacks the row aalice"), HasSubstr("of event 9")),
                                                             testing::AllOf(HasSubstr("rMARI"), HasSubstr("of event 5"), HasSubstr("does not follow")),
                                                             testing::AllOf(HasSubstr("aalice"), HasSubstr("does not follow"))));
}

TEST_F(P10VerifyTest, EventInTwoRowsOfTheSubjectIndexIsNamed) {
  // Symptom: rows hold several events each, so that one could stand in two of them; reading by subject then showed it twice, and nothing was found.
  const std::string subject = ledger::actor_subject("alice");
  {
    Damage damage(folder());
    ASSERT_EQ(damage.get("subjects", ledger::subject_row_key(subject, 10)), "");
    damage.put("subjects", ledger::subject_row_key(subject, 20), ledger::encode_seqs({10, 20}));
  }
  EXPECT_THAT(verify().findings, ElementsAre(HasSubstr("(of event 10) behind that of event 19")));
}

TEST_F(P10VerifyTest, RowsOfTheSubjectIndexThatAreNotReadInOrderAreNamed) {
  const std::string subject = ledger::actor_subject("alice");
  {
    Damage damage(folder());
    damage.erase("subjects", ledger::subject_row_key(subject, 1));
    damage.put("subjects", ledger::subject_row_key(subject, 3), ledger::encode_seqs({1, 3}));
  }
  EXPECT_THAT(verify().findings, ElementsAre(HasSubstr("(of event 1) behind that of event 2")));
}

TEST_F(P10VerifyTest, ChangedViewRowIsNamed) {
  {
    Damage damage(folder());
    damage.flip("view_notes.1", ledger::run_key("MARI", 28004), 9);
  }
  expect_named(verify(), 0, "view notes");
}

TEST_F(P10VerifyTest, RecordsThatReachBehindTheLogAreNamed) {
  {
    Damage damage(folder());
    damage.put("positions", "coordinatord", ledger::u64_key(21));
    damage.put("commands", "\x01" "bob", "short");
  }
  EXPECT_THAT(verify().findings, ElementsAre(HasSubstr("coordinatord speaks of event 21"), HasSubstr("cut short")));
}

TEST_F(P10VerifyTest, BlockTheEngineCannotReadIsNamedAndReadingGoesOn) {
  must_open();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(note("long" + std::to_string(i), std::string(8000, static_cast<char>('a' + i))).status.is_ok());
  const uint64_t head = ledger_->head();
  close();
  Damage(folder()).flush("events");
  // A byte of an event in the middle of the table file.
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(folder() / "db")) {
    if (entry.path().extension() == ".sst" && entry.file_size() > 2000) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), {});
      const size_t at = bytes.find("long5");
      if (at == std::string::npos) continue;
      std::fstream out(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
      out.seekp(static_cast<std::streamoff>(at));
      out << "LONG5";
      file = entry.path();
    }
  }
  ASSERT_FALSE(file.empty());
  const auto report = verify();
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.findings, Contains(testing::AllOf(HasSubstr("cannot be read"), HasSubstr("event"))));
  EXPECT_GT(report.first_bad, 1u);
  EXPECT_LE(report.first_bad, 26u);
  EXPECT_EQ(report.events, report.first_bad - 1);
  EXPECT_EQ(head, 32u);
}

TEST_F(P10VerifyTest, OnlyTheEventsBehindATrustedCheckpointAreRead) {
  must_open();
  ledger::TreeEdge edge;
  for (uint64_t seq = 1; seq <= 13; ++seq) edge.append(ledger::leaf_hash(event_bytes(seq)), [](int, uint64_t, const base::Sha256&) {});
  close();
  ledger::Verification::Options options;
  options.trusted = ledger::Checkpoint{"", 13, edge.root()};
  const auto report = verify(options);
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.trusted, 13u);
  EXPECT_EQ(report.events, 20u);
  Damage(folder()).flip("events", ledger::u64_key(3), 40);
  EXPECT_TRUE(verify(options).ok) << "it lies before";
  Damage(folder()).flip("events", ledger::u64_key(15), 40);
  EXPECT_EQ(verify(options).first_bad, 15u);
  options.trusted->root[0] ^= 1;
  expect_named(verify(options), 1, "are not those of the trusted checkpoint");
}

TEST_F(P10VerifyTest, EventThatIsNotThereIsNoPlaceToBegin) {
  const auto there = ledger::verify_folder(folder(), support::toy_rules().views);
  EXPECT_TRUE((*there)->require_event(20).is_ok());
  EXPECT_EQ((*there)->require_event(21).code(), base::Code::kInvalidArgument);
  EXPECT_THAT((*there)->require_event(21).message(), testing::HasSubstr("event 21 is not there: the log ends at event 20"));
}

TEST_F(P10VerifyTest, ItEndsWhenAskedTo) {
  ledger::Verification::Options options;
  options.progress = [](std::string_view, uint64_t, uint64_t) { return false; };
  const auto report = verify(options);
  EXPECT_TRUE(report.stopped);
  EXPECT_FALSE(report.ok);
}

TEST_F(P10VerifyTest, LedgerThatIsOpenElsewhereIsLeftAlone) {
  must_open();
  const ledger::Rules rules = support::toy_rules();
  EXPECT_EQ(ledger::verify_folder(folder(), rules.views).status().code(), base::Code::kConflict);
}

/// With the real rules: scripts, jobs, links from jobs to runs.
class P10VerifyBlobsTest : public P10VerifyTest {
 protected:
  void SetUp() override {
    options_.sync = false;
    ASSERT_TRUE(open(ledger::standard_rules()).is_ok());
    must(support::configure_instrument("configure", "MARI"));
    auto script = support::register_script("script", "MARI");
    must(script);
    sha256_ = base::sha256("def main(input_file, output_dir):\n    pass\n");
    const uint64_t detected = must(support::detect_run("detect", "MARI", 28001));
    job_ = must(support::queue_job("queue", "MARI", 28001).cause(detected));
    must(support::detect_run("revise", "MARI", 28001, "2010002", "other raw bytes"));  // the run's link leads elsewhere from here on
    must(support::join_worker("join", "w1"));
    must(support::start_attempt("start", job_, "w1"));
    close();
  }
  uint64_t must(const support::CommandMessage& command) {
    const ledger::Answer answer = apply(command);
    EXPECT_TRUE(answer.status.is_ok()) << answer.status.message();
    return answer.events.empty() ? 0 : answer.events[0];
  }
  ledger::VerifyReport verify() { return P10VerifyTest::verify({}, ledger::standard_rules()); }
  base::Sha256 sha256_{};
  uint64_t job_ = 0;
};

TEST_F(P10VerifyBlobsTest, WholeLedgerIsFoundWhole) {
  const auto report = verify();
  EXPECT_THAT(report.findings, ElementsAre());
  EXPECT_TRUE(report.ok);
}

TEST_F(P10VerifyBlobsTest, ChangedAndMissingBlobsAreNamed) {
  Damage(folder()).flip("blobs", base::as_bytes(sha256_), 4);
  expect_named(verify(), 0, "blob " + base::hex(sha256_) + ": its 43 bytes have another SHA-256");
  Damage(folder()).erase("blobs", base::as_bytes(sha256_));
  expect_named(verify(), 0, "blob " + base::hex(sha256_) + ", which event 2 names, is missing");
}

TEST_F(P10VerifyBlobsTest, DocumentLostAfterItWasErasedOnceAndStoredAnewIsNamed) {
  // Symptom: an erasure excused for ever that the document was not there.
  const std::string text = "def main(input_file, output_dir):\n    raise SystemExit\n";
  const base::Sha256 script = base::sha256(text);
  ASSERT_TRUE(open(ledger::standard_rules()).is_ok());
  must(support::register_script("second", "MARI", text));
  must(support::register_script("third", "MARI", text + "# not this one\n"));
  support::CommandMessage erase("erase");
  auto erased = erase.get().getBody().initEraseBlobs();
  erased.initBlobs(1)[0].setSha256(support::data(script));
  erased.initReason().setCode("personal_data");
  erased.getReason().setText("names a person");
  const uint64_t erasing = must(erase);
  close();
  EXPECT_THAT(verify().findings, ElementsAre()) << "it was erased on record";
  ASSERT_TRUE(open(ledger::standard_rules()).is_ok());
  const uint64_t anew = must(support::register_script("second anew", "MARI", text));
  close();
  EXPECT_THAT(verify().findings, ElementsAre());
  Damage(folder()).erase("blobs", base::as_bytes(script));
  EXPECT_THAT(verify().findings, ElementsAre(HasSubstr("which event " + std::to_string(anew) + " names anew, is missing; it was erased before, by event " +
                                                       std::to_string(erasing) + ", and not since")));
}

TEST_F(P10VerifyBlobsTest, LinkThatLeadsElsewhereIsNamed) {
  {
    Damage damage(folder());
    damage.put("subjects", ledger::link_key(ledger::job_subject(job_)), ledger::encode_link({ledger::run_subject("MARI", 1)}));
  }
  expect_named(verify(), 0, "lacks the row link of j");
}

TEST_F(P10VerifyBlobsTest, WhatALostEventWasAboutIsNotJudged) {
  Damage(folder()).erase("events", ledger::u64_key(job_));
  const auto report = verify();
  EXPECT_EQ(report.first_bad, job_);
  EXPECT_THAT(report.findings, ElementsAre(HasSubstr("is missing"), HasSubstr("views were not compared")));
}

}  // namespace
