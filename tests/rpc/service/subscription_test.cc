// Runs.watch: who gets which events, what waiting costs, and what a sink that does not answer costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "rpc/loop.h"
#include "rpc/service/allowance.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/service.h"
#include "tests/rpc/service/counting_ledger.h"
#include "tests/support/commands.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace rpc_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Body = schema::Event::Body;

/// What a watcher got. It answers a push at once, or when it is told to.
struct Watching {
  std::vector<uint64_t> seqs;
  size_t pushes = 0;
  size_t largest_bytes = 0, largest_events = 0;
  bool stall = false;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> held;
  schema::Subscription::Client subscription = nullptr;

  void go_on() {
    stall = false;
    for (auto& each : std::exchange(held, {})) each->fulfill();
  }
};

class Sink final : public schema::EventSink::Server {
 public:
  explicit Sink(Watching& watching) : watching_(watching) {}
  kj::Promise<void> push(PushContext context) override {
    const auto events = context.getParams().getEvents();
    size_t bytes = 0;
    for (auto event : events) {
      bytes += event.size();
      watching_.seqs.push_back(ledger::Row<schema::Event>(ledger::view(event)).get().getSeq());
      EXPECT_LE(watching_.seqs.back(), context.getParams().getHead());
    }
    watching_.pushes += 1;
    watching_.largest_bytes = std::max(watching_.largest_bytes, bytes);
    watching_.largest_events = std::max<size_t>(watching_.largest_events, events.size());
    if (!watching_.stall) return kj::READY_NOW;
    auto answer = kj::newPromiseAndFulfiller<void>();
    watching_.held.push_back(kj::mv(answer.fulfiller));
    return kj::mv(answer.promise);
  }

 private:
  Watching& watching_;
};

class SubscriptionTest : public testing::Test {
 protected:
  SubscriptionTest() {
    must(support::configure_instrument("configure", "MARI"));
    must(support::configure_instrument("configure too", "LET"));
    must(support::register_script("script", "MARI"));
    settle();
  }
  void TearDown() override {
    runs_.reset();
    ledger_.reset();  // before the service
  }
  ledger::Answer apply(const support::CommandMessage& command, const ledger::Identity& who = support::person()) {
    return ledger_->apply(command.reader(), who);
  }
  uint64_t must(const support::CommandMessage& command, const ledger::Identity& who = support::person()) {
    ledger::Answer answer = apply(command, who);
    EXPECT_TRUE(answer.status.is_ok()) << answer.status.message();
    return answer.events.empty() ? 0 : answer.events.front();
  }
  using Filter = std::function<void(schema::EventFilter::Builder)>;
  void watch(Watching& watching, uint64_t from, const Filter& filter = [](schema::EventFilter::Builder) {}) {
    auto request = runs_->watchRequest();
    request.setFrom(from);
    filter(request.initFilter());
    request.setSink(kj::heap<Sink>(watching));
    watching.subscription = loop_.wait(request.send().then([](auto&& answer) {
      EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::OK) << answer.getRefusal().getText().cStr();
      return answer.getSubscription();
    }));
  }
  void until(const std::function<bool()>& condition) {
    auto late = loop_.timer().afterDelay(60 * kj::SECONDS).then([]() -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "nothing of the kind happened"); });
    loop_.wait(look(condition).exclusiveJoin(kj::mv(late)));
  }
  kj::Promise<void> look(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    return loop_.timer().afterDelay(1 * kj::MILLISECONDS).then([this, condition] { return look(condition); });
  }
  /// All that is on record is handed out: whoever waits for everything has it.
  void settle() {
    until([&] { return service_->head() == ledger_->head(); });
    Watching all;
    watch(all, ledger_->head());
    until([&] { return !all.seqs.empty(); });
  }
  static Filter run(uint64_t number, std::string instrument = "MARI") {
    return [=](schema::EventFilter::Builder filter) {
      auto key = filter.initSubjects(1)[0].initRun();
      key.setInstrument(instrument);
      key.setRunNumber(number);
    };
  }

  support::TemporaryFolder folder_;
  support::FakeClock clock_;
  rpc::Loop loop_;
  std::unique_ptr<CountingLedger> ledger_ =
      std::make_unique<CountingLedger>(ledger::Ledger::open(folder_ / "ledger", {.sync = false}, clock_).value());
  std::unique_ptr<rpc::LedgerService> service_ = std::make_unique<rpc::LedgerService>(loop_, *ledger_, clock_, "Test");
  std::unique_ptr<schema::Runs::Client> runs_ = std::make_unique<schema::Runs::Client>(
      service_->gateway(support::person()).loginRequest().send().getSession().runsRequest().send().getRuns());
};

TEST_F(SubscriptionTest, EachSubjectGetsItsEventsOldAndNew) {
  std::deque<Watching> old, fresh;
  const auto both = [&](const Filter& filter, uint64_t next) {
    watch(old.emplace_back(), 1, filter);
    watch(fresh.emplace_back(), next, filter);
  };
  const uint64_t first = must(support::detect_run("d1", "MARI", 1, "E1"));
  must(support::detect_run("d2", "MARI", 2, "E2"));
  const uint64_t worker = must(support::join_worker("join", "w1"), support::daemon("w1"));
  const uint64_t job = must(support::queue_job("q1", "MARI", 1, "E1").cause(first), support::daemon("coordinatord"));
  settle();

  const uint64_t next = ledger_->head() + 1;
  both(run(1), next);
  both([&](auto filter) { filter.initSubjects(1)[0].setJob(job); }, next);
  both([&](auto filter) { filter.initSubjects(1)[0].setExperiment("E1"); }, next);
  both([&](auto filter) { filter.initSubjects(1)[0].setWorker("w1"); }, next);
  both([&](auto filter) { filter.initSubjects(1)[0].setActor("coordinatord"); }, next);
  both([&](auto filter) { filter.setInstrument("LET"); }, next);
  both(
      [&](auto filter) {
        filter.setInstrument("MARI");
        filter.initKinds(1).set(0, static_cast<uint16_t>(Body::RUN_DETECTED));
      },
      next);
  both(
      [&](auto filter) {  // about both
        filter.initSubjects(2)[0].setExperiment("E1");
        filter.getSubjects()[1].setWorker("w1");
      },
      next);
  const uint64_t started = must(support::start_attempt("start", job, "w1"), support::daemon("coordinatord"));
  const uint64_t third = must(support::detect_run("d3", "MARI", 3, "E1"));
  const uint64_t let = must(support::detect_run("let", "LET", 1, "E9"));
  settle();

  const std::vector<std::vector<uint64_t>> expected = {
      {first, job, started}, {job, started}, {first, job, started, third}, {worker, started}, {job, started}, {2, let}, {first, first + 1, third}, {started}};
  for (size_t i = 0; i < expected.size(); ++i) {
    until([&] { return old[i].seqs.size() >= expected[i].size(); });
    EXPECT_EQ(old[i].seqs, expected[i]) << "filter " << i;
    std::vector<uint64_t> later;
    std::copy_if(expected[i].begin(), expected[i].end(), std::back_inserter(later), [&](uint64_t seq) { return seq >= next; });
    EXPECT_EQ(fresh[i].seqs, later) << "filter " << i;
  }
}

TEST_F(SubscriptionTest, RunWhoseExperimentChangesIsOfBothWithTheEventThatSaysSo) {
  const uint64_t first = must(support::detect_run("d1", "MARI", 1, "E1"));
  Watching before, after;
  settle();
  watch(before, 0, [](auto filter) { filter.initSubjects(1)[0].setExperiment("E1"); });
  watch(after, 0, [](auto filter) { filter.initSubjects(1)[0].setExperiment("E2"); });
  const uint64_t note = must(support::detect_run("d1 again", "MARI", 1, "E1", "more bytes"));
  const uint64_t revised = must(support::detect_run("d2", "MARI", 1, "E2", "other bytes"));
  const uint64_t later = must(support::detect_run("d2 again", "MARI", 1, "E2", "still other bytes"));
  settle();
  EXPECT_THAT(before.seqs, ElementsAre(note, revised));
  EXPECT_THAT(after.seqs, ElementsAre(revised, later));
  EXPECT_LT(first, note);
}

TEST_F(SubscriptionTest, IdleOnesCostNothing) {
  const auto reads_of_one_event = [&](uint64_t number) {
    auto& reads = *ledger_->reads;
    const uint64_t snapshots = reads.snapshots, events = reads.events, subjects = reads.subjects;
    const uint64_t seq = must(support::detect_run("d" + std::to_string(number), "MARI", number, "E1"));
    until([&] { return service_->head() >= seq; });
    loop_.wait(loop_.timer().afterDelay(0 * kj::SECONDS));
    return std::vector<uint64_t>{reads.snapshots - snapshots, reads.events - events, reads.subjects - subjects};
  };
  Watching wanted;
  watch(wanted, 0, run(5));
  settle();
  const auto with_one = reads_of_one_event(4);
  EXPECT_EQ(with_one[1], 1u) << "read once";

  std::deque<Watching> idle;
  for (int i = 0; i < 2000; ++i) {
    watch(idle.emplace_back(), 0, [i](schema::EventFilter::Builder filter) {
      switch (i % 4) {
        case 0: return run(1000 + i)(filter);
        case 1: return filter.initSubjects(1)[0].setExperiment("E" + std::to_string(1000 + i));
        case 2:
          filter.setInstrument("MARI");
          return filter.initKinds(1).set(0, static_cast<uint16_t>(Body::JOB_FAILED));
        default: return filter.initKinds(1).set(0, static_cast<uint16_t>(Body::LOSS_ACCEPTED));
      }
    });
  }
  settle();
  EXPECT_EQ(reads_of_one_event(5), with_one) << "no more than with one watcher";
  until([&] { return wanted.pushes > 0; });
  settle();
  EXPECT_EQ(wanted.pushes, 1u);
  for (const Watching& each : idle) EXPECT_EQ(each.pushes, 0u);
}

TEST_F(SubscriptionTest, OldEventsOfASubjectAreReadAndNoOthers) {
  for (int i = 1; i <= 300; ++i) must(support::detect_run("d" + std::to_string(i), "MARI", i, "E1"));
  must(support::detect_run("again", "MARI", 7, "E1", "other bytes"));
  settle();
  const uint64_t before = ledger_->reads->events;
  Watching watching;
  watch(watching, 1, run(7));
  until([&] { return watching.seqs.size() == 2; });
  EXPECT_EQ(ledger_->reads->events - before, 2u);
}

TEST_F(SubscriptionTest, StalledSinkCostsOnePushAndGetsTheRestWhenItAnswers) {
  Watching stalled, behind, other;
  stalled.stall = behind.stall = true;
  watch(stalled, 0);
  watch(behind, 1);
  watch(other, 0);
  const uint64_t from = ledger_->head() + 1;
  const std::string text(4000, 't');
  must(support::detect_run("detect", "MARI", 1));
  until([&] { return stalled.pushes == 1 && behind.pushes == 1; });
  for (int i = 0; i < 100; ++i) must(support::skip_run("s" + std::to_string(i), "MARI", 1, "too_short", text + std::to_string(i)));
  for (int i = 0; i < 300; ++i) must(support::detect_run("d" + std::to_string(i), "MARI", 2 + i));
  const uint64_t head = ledger_->head();
  until([&] { return other.seqs.size() == head - from + 1; });
  const uint64_t reads = ledger_->reads->events;
  must(support::detect_run("one more", "MARI", 1000));
  until([&] { return other.seqs.back() == head + 1; });
  EXPECT_EQ(stalled.pushes, 1u);
  EXPECT_EQ(behind.pushes, 1u);
  EXPECT_LE(ledger_->reads->events - reads, 2u) << "nothing is read for who does not answer";

  stalled.go_on();
  behind.go_on();
  until([&] { return !stalled.seqs.empty() && stalled.seqs.back() == head + 1 && behind.seqs.back() == head + 1; });
  EXPECT_EQ(stalled.seqs, other.seqs);
  EXPECT_EQ(behind.seqs.size(), head + 1);
  for (const Watching* each : {&stalled, &behind, &other}) {
    EXPECT_LE(each->largest_events, 256u);
    EXPECT_LE(each->largest_bytes, (256u << 10) + (64u << 10));
  }
}

TEST_F(SubscriptionTest, WhatCannotBeWatchedIsRefused) {
  auto request = runs_->watchRequest();
  request.initFilter().initSubjects(1)[0].setSeq(3);
  Watching watching;
  request.setSink(kj::heap<Sink>(watching));
  loop_.wait(request.send().then([](auto&& answer) {
    EXPECT_EQ(answer.getRefusal().getCode(), schema::Refusal::Code::INVALID_ARGUMENT);
    EXPECT_THAT(answer.getRefusal().getText().cStr(), testing::HasSubstr("a single event cannot be watched"));
  }));
}

class SubscriptionUnderLoadTest : public SubscriptionTest, public testing::WithParamInterface<uint32_t> {};

TEST_P(SubscriptionUnderLoadTest, EveryEventComesOnceAndInOrder) {
  std::mt19937 random(GetParam());
  struct Asked {
    Watching watching;
    uint64_t from = 0;
    std::vector<std::string> subjects;
    std::set<uint16_t> kinds;
  };
  std::deque<Asked> all;
  const auto begin_watching = [&] {
    Asked& asked = all.emplace_back();
    asked.from = 1 + random() % (service_->head() + 1);
    asked.watching.stall = random() % 2 == 0;
    capnp::MallocMessageBuilder message;
    auto filter = message.initRoot<schema::EventFilter>();
    if (random() % 4 == 0) filter.setInstrument(random() % 2 ? "MARI" : "LET");
    if (random() % 3 == 0) {
      auto kinds = filter.initKinds(2);
      kinds.set(0, static_cast<uint16_t>(Body::RUN_DETECTED));
      kinds.set(1, static_cast<uint16_t>(random() % 2 ? Body::RUN_REVISED : Body::RUN_SKIPPED));
    }
    if (const size_t count = random() % 3) {
      auto subjects = filter.initSubjects(static_cast<uint32_t>(count));
      for (auto subject : subjects) {
        switch (random() % 3) {
          case 0: subject.setExperiment("E" + std::to_string(random() % 3)); break;
          case 1: subject.setActor(random() % 2 ? "alice" : "bob"); break;
          default: {
            auto key = subject.initRun();
            key.setInstrument("MARI");
            key.setRunNumber(1 + random() % 5);
          }
        }
      }
    }
    const auto parsed = rpc::EventFilter::parse(filter.asReader()).value();
    asked.subjects = parsed.subjects();
    asked.kinds = parsed.kinds();
    watch(asked.watching, asked.from, [&](schema::EventFilter::Builder wanted) {
      wanted.setInstrument(filter.asReader().getInstrument());
      wanted.setKinds(filter.asReader().getKinds());
      wanted.setSubjects(filter.asReader().getSubjects());
    });
  };
  std::atomic<int> under_way{0}, taken{0};
  const auto write_some = [&] {
    for (int i = 0; i < 20; ++i) {
      const std::string id = std::to_string(random()) + "/" + std::to_string(i);
      const char* instrument = random() % 3 ? "MARI" : "LET";
      const uint64_t number = 1 + random() % 5;
      auto command = random() % 2 ? support::detect_run(id, instrument, number, "E" + std::to_string(random() % 3), id)
                                  : support::skip_run(id, instrument, number, "a_reason", id);
      under_way += 1;
      ledger_->submit(command.reader(), support::person(random() % 2 ? "alice" : "bob"), [&](ledger::Answer answer) {
        taken += answer.status.is_ok();
        under_way -= 1;
      });
    }
  };
  for (int step = 0; step < 40; ++step) {
    write_some();
    if (all.size() < 40) begin_watching();
    for (Asked& asked : all) {
      if (random() % 4 == 0) asked.watching.go_on();
      if (random() % 6 == 0) asked.watching.stall = true;
    }
    if (random() % 4 == 0) loop_.wait(loop_.timer().afterDelay(1 * kj::MILLISECONDS));
  }
  until([&] { return under_way == 0; });
  EXPECT_GT(taken, 400) << "so many commands were good ones";
  for (Asked& asked : all) asked.watching.go_on();

  const auto snapshot = ledger_->snapshot();
  std::map<uint64_t, uint16_t> kinds;
  ASSERT_TRUE(snapshot->events(1, snapshot->head(), [&](uint64_t seq, kj::ArrayPtr<const capnp::word> words) {
                kinds[seq] = static_cast<uint16_t>(ledger::StoredEvent(words).get().getBody().which());
                return true;
              }).is_ok());
  for (size_t i = 0; i < all.size(); ++i) {
    const Asked& asked = all[i];
    std::vector<std::vector<uint64_t>> about;
    for (const std::string& key : asked.subjects) about.push_back(snapshot->subject(key, 1, SIZE_MAX));
    std::vector<uint64_t> expected;
    for (const auto& [seq, kind] : kinds) {
      const bool passes = std::all_of(about.begin(), about.end(), [&](const auto& seqs) { return std::binary_search(seqs.begin(), seqs.end(), seq); });
      if (seq >= asked.from && passes && (asked.kinds.empty() || asked.kinds.contains(kind))) expected.push_back(seq);
    }
    until([&] { return asked.watching.seqs.size() >= expected.size(); });
    EXPECT_EQ(asked.watching.seqs, expected) << "seed " << GetParam() << ", watcher " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SubscriptionUnderLoadTest, testing::Range<uint32_t>(1, 5));

TEST_F(SubscriptionTest, ConnectionMayHaveSoManyWatchesAndAnEndedOneMakesRoom) {
  Watching watching;
  const auto ask = [&] {
    auto request = runs_->watchRequest();
    request.initFilter();
    request.setSink(kj::heap<Sink>(watching));
    return request.send();
  };
  std::vector<schema::Subscription::Client> all;
  for (size_t i = 0; i < rpc::Allowances::kMaxWatches; ++i) all.push_back(ask().getSubscription());
  const auto refusal = [&] {
    return loop_.wait(ask().then([](auto&& answer) { return std::string(answer.getRefusal().getText().cStr()); }));
  };
  EXPECT_THAT(refusal(), testing::HasSubstr("10000 watches"));
  loop_.wait(all.front().whenResolved());
  all.erase(all.begin());
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace rpc_test
