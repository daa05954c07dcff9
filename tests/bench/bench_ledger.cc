// One measurement of the ledger, or of the loop it is held against, a call; tests/bench/ledger.py takes them in turn.
// Usage: bench_ledger WHAT FOLDER AMOUNT [NUMBER [WARM-UP-ROUNDS]]. Prints one line of JSON. AMOUNT is seconds, or events.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "ledger/event_bytes.h"
#include "ledger/view_rows.h"
#include "tests/bench/ledger_under_test.h"
#include "tests/bench/over_socket.h"
#include "tests/bench/reference.h"

namespace bench {
namespace {

Measured in_process(const std::string& folder, double seconds, int threads, uint32_t commands_a_call, Parts parts,
                    int warm_up_rounds) {
  auto ledger = open_ledger(folder, parts);
  warm_up(*ledger, warm_up_rounds);
  TableFiles tables(folder + "/db");
  Measured measured = measure(seconds, threads, [&](int thread, uint64_t call) -> uint64_t {
    if (commands_a_call > 1) {
      append(*ledger, thread, call * commands_a_call, commands_a_call);
    } else if (const auto answer = ledger->apply(detect(thread, call).reader(), support::person()); !answer.status.is_ok()) {
      die(answer.status.message());
    }
    return commands_a_call;
  });
  tables.note(measured);
  return measured;
}

// ---- a ledger that is there ----

constexpr uint32_t kFillCalls = 1024;

/// Also: the rate of the first and of the last tenth, and the memory that is resident in the end.
Measured fill(const std::string& folder, uint64_t events) {
  auto ledger = open_ledger(folder);
  uint64_t next = 0;
  const auto up_to = [&](uint64_t end) {
    return timed(end - next, [&] {
      for (; next < end; next += std::min<uint64_t>(kFillCalls, end - next)) {
        append(*ledger, 0, next, static_cast<uint32_t>(std::min<uint64_t>(kFillCalls, end - next)));
      }
    });
  };
  Measured all = timed(events, [&] {});
  const Measured first = up_to(events / 10), middle = up_to(events - events / 10), last = up_to(events);
  all.seconds = first.seconds + middle.seconds + last.seconds;
  all.more["first_rate"] = static_cast<double>(first.events) / first.seconds;
  all.more["last_rate"] = static_cast<double>(last.events) / last.seconds;
  all.more["resident_kib"] = resident_kib();
  return all;
}

/// So many events more, all answered; and the end, by kill -9 if told to.
Measured grow(const std::string& folder, uint64_t events, bool killed) {
  const auto ledger = open_filled(folder);
  const uint64_t head = ledger->head();
  return timed(events, [&] {
    for (uint64_t next = 0; next < events; next += kFillCalls) {
      append(*ledger, 700, head + next, static_cast<uint32_t>(std::min<uint64_t>(kFillCalls, events - next)));
    }
    if (killed) std::raise(SIGKILL);
  });
}

Measured scan(const std::string& folder) {
  const auto ledger = open_filled(folder);
  return timed(ledger->head(), [&] {
    const auto snapshot = ledger->snapshot();
    uint64_t jobs = 0;
    const base::Status read = snapshot->events(1, snapshot->head(), [&](uint64_t, kj::ArrayPtr<const capnp::word> words) {
      ledger::StoredEvent event(words);
      jobs += event.get().getBody().isJobQueued();
      return true;
    });
    if (!read.is_ok()) die(read.message());
    if (jobs > snapshot->head()) die("impossible");
  });
}

Measured rebuild(const std::string& folder) {
  const auto ledger = open_filled(folder);
  return timed(ledger->head(), [&] {
    if (const base::Status status = ledger->rebuild_views(); !status.is_ok()) die(status.message());
  });
}

Measured asked(const std::string& folder, double seconds,
               const std::function<void(const ledger::Snapshot&, uint64_t call)>& question) {
  const auto ledger = open_filled(folder);
  return measure(seconds, 1, [&](int, uint64_t call) -> uint64_t {
    question(*ledger->snapshot(), call);
    return 1;
  });
}

void run_by_key(const ledger::Snapshot& now, uint64_t call) {
  if (!ledger::find_run(now, "MARI", call * 7919 % (now.head() - 1) + 1)) die("a run is missing");
}

void newest_runs(const ledger::Snapshot& now, uint64_t) {
  const uint64_t last = ledger::last_run(now, "MARI");
  if (ledger::list_runs(now, {.instrument = "MARI", .first_run = last - 49}, 50).rows.size() != 50) die("runs are missing");
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (argc < 4) die("usage: bench_ledger WHAT FOLDER AMOUNT [NUMBER [WARM-UP-ROUNDS]]");
  const std::string what = argv[1], folder = argv[2];
  const double amount = std::atof(argv[3]);
  const auto events = static_cast<uint64_t>(amount);
  const auto number = static_cast<uint32_t>(argc > 4 ? std::atoi(argv[4]) : 1);
  const auto threads = static_cast<int>(number);
  const int rounds = argc > 5 ? std::atoi(argv[5]) : kWarmUpRounds;
  constexpr int kPauseUs = 2000;
  const std::map<std::string, std::function<Measured()>> all = {
      {"raw", [&] { return raw(folder, amount, 1, static_cast<int>(number)); }},
      {"raw-threads", [&] { return raw(folder, amount, threads, 1); }},
      {"raw-scan", [&] { return raw_scan(folder); }},
      {"raw-killed", [&]() -> Measured { raw_killed(folder, events); }},
      {"raw-open", [&] { return raw_open(folder); }},
      {"raw-deliver", [&] { return raw_deliver(folder, events, kPauseUs); }},
      {"threads", [&] { return in_process(folder, amount, threads, 1, {}, rounds); }},
      {"threads-copying", [&] { return in_process(folder, amount, threads, 1, {.deciding = false}, rounds); }},
      {"threads-views", [&] { return in_process(folder, amount, threads, 1, {.deciding = false, .tree = false}, rounds); }},
      {"threads-tree", [&] { return in_process(folder, amount, threads, 1, {.deciding = false, .views = false}, rounds); }},
      {"threads-bare",
       [&] { return in_process(folder, amount, threads, 1, {.deciding = false, .views = false, .tree = false}, rounds); }},
      {"bulk", [&] { return in_process(folder, amount, 1, number, {}, rounds); }},
      {"socket", [&] { return over_socket(folder, amount, threads, 1, rounds); }},
      {"socket-limit", [&] { return empty_calls_with_commits(folder, amount, threads); }},
      {"socket-bulk", [&] { return over_socket(folder, amount, 8, number, rounds); }},
      {"deliver", [&] { return deliver(folder, events, kPauseUs, Append::kOverSocket, rounds); }},
      {"deliver-in-process", [&] { return deliver(folder, events, kPauseUs, Append::kInProcess, rounds); }},
      {"fill", [&] { return fill(folder, events); }},
      {"grow", [&] { return grow(folder, events, false); }},
      {"killed", [&] { return grow(folder, events, true); }},
      {"open", [&] { return timed(1, [&] { open_filled(folder); }); }},
      {"scan", [&] { return scan(folder); }},
      {"rebuild", [&] { return rebuild(folder); }},
      {"by-key", [&] { return asked(folder, amount, run_by_key); }},
      {"newest", [&] { return asked(folder, amount, newest_runs); }},
      {"counts",
       [&] { return asked(folder, amount, [](const ledger::Snapshot& now, uint64_t) { ledger::run_counts(now, "MARI"); }); }},
      {"status", [&] { return asked_over_socket(folder, amount, Question::kStatus); }},
      {"socket-by-key", [&] { return asked_over_socket(folder, amount, Question::kRun); }},
      {"socket-newest", [&] { return asked_over_socket(folder, amount, Question::kNewestRuns); }},
  };
  const auto found = all.find(what);
  if (found == all.end()) die("no such measurement: " + what);
  found->second().print();
}
