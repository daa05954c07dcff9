// Logs of every released schema version are read for ever (promise P11): their bytes lie here, frozen.
#include <capnp/message.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ledger/event_bytes.h"
#include "ledger/event_kinds.h"
#include "ledger/keys.h"
#include "ledger/log_state.h"
#include "ledger/memory_rows.h"
#include "ledger/tree_rows.h"
#include "ledger/view_rows.h"
#include "tests/golden/golden.h"
#include "tests/support/commands.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace {

using testing::HasSubstr;

std::string read(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class P11FrozenBytesTest : public testing::TestWithParam<int> {
 protected:
  std::filesystem::path folder() const { return std::filesystem::path(GOLDEN) / ("schema-" + std::to_string(GetParam())); }
  std::vector<std::string> events() const { return golden::unpacked(read(folder() / "events.bin")); }
};

TEST_P(P11FrozenBytesTest, NoFieldMovesAndNoEnumerantIsRenumbered) {
  const auto now = golden::schema_lines();
  const auto frozen = lines_of(read(folder() / "schema.txt"));
  ASSERT_GT(frozen.size(), 100u);
  for (const std::string& line : frozen) EXPECT_TRUE(std::find(now.begin(), now.end(), line) != now.end()) << line;
}

TEST_P(P11FrozenBytesTest, EveryFieldOfEveryEventIsReadAsItWasWritten) {
  const auto texts = lines_of(read(folder() / "texts.txt"));
  const auto all = events();
  const auto documents = golden::unpacked(read(folder() / "documents.bin"));
  ASSERT_EQ(texts.size(), all.size() + documents.size());
  const auto frozen = lines_of(read(folder() / "schema.txt"));
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(golden::without_later_fields(golden::event_text(all[i]), frozen), texts[i]);
  for (size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(golden::without_later_fields(golden::document_text(i, documents[i]), frozen), texts[all.size() + i]);
  }
}

TEST_P(P11FrozenBytesTest, ReadAndWrittenAgainTheBytesAreTheSame) {
  for (const std::string& bytes : events()) {
    const auto words = ledger::as_words(bytes);
    EXPECT_EQ(ledger::as_bytes(ledger::canonical_event(ledger::StoredEvent(words).get()).value()), bytes);
  }
}

TEST_P(P11FrozenBytesTest, EveryViewFoldsIt) {
  ledger::MemoryRows rows([](std::string_view) { return std::nullopt; });
  for (const std::string& bytes : events()) {
    const auto words = ledger::as_words(bytes);
    ledger::StoredEvent event(words);
    for (const ledger::View* view : ledger::views()) view->fold(event.get(), rows);
  }
}

INSTANTIATE_TEST_SUITE_P(Schemas, P11FrozenBytesTest, testing::Range(1, static_cast<int>(ledger::kSchemaVersion) + 1));

TEST(P11FieldsTest, JobQueuedOfSchemaOneHasTheseValues) {
  // By hand, so that the text form is not the only witness.
  const auto all = golden::unpacked(read(std::filesystem::path(GOLDEN) / "schema-1" / "events.bin"));
  ASSERT_EQ(all.size(), 29u);
  const auto words = ledger::as_words(all[12]);
  ledger::StoredEvent stored(words);
  EXPECT_EQ(stored.get().getSeq(), 13u);
  EXPECT_STREQ(stored.get().getActor().getName().cStr(), "alice");
  ASSERT_TRUE(stored.get().getBody().isJobQueued());
  const auto queued = stored.get().getBody().getJobQueued();
  ASSERT_EQ(queued.getRuns().size(), 1u);
  EXPECT_STREQ(queued.getRuns()[0].getInstrument().cStr(), "text 3");
  EXPECT_EQ(queued.getRuns()[0].getRunNumber(), 4u);
  EXPECT_EQ(queued.getVersion(), 5u);
}

TEST(P11FieldsTest, FieldAddedLaterReadsAsItsDefaultInOlderBytes) {
  // A WorkerJoined without its last field, as a release before that field would have written it: the data section ends earlier.
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<schema::Event>();
  event.getBody().initWorkerJoined().setWorker("w1");
  const auto words = ledger::canonical_event(event.asReader()).value();
  ledger::StoredEvent stored(words);
  EXPECT_EQ(stored.get().getBody().getWorkerJoined().getSlots(), 0u);
  EXPECT_STREQ(stored.get().getBody().getWorkerJoined().getHost().cStr(), "");
}

/// A log with one event of a kind that a later release added.
class UnknownEventTest : public testing::Test {
 protected:
  void SetUp() override {
    {
      auto ledger = open();
      ASSERT_TRUE(ledger->apply(support::configure_instrument("one", "MARI").reader(), support::person()).status.is_ok());
      event_ = std::string(ledger::as_bytes(ledger->snapshot()->event(1).value()));
    }
    event_[8] = 2;                   // seq
    event_[32] = '\xC8';             // the body's member: 200
    auto store = ledger::Store::open(folder_ / "ledger/db", {.views = ledger::views()}).value();
    const auto live = store->live();
    auto edge = ledger::load_edge(*live, 1).value();
    ledger::Store::Batch batch;
    batch.put(*live, ledger::Table::kEvents, ledger::u64_key(2), event_);
    ledger::TreeRows rows;
    rows.append(edge, ledger::leaf_hash(event_), *live, batch);
    rows.emit(*live, batch);
    batch.put(*live, ledger::Table::kMeta, std::string("kind/\x00\xC8", 7), ledger::u64_key(1) + ledger::u64_key(2));
    batch.put(*live, ledger::Table::kMeta, "writer", ledger::u64_key(ledger::kSchemaVersion + 1) + "9.9");
    ASSERT_TRUE(store->write(batch, true).is_ok());
  }
  std::unique_ptr<ledger::Ledger> open() { return ledger::Ledger::open(folder_ / "ledger", {}, clock_).value(); }

  support::TemporaryFolder folder_;
  support::FakeClock clock_;
  std::string event_;
};

TEST_F(UnknownEventTest, ViewsPassItOverAndItIsCounted) {
  const auto ledger = open();
  EXPECT_EQ(ledger->head(), 2u);
  EXPECT_TRUE(ledger->check_views().is_ok());
  EXPECT_TRUE(ledger::find_instrument(*ledger->snapshot(), "MARI").has_value());
  EXPECT_EQ(ledger::as_bytes(ledger->snapshot()->event(2).value()), event_);
  EXPECT_EQ(ledger->health().state, ledger::Health::State::kReadOnly);
  EXPECT_THAT(ledger->health().detail, HasSubstr("the log holds 1 event of a kind that release"));
}

TEST_F(UnknownEventTest, DecidingRefusesAndNamesBothReleases) {
  const auto ledger = open();
  const auto answer = ledger->apply(support::pause_instrument("two", "MARI").reader(), support::person());
  EXPECT_EQ(answer.status.code(), base::Code::kUnsupportedVersion);
  EXPECT_THAT(answer.status.message(), HasSubstr(fmt::format("(schema {}) does not know, the first is event 2; release 9.9 (schema {}) wrote it",
                                                             ledger::kSchemaVersion, ledger::kSchemaVersion + 1)));
  EXPECT_EQ(ledger->head(), 2u);
}

}  // namespace
