#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "base/text.h"
#include "ledger/limits.h"
#include "ledger/proof/merkle.h"
#include "ledger/subjects.h"
#include "ledger/verify.h"
#include "tests/ledger/ledger_fixture.h"

namespace {

using support::advance;
using support::annotate_run;
using support::daemon;
using support::note_of;
using support::person;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LedgerTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
};

TEST_F(LedgerTest, EventSaysWhoWhenAndWhy) {
  ASSERT_THAT(note("first", "hello").events, ElementsAre(1));
  clock_.advance(5);
  auto command = annotate_run("second", "MARI", 28001, "again");
  command.cause(1);
  ASSERT_THAT(apply(command, {schema::Actor::Kind::DAEMON, "monitord", "in process"}).events, ElementsAre(2));

  const auto words = ledger_->snapshot()->event(2);
  ASSERT_TRUE(words.is_ok());
  ledger::StoredEvent stored(*words);
  const auto event = stored.get();
  EXPECT_EQ(event.getSeq(), 2u);
  EXPECT_EQ(event.getTime(), clock_.now_ns());
  EXPECT_EQ(event.getCause(), 1u);
  EXPECT_EQ(support::text_of(event.getCommandId()), "second");
  EXPECT_EQ(support::text_of(event.getActor().getName()), "monitord");
  EXPECT_EQ(support::text_of(event.getActor().getProof()), "in process");
  EXPECT_EQ(support::text_of(event.getBody().getRunAnnotated().getText()), "again");
}

TEST_F(LedgerTest, EventBeyondTheHeadIsNotFound) {
  note("a", "one");
  EXPECT_EQ(ledger_->snapshot()->event(0).status().code(), base::Code::kNotFound);
  EXPECT_EQ(ledger_->snapshot()->event(2).status().code(), base::Code::kNotFound);
}

TEST_F(LedgerTest, EventsComeInOrderFromAnyToAnyAsFarAsThereAreSuch) {
  note_many(20);
  const auto snapshot = ledger_->snapshot();
  note("later", "not in the snapshot");
  const auto read = [&](uint64_t from, uint64_t to, size_t limit) {
    std::vector<uint64_t> seqs;
    const base::Status status = snapshot->events(from, to, [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
      EXPECT_EQ(std::string(ledger::as_bytes(words)), event_bytes(seq));
      seqs.push_back(seq);
      return seqs.size() < limit;
    });
    EXPECT_TRUE(status.is_ok()) << status.message();
    return seqs;
  };
  EXPECT_THAT(read(5, 8, 100), ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(read(0, 2, 100), ElementsAre(1, 2));
  EXPECT_THAT(read(19, 1000, 100), ElementsAre(19, 20));
  EXPECT_THAT(read(5, 20, 2), ElementsAre(5, 6));
  EXPECT_THAT(read(21, 1000, 100), ElementsAre());
  EXPECT_THAT(read(8, 7, 100), ElementsAre());
}

TEST_F(LedgerTest, SnapshotStaysAsItWas) {
  note("a", "one");
  const auto before = ledger_->snapshot();
  note("b", "two");
  EXPECT_EQ(before->head(), 1u);
  EXPECT_EQ(note_of(*before, "MARI", 28001)->last, "one");
  EXPECT_EQ(before->event(2).status().code(), base::Code::kNotFound);
  EXPECT_EQ(note_of(*ledger_->snapshot(), "MARI", 28001)->last, "two");
}

TEST_F(LedgerTest, SnapshotMayOutliveTheLedger) {
  note("a", "one");
  const auto snapshot = ledger_->snapshot();
  close();
  EXPECT_EQ(note_of(*snapshot, "MARI", 28001)->last, "one");
}

TEST_F(LedgerTest, TimeNeverGoesBackWhenTheClockDoes) {
  note("a", "one");
  clock_.advance(-support::FakeClock::kDay);
  note("b", "two");
  must_open();
  note("c", "three");
  int64_t last = 0;
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    const auto words = ledger_->snapshot()->event(seq);
    ASSERT_TRUE(words.is_ok());
    const int64_t time = ledger::StoredEvent(*words).get().getTime();
    EXPECT_GE(time, last) << "event " << seq;
    last = time;
  }
}

TEST_F(LedgerTest, LargestEventIsTakenAndOneByteMoreIsRefused) {
  // One note of n bytes takes a whole number of words; find the size that just fits.
  std::string text(ledger::kMaxEventBytes - 512, 'x');
  while (note("fits" + std::to_string(text.size()), text).status.is_ok()) text.append(8, 'x');
  const uint64_t head = ledger_->head();
  EXPECT_EQ(event_bytes(head).size(), ledger::kMaxEventBytes);
  const auto refused = note("too long", text);
  EXPECT_EQ(refused.status.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(refused.status.message(), HasSubstr("65536"));
  EXPECT_EQ(ledger_->head(), head);
}

TEST_F(LedgerTest, IdMustBeThereAndShort) {
  for (const size_t size : {size_t{0}, ledger::kMaxCommandIdBytes + 1}) {
    const auto answer = note(std::string(size, 'i'), "text");
    EXPECT_EQ(answer.status.code(), base::Code::kInvalidArgument) << size;
  }
  EXPECT_TRUE(note(std::string(ledger::kMaxCommandIdBytes, 'i'), "text").status.is_ok());
  EXPECT_EQ(ledger_->head(), 1u);
}

TEST_F(LedgerTest, CauseInTheFutureIsRefused) {
  auto command = annotate_run("a", "MARI", 1, "text");
  const auto answer = apply(command.cause(1));
  EXPECT_EQ(answer.status.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(answer.status.message(), HasSubstr("the log ends at 0"));
}

TEST_F(LedgerTest, ErrorInDecidingOrFoldingIsAnsweredAndLeavesNoTrace) {
  for (const char* text : {"throw", "throw in fold"}) {
    const auto answer = note(text, text);
    EXPECT_EQ(answer.status.code(), base::Code::kInternal) << text;
    EXPECT_THAT(answer.status.message(), HasSubstr("bug"));
  }
  EXPECT_FALSE(note_of(*ledger_->snapshot(), "MARI", 28001));
  EXPECT_THAT(note("after", "fine").events, ElementsAre(1));
  EXPECT_TRUE(ledger_->check_views().is_ok());
  EXPECT_EQ(ledger_->health().state, ledger::Health::State::kOk);
}

TEST_F(LedgerTest, RefusedCommandsAmongGoodOnesOfAGroupLeaveNoTrace) {
  auto thrown = annotate_run("thrown", "MARI", 1, "throw in fold");
  auto folded = annotate_run("folded", "MARI", 1, "refused when it was folded already");
  const auto unwanted = folded.blob("nobody's text");
  folded.position("coordinatord", 1000);
  auto good = annotate_run("good", "MARI", 1, "last");
  const auto kept = good.blob("somebody's text");
  capnp::MallocMessageBuilder message;
  auto commands = message.initRoot<capnp::List<schema::Command>>(4);
  commands.setWithCaveats(0, annotate_run("first", "MARI", 1, "first").reader());
  commands.setWithCaveats(1, thrown.reader());
  commands.setWithCaveats(2, folded.reader());
  commands.setWithCaveats(3, good.reader());
  std::promise<std::vector<ledger::Answer>> answered;
  ledger_->submit_all(commands.asReader(), person(), [&](std::vector<ledger::Answer> answers) { answered.set_value(std::move(answers)); });
  std::vector<base::Code> codes;
  for (const ledger::Answer& answer : answered.get_future().get()) codes.push_back(answer.status.code());
  EXPECT_THAT(codes, ElementsAre(base::Code::kOk, base::Code::kInternal, base::Code::kInvalidArgument, base::Code::kOk));

  EXPECT_EQ(note_of(*ledger_->snapshot(), "MARI", 1)->last, "last");
  EXPECT_FALSE(ledger_->snapshot()->has_blob(base::as_bytes(unwanted)));
  EXPECT_TRUE(ledger_->snapshot()->has_blob(base::as_bytes(kept)));
  EXPECT_EQ(ledger_->snapshot()->position("coordinatord"), 0u);
  close();
  const auto report = ledger::verify_folder(folder(), support::toy_rules().views).value()->run({});
  EXPECT_THAT(report.findings, IsEmpty());
  EXPECT_EQ(report.events, 2u);
}

TEST_F(LedgerTest, BlobIsStoredWithItsCommandOnly) {
  auto kept = annotate_run("kept", "MARI", 1, "text");
  const auto hash = kept.blob("script text");
  auto dropped = annotate_run("dropped", "MARI", 1, "refuse");
  const auto unwanted = dropped.blob("other text");
  apply(kept);
  apply(dropped);
  const auto snapshot = ledger_->snapshot();
  EXPECT_EQ(snapshot->blob(base::as_bytes(hash)), "script text");
  EXPECT_TRUE(snapshot->has_blob(base::as_bytes(hash)));
  EXPECT_FALSE(snapshot->has_blob(base::as_bytes(unwanted)));
}

TEST_F(LedgerTest, PositionComesWithItsCommandAndNeverGoesBack) {
  note_many(3);
  auto first = advance("first");
  apply(first.position("coordinatord", 3), daemon("coordinatord"));
  EXPECT_EQ(ledger_->snapshot()->position("coordinatord"), 3u);
  auto late = advance("late");
  apply(late.position("coordinatord", 2), daemon("coordinatord"));
  EXPECT_EQ(ledger_->snapshot()->position("coordinatord"), 3u);
  auto beyond = advance("beyond");
  EXPECT_EQ(apply(beyond.position("coordinatord", 4), daemon("coordinatord")).status.code(), base::Code::kInvalidArgument);
  must_open();
  EXPECT_EQ(ledger_->snapshot()->position("coordinatord"), 3u);
  EXPECT_EQ(ledger_->snapshot()->position("monitord"), 0u);
}

TEST_F(LedgerTest, SubjectIndexFollowsAJobToItsRunAndExperiment) {
  note("1", "early", 28001);
  apply(support::detect_run("2", "MARI", 28001, "2010001"), daemon("monitord"));
  apply(support::queue_job("3", "MARI", 28001, "2010001"), daemon("coordinatord"));
  note("4", "another run", 28002);
  apply(support::start_attempt("5", 3, "w1"), daemon("workerd/w1"));
  note("6", "late", 28001);

  const auto snapshot = ledger_->snapshot();
  EXPECT_THAT(snapshot->subject(ledger::run_subject("MARI", 28001), 0, 100), ElementsAre(1, 2, 3, 5, 6));
  EXPECT_THAT(snapshot->subject(ledger::job_subject(3), 0, 100), ElementsAre(3, 5));
  EXPECT_THAT(snapshot->subject(ledger::experiment_subject("2010001"), 0, 100), ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(snapshot->subject(ledger::instrument_subject("MARI"), 0, 100), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(snapshot->subject(ledger::worker_subject("w1"), 0, 100), ElementsAre(5));
  EXPECT_THAT(snapshot->subject(ledger::actor_subject("alice"), 0, 100), ElementsAre(1, 4, 6));
  EXPECT_THAT(snapshot->subject(ledger::run_subject("MARI", 28001), 3, 2), ElementsAre(3, 5));
  EXPECT_THAT(snapshot->subject(ledger::run_subject("MAR", 28001), 0, 100), IsEmpty());
}

TEST_F(LedgerTest, ManyCommandsInOneCallAreAnsweredInOrder) {
  constexpr capnp::uint kCommands = 3000;  // more than one group
  capnp::MallocMessageBuilder message;
  auto commands = message.initRoot<capnp::List<schema::Command>>(kCommands);
  for (capnp::uint i = 0; i < kCommands; ++i) {
    commands.setWithCaveats(i, annotate_run("many" + std::to_string(i), "MARI", i, i % 7 == 3 ? "refuse" : "text").reader());
  }
  std::promise<std::vector<ledger::Answer>> answered;
  ledger_->submit_all(commands.asReader(), person(),
                      [&](std::vector<ledger::Answer> answers) { answered.set_value(std::move(answers)); });
  const auto answers = answered.get_future().get();
  ASSERT_EQ(answers.size(), kCommands);
  uint64_t seq = 0;
  for (capnp::uint i = 0; i < kCommands; ++i) {
    if (i % 7 == 3) {
      EXPECT_EQ(answers[i].status.code(), base::Code::kConflict) << i;
    } else {
      EXPECT_THAT(answers[i].events, ElementsAre(++seq)) << i;
    }
  }
  EXPECT_EQ(ledger_->head(), seq);
}

TEST_F(LedgerTest, NoCommandsAreAnsweredAtOnce) {
  capnp::MallocMessageBuilder message;
  bool answered = false;
  ledger_->submit_all(message.initRoot<capnp::List<schema::Command>>(0).asReader(), person(),
                      [&](std::vector<ledger::Answer> answers) { answered = answers.empty(); });
  EXPECT_TRUE(answered);
}

TEST_F(LedgerTest, SixtyFourThreadsLoseNothing) {
  constexpr int kThreads = 64, kEach = 25;
  std::atomic<uint64_t> observed{0};
  ledger_->on_commit([&](uint64_t head) { observed = head; });
  std::vector<std::thread> threads;
  std::array<std::vector<uint64_t>, kThreads> seqs;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto command = annotate_run(std::to_string(t) + "/" + std::to_string(i), "MARI", t, "text");
        const auto answer = ledger_->apply(command.reader(), person());
        if (answer.status.is_ok()) seqs[t].push_back(answer.events.at(0));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<uint64_t> all;
  for (const auto& each : seqs) {
    EXPECT_TRUE(std::is_sorted(each.begin(), each.end()));
    all.insert(all.end(), each.begin(), each.end());
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), size_t{kThreads * kEach});
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i + 1);
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(note_of(*ledger_->snapshot(), "MARI", t)->count, uint64_t{kEach});
  close();
  EXPECT_EQ(observed, uint64_t{kThreads * kEach});
}

TEST_F(LedgerTest, FullQueueAnswersBusyAtOnceAndRecovers) {
  options_.queue_commands = 4;
  must_open();
  std::promise<void> entered, release;
  ledger_->submit(annotate_run("holds", "MARI", 1, "text").reader(), person(), [&](ledger::Answer) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();  // the writer stands still in this answer; what follows waits
  std::vector<std::future<ledger::Answer>> waiting;
  for (int i = 0; i < 5; ++i) {
    auto answered = std::make_shared<std::promise<ledger::Answer>>();
    waiting.push_back(answered->get_future());
    ledger_->submit(annotate_run("waits" + std::to_string(i), "MARI", 1, "text").reader(), person(),
                    [answered](ledger::Answer answer) { answered->set_value(std::move(answer)); });
  }
  const auto busy = waiting.back().get();  // does not wait for the writer
  EXPECT_EQ(busy.status.code(), base::Code::kUnavailable);
  EXPECT_THAT(busy.status.message(), HasSubstr("busy: 4 commands wait"));
  release.set_value();
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(waiting[i].get().status.is_ok());
  EXPECT_TRUE(note("waits4", "text").status.is_ok()) << "a busy answer is not remembered";
}

TEST_F(LedgerTest, SecondOpenOfTheFolderIsAConflict) {
  const auto second = ledger::Ledger::open(folder(), options_, clock_, support::toy_rules());
  ASSERT_FALSE(second.is_ok());
  EXPECT_EQ(second.status().code(), base::Code::kConflict);
  EXPECT_THAT(second.status().message(), HasSubstr(folder().string()));
}

TEST_F(LedgerTest, IdIsThirtyTwoHexDigitsAndStays) {
  const std::string id = ledger_->id();
  EXPECT_EQ(id.size(), 32u);
  must_open();
  EXPECT_EQ(ledger_->id(), id);
}

TEST_F(LedgerTest, FolderWithoutALedgerIsNotFoundAndStaysEmpty) {
  options_.create_if_missing = false;
  const auto missing = ledger::Ledger::open(root_ / "none", options_, clock_, support::toy_rules());
  EXPECT_EQ(missing.status().code(), base::Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(root_ / "none"));
}

class P2LogOnlyGrowsTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
};

TEST_F(P2LogOnlyGrowsTest, RefusedCommandLeavesNoGap) {
  EXPECT_THAT(note("a", "one").events, ElementsAre(1));
  EXPECT_EQ(note("b", "refuse").status.code(), base::Code::kConflict);
  EXPECT_THAT(note("c", "twice").events, ElementsAre(2, 3));
  EXPECT_EQ(note("d", "throw").status.code(), base::Code::kInternal);
  EXPECT_THAT(note("e", "nothing").events, IsEmpty());
  EXPECT_THAT(note("f", "one").events, ElementsAre(4));
  must_open();
  EXPECT_EQ(ledger_->head(), 4u);
  EXPECT_THAT(note("g", "one").events, ElementsAre(5));
  for (uint64_t seq = 1; seq <= 5; ++seq) {
    const auto words = ledger_->snapshot()->event(seq);
    ASSERT_TRUE(words.is_ok());
    EXPECT_EQ(ledger::StoredEvent(*words).get().getSeq(), seq);
  }
}

TEST_F(P2LogOnlyGrowsTest, BytesOfAnEventNeverChange) {
  note_many(40);
  std::vector<std::string> before;
  for (uint64_t seq = 1; seq <= 40; ++seq) before.push_back(event_bytes(seq));
  note_many(40, "more");
  ASSERT_TRUE(ledger_->rebuild_views().is_ok());
  must_open();
  for (uint64_t seq = 1; seq <= 40; ++seq) EXPECT_EQ(event_bytes(seq), before[seq - 1]) << seq;
}

TEST_F(P2LogOnlyGrowsTest, StoredBytesAreCanonical) {
  note("a", "one");
  const auto words = ledger_->snapshot()->event(1);
  ASSERT_TRUE(words.is_ok());
  ledger::StoredEvent stored(*words);
  const auto again = ledger::canonical_event(stored.get());
  ASSERT_TRUE(again.is_ok());
  EXPECT_EQ(ledger::as_bytes(*words), ledger::as_bytes(*again));
}

class P3ViewIsAFoldTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
  std::vector<std::string> rows() {
    std::vector<std::string> all;
    ledger_->snapshot()->scan(ledger::ViewId::kRuns, "", [&](std::string_view key, std::string_view row) {
      all.push_back(std::string(key) + "=" + std::string(row));
      return true;
    });
    return all;
  }
};

TEST_F(P3ViewIsAFoldTest, RebuiltRowsAreTheSameBytes) {
  options_.sync = false;  // what is asked here does not hang on it
  must_open();
  note_many(2500);
  note("erased", "erase", 28003);
  const auto before = rows();
  ASSERT_EQ(before.size(), 2499u);
  EXPECT_TRUE(ledger_->check_views().is_ok());
  ASSERT_TRUE(ledger_->rebuild_views().is_ok());
  EXPECT_EQ(rows(), before);
  EXPECT_TRUE(ledger_->check_views().is_ok());
  note("later", "still folded", 1);
  EXPECT_EQ(rows().size(), before.size() + 1);
  must_open();
  EXPECT_EQ(rows().size(), before.size() + 1);
  EXPECT_TRUE(ledger_->check_views().is_ok());
}

TEST_F(P3ViewIsAFoldTest, SnapshotKeepsTheRowsItSawThroughARebuild) {
  note("a", "one");
  const auto before = ledger_->snapshot();
  ASSERT_TRUE(ledger_->rebuild_views().is_ok());
  EXPECT_EQ(note_of(*before, "MARI", 28001)->last, "one");
}

TEST_F(P3ViewIsAFoldTest, ViewOfAnotherVersionIsFoldedAgainAtOpen) {
  note("a", "one");
  ASSERT_TRUE(open(support::toy_rules_of_next_release()).is_ok());
  EXPECT_TRUE(ledger_->check_views().is_ok());  // waits for its turn
  EXPECT_EQ(note_of(*ledger_->snapshot(), "MARI", 28001)->last, "one!");
}

TEST_F(P2LogOnlyGrowsTest, BytesAreThoseOfTheFormatPage) {
  note("n1", "beam off");
  const std::string bytes = event_bytes(1);
  EXPECT_EQ(base::hex(bytes),
            "0000000004000300"
            "0100000000000000"
            "008071c408eae318"
            "0000000000000000"
            "0900000000000000"
            "090000001a000000"
            "0800000001000200"
            "1800000000000200"
            "6e31000000000000"
            "0100000000000000"
            "0500000032000000"
            "050000002a000000"
            "616c696365000000"
            "7465737400000000"
            "0400000001000100"
            "0d0000004a000000"
            "616d000000000000"
            "010000002a000000"
            "4d41524900000000"
            "6265616d206f6666"
            "0000000000000000");
  EXPECT_EQ(base::hex(ledger::leaf_hash(bytes)), "a6868c7df8b5ad15908aa9d498c56f5b8dc66dcfe2275f7b9fc6d5770d89ac7d");
}

class P4OnceTest : public support::LedgerFixture {
 protected:
  void SetUp() override { must_open(); }
};

TEST_F(P4OnceTest, RepeatGetsTheFirstAnswerAndAppendsNothing) {
  EXPECT_FALSE(note("a", "twice").repeated);
  const auto again = note("a", "twice");
  EXPECT_TRUE(again.repeated);
  EXPECT_THAT(again.events, ElementsAre(1, 2));
  must_open();
  const auto reopened = note("a", "something else");
  EXPECT_TRUE(reopened.repeated);
  EXPECT_THAT(reopened.events, ElementsAre(1, 2));
  EXPECT_EQ(ledger_->head(), 2u);
}

TEST_F(P4OnceTest, RefusalIsRepeatedToo) {
  const auto first = note("a", "refuse");
  must_open();
  const auto again = note("a", "would be taken now");
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.status.code(), base::Code::kConflict);
  EXPECT_EQ(again.status.message(), first.status.message());
  EXPECT_EQ(ledger_->head(), 0u);
}

TEST_F(P4OnceTest, SameIdTwiceInOneGroupIsOneCommand) {
  capnp::MallocMessageBuilder message;
  auto commands = message.initRoot<capnp::List<schema::Command>>(4);
  commands.setWithCaveats(0, annotate_run("a", "MARI", 1, "text").reader());
  commands.setWithCaveats(1, annotate_run("a", "MARI", 1, "text").reader());
  commands.setWithCaveats(2, annotate_run("b", "MARI", 1, "refuse").reader());
  commands.setWithCaveats(3, annotate_run("b", "MARI", 1, "refuse").reader());
  std::promise<std::vector<ledger::Answer>> answered;
  ledger_->submit_all(commands.asReader(), person(),
                      [&](std::vector<ledger::Answer> answers) { answered.set_value(std::move(answers)); });
  const auto answers = answered.get_future().get();
  EXPECT_FALSE(answers[0].repeated);
  EXPECT_TRUE(answers[1].repeated);
  EXPECT_THAT(answers[1].events, ElementsAre(1));
  EXPECT_FALSE(answers[2].repeated);
  EXPECT_TRUE(answers[3].repeated);
  EXPECT_EQ(answers[3].status.code(), base::Code::kConflict);
  EXPECT_EQ(ledger_->head(), 1u);
}

TEST_F(P4OnceTest, AnIdCountsForItsSenderOnly) {
  EXPECT_FALSE(apply(annotate_run("a", "MARI", 1, "refuse"), person("mallory")).repeated);
  const auto other = apply(annotate_run("a", "MARI", 1, "text"), person("alice"));
  EXPECT_FALSE(other.repeated);
  EXPECT_THAT(other.events, ElementsAre(1));
}

TEST_F(P4OnceTest, AnswerToTryAgainIsNotRemembered) {
  EXPECT_EQ(note("a", "busy").status.code(), base::Code::kUnavailable);
  const auto again = note("a", "text");
  EXPECT_FALSE(again.repeated);
  EXPECT_THAT(again.events, ElementsAre(1));
}

}  // namespace
