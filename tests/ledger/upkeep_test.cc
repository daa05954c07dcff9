// Views folded again beside the rows that serve, after a new release, after a crash; and compared with what the log leads to.
#include "ledger/upkeep.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "ledger/keys.h"
#include "ledger/overlay.h"
#include "ledger/view_fold.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Counts the notes of each run. A test can make it stop, err, or sleep through events.
class Counter final : public ledger::View {
 public:
  explicit Counter(uint32_t version = 1) : version_(version) {}
  ledger::ViewId id() const override { return ledger::ViewId::kRuns; }
  const char* name() const override { return "counter"; }
  uint32_t version() const override { return version_; }
  void fold(schema::Event::Reader event, ledger::Rows& rows) const override {
    if (event.getSeq() == throw_at) throw std::runtime_error("no more");
    if (event.getSeq() == unread_at) throw ledger::StoreFault{{base::Code::kUnavailable, "Input/output error"}};
    if (event.getSeq() == wait_at) gate.get_future().wait();
    {
      std::lock_guard lock(mutex_);
      folded_.push_back(event.getSeq());
    }
    if (asleep_for.contains(event.getSeq())) return;
    const std::string key = "run" + std::to_string(event.getBody().getRunAnnotated().getRun().getRunNumber());
    uint64_t count = 1;
    if (const auto row = rows.get(id(), key)) count += ledger::read_u64(*row);
    rows.put(id(), key, ledger::u64_key(count));
    if (ballast > 0) rows.put(id(), "ballast" + ledger::u64_key(event.getSeq()), std::string(ballast, 'b'));
  }
  std::vector<uint64_t> folded() const {
    std::lock_guard lock(mutex_);
    return folded_;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    folded_.clear();
  }

  std::set<uint64_t> asleep_for;
  uint64_t throw_at = 0;
  uint64_t unread_at = 0;  // the disk fails here
  uint64_t wait_at = 0;  // fold waits for the gate here
  size_t ballast = 0;    // bytes of a row of its own for each event
  mutable std::promise<void> gate;

 private:
  const uint32_t version_;
  mutable std::mutex mutex_;
  mutable std::vector<uint64_t> folded_;  // guarded by mutex_
};

/// Rules with one Counter; deciding looks at its rows.
ledger::Rules rules_with(const Counter& counter) {
  static std::map<const Counter*, std::array<const ledger::View*, 1>> lists;
  lists[&counter] = {&counter};
  ledger::Rules rules = support::toy_rules();
  rules.decide = [decide = rules.decide](const ledger::RowReader& rows, const ledger::DecideContext& context,
                                         schema::Command::Reader command) {
    (void)rows.get(ledger::ViewId::kRuns, "run1");
    return decide(rows, context, command);
  };
  rules.views = lists[&counter];
  return rules;
}

uint64_t count_of(const ledger::RowReader& rows, uint64_t run) {
  const auto row = rows.get(ledger::ViewId::kRuns, "run" + std::to_string(run));
  return row ? ledger::read_u64(*row) : 0;
}

class UpkeepTest : public support::LedgerFixture {
 protected:
  UpkeepTest() { options_.sync = false; }  // what is asked here does not hang on it
  void TearDown() override { close(); }    // before the views go
  Counter& view(uint32_t version = 1) { return views_.emplace_back(version); }
  void open_with(const Counter& counter) {
    const base::Status status = open(rules_with(counter));
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  void note_runs(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(note("n" + std::to_string(next_++), "text", i % 7).status.is_ok());
  }
  std::future<base::Status> rebuild() {
    auto done = std::make_shared<std::promise<base::Status>>();
    ledger_->rebuild_views({}, nullptr, [done](base::Status status) { done->set_value(std::move(status)); });
    return done->get_future();
  }
  std::deque<Counter> views_;
  int next_ = 0;
};

TEST_F(UpkeepTest, OpeningFoldsNothing) {
  Counter& counter = view();
  open_with(counter);
  note_runs(20);
  close();
  counter.clear();
  open_with(counter);
  close();
  EXPECT_THAT(counter.folded(), IsEmpty());
}

TEST_F(UpkeepTest, OldRowsServeAndCommandsAreTakenDuringARebuild) {
  Counter& counter = view();
  open_with(counter);
  note_runs(3000);
  counter.wait_at = 1500;
  auto rebuilt = rebuild();
  while (ledger_->rebuilding().empty() || ledger_->rebuilding()[0].folded == 0) std::this_thread::yield();

  const auto progress = ledger_->rebuilding().at(0);
  EXPECT_EQ(progress.view, "counter");
  EXPECT_EQ(progress.folded, 1024u);
  EXPECT_EQ(progress.total, 3000u);
  EXPECT_TRUE(progress.serves);
  const uint64_t before = count_of(*ledger_->snapshot(), 1);
  EXPECT_TRUE(note("during", "text", 1).status.is_ok());
  EXPECT_EQ(count_of(*ledger_->snapshot(), 1), before + 1);

  counter.gate.set_value();
  EXPECT_TRUE(rebuilt.get().is_ok());
  EXPECT_EQ(count_of(*ledger_->snapshot(), 1), before + 1);
  EXPECT_THAT(ledger_->rebuilding(), IsEmpty());
  counter.wait_at = 0;
  EXPECT_TRUE(ledger_->check_views().is_ok());
}

TEST_F(UpkeepTest, NewVersionServesAtOnceWhatNeedsNoRows) {
  Counter& old = view();
  open_with(old);
  note_runs(2000);
  Counter& newer = view(2);
  newer.wait_at = 1500;
  open_with(newer);
  while (ledger_->rebuilding().at(0).folded == 0) std::this_thread::yield();

  const auto snapshot = ledger_->snapshot();
  EXPECT_TRUE(snapshot->event(2000).is_ok());
  EXPECT_TRUE(snapshot->status().is_ok());
  EXPECT_EQ(count_of(*snapshot, 1), 0u);
  EXPECT_EQ(snapshot->status().code(), base::Code::kUnavailable);
  EXPECT_THAT(snapshot->status().message(), HasSubstr("view counter is folded again by this release, 1024 of 2000 events are done"));
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kOk);
  const auto answer = note("early", "text", 1);
  EXPECT_EQ(answer.status.code(), base::Code::kUnavailable);
  EXPECT_THAT(answer.status.message(), HasSubstr("1024 of 2000 events"));

  std::promise<void> exchanged;
  bool told = false;
  ledger_->on_commit([&](uint64_t) {
    if (!std::exchange(told, true)) exchanged.set_value();
  });
  newer.gate.set_value();
  exchanged.get_future().wait();
  EXPECT_EQ(count_of(*ledger_->snapshot(), 1), 286u);
  EXPECT_TRUE(note("early", "text", 1).status.is_ok());
  EXPECT_EQ(count_of(*ledger_->snapshot(), 1), 287u);
}

TEST_F(UpkeepTest, InterruptedRebuildGoesOnWhereItWas) {
  Counter& counter = view();
  open_with(counter);
  note_runs(3000);
  counter.ballast = ledger::kRowBytesAWrite / ledger::kEventsAFold;  // so that rows are written after as many events
  counter.throw_at = 2500;
  EXPECT_THAT(rebuild().get().message(), HasSubstr("event 2500 cannot be folded: no more"));
  EXPECT_TRUE(note("later", "text", 1).status.is_ok()) << "the old rows serve";
  close();
  counter.throw_at = 0;
  counter.clear();
  open_with(counter);
  ASSERT_TRUE(ledger_->check_views().is_ok());  // waits for its turn
  const auto folded = counter.folded();
  EXPECT_EQ(folded.at(0), 2049u) << "what was written twice";
  EXPECT_EQ(std::count(folded.begin(), folded.end(), 3001u), 2) << "once by the rebuild, once by the check";
}

TEST_F(UpkeepTest, ViewThatCannotBeFoldedIsSaidAndTheRestServes) {
  Counter& old = view();
  open_with(old);
  note_runs(3);
  Counter& newer = view(2);
  newer.throw_at = 2;
  open_with(newer);
  EXPECT_EQ(ledger_->check_views().code(), base::Code::kUnavailable);
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kReadOnly);
  EXPECT_THAT(ledger_->health().detail, HasSubstr("view counter cannot be folded: event 2 cannot be folded: no more"));
  EXPECT_TRUE(ledger_->snapshot()->event(3).is_ok());
}

TEST_F(UpkeepTest, LogThatCannotBeReadMakesTheLedgerReadOnly) {
  for (const int events : {3, 1000}) {  // folded while the writer waits, and before
    SCOPED_TRACE(events);
    Counter& old = view();
    open_with(old);
    ASSERT_TRUE(ledger_->check_views().is_ok());  // waits for its turn
    note_runs(events - static_cast<int>(ledger_->head()));
    Counter& newer = view(2);
    newer.unread_at = 2;
    open_with(newer);
    EXPECT_EQ(ledger_->check_views().code(), base::Code::kUnavailable);
    EXPECT_EQ(ledger_->health().state, ledger::Health::State::kReadOnly);
    EXPECT_THAT(ledger_->health().detail, HasSubstr("view counter cannot be folded: Input/output error"));
    EXPECT_TRUE(ledger_->snapshot()->event(3).is_ok());
  }
}

TEST_F(UpkeepTest, RebuildThatCannotReadIsAFaultThoughTheOldRowsServe) {
  Counter& counter = view();
  open_with(counter);
  note_runs(3);
  counter.unread_at = 2;
  EXPECT_THAT(rebuild().get().message(), HasSubstr("Input/output error"));
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kReadOnly);
  EXPECT_EQ(count_of(*ledger_->snapshot(), 1), 1u);
}

TEST_F(UpkeepTest, RemovedViewLosesItsTablesAndNothingElse) {
  Counter& counter = view();
  open_with(counter);
  note_runs(10);
  ledger::Rules none = support::toy_rules();
  none.views = {};
  ASSERT_TRUE(open(none).is_ok());
  EXPECT_EQ(ledger_->head(), 10u);
  ASSERT_TRUE(note("without it", "text", 1).status.is_ok());
  counter.clear();
  open_with(counter);
  EXPECT_TRUE(ledger_->check_views().is_ok());
  EXPECT_EQ(counter.folded().size(), 22u) << "folded again from the first event, and once more to compare";
}

TEST_F(UpkeepTest, UnknownViewIsNamed) {
  Counter& counter = view();
  open_with(counter);
  std::promise<base::Status> done;
  ledger_->rebuild_views({"counter", "cuonter"}, nullptr, [&](base::Status status) { done.set_value(std::move(status)); });
  EXPECT_EQ(done.get_future().get().message(), "cuonter: there is no such view; there are counter");
}

class P3CheckTest : public UpkeepTest {
 protected:
  std::vector<std::string> findings() {
    std::promise<std::vector<std::string>> done;
    ledger_->check_views({}, nullptr, [&](auto findings) { done.set_value(findings.is_ok() ? *findings : std::vector{findings.status().message()}); });
    return done.get_future().get();
  }
};

TEST_F(P3CheckTest, EventThatWasMissedIsNamed) {
  Counter& counter = view();
  open_with(counter);
  counter.asleep_for = {1030};  // a note of run 0
  note_runs(2000);
  counter.asleep_for = {};
  // The row counts 285 notes, which is what it was before event 1996, the last note of run 0.
  EXPECT_THAT(findings(), ElementsAre("view counter, row run0 (72756e30): 8 bytes are stored, the log leads to 8, different from byte 7 on; "
                                      "event 1996 is the first that makes a difference; rebuild the view"));
  EXPECT_TRUE(ledger_->rebuild_views().is_ok());
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(P3CheckTest, RowThatIsNotStoredIsNamed) {
  Counter& counter = view();
  open_with(counter);
  counter.asleep_for = {3};
  note_runs(3);
  counter.asleep_for = {};
  EXPECT_THAT(findings(), ElementsAre("view counter, row run2 (72756e32): follows from the log, but is not stored; event 3 is the first that "
                                      "makes a difference; rebuild the view"));
}

using Row = std::optional<std::string>;

TEST(RowHistoryTest, OlderRowLacksTheEventThatChangedIt) {
  ledger::RowHistory history(Row("b"), Row("d"));
  for (uint64_t seq : {1, 2, 3, 4}) history.add(seq * 10, std::string(1, static_cast<char>('a' + seq - 1)));
  EXPECT_EQ(history.first_difference(), 30u);
}

TEST(RowHistoryTest, BytesThatNeverWereNameTheEventThatWroteTheByte) {
  ledger::RowHistory history(Row("xAyB"), Row("xayb"));
  history.add(5, "x");
  history.add(6, "xa");
  history.add(7, "xay");
  history.add(8, "xayb");
  EXPECT_EQ(history.first_difference(), 6u);
}

TEST(RowHistoryTest, RowTheLogErasedLacksTheErasing) {
  ledger::RowHistory history(Row("a"), std::nullopt);
  history.add(5, "a");
  history.add(6, std::nullopt);
  EXPECT_EQ(history.first_difference(), 6u);
}

TEST(RowHistoryTest, RowNoEventWroteHasNone) { EXPECT_EQ(ledger::RowHistory(Row("a"), std::nullopt).first_difference(), 0u); }

TEST(RowHistoryTest, MissingRowLacksTheEventThatBroughtItBack) {
  ledger::RowHistory history(std::nullopt, Row("b"));
  history.add(5, "a");
  history.add(6, std::nullopt);
  history.add(7, "b");
  EXPECT_EQ(history.first_difference(), 7u);
}

}  // namespace
