// How often the write-ahead log is brought to disk for a group of commands that are answered together: to be once.
//   count_syncs FOLDER SECONDS THREADS      prints one line of JSON: events, groups, syncs
#include <atomic>
#include <cstdlib>
#include <future>

#include "tests/bench/ledger_under_test.h"
#include "tests/bench/measured.h"
#include "tests/ledger/log_syncs.h"

namespace {

struct Count {
  uint64_t groups = 0;  // those before the one it was taken in
  uint64_t syncs = 0;   // with that one's
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) bench::die("usage: count_syncs FOLDER SECONDS THREADS");
  const auto ledger = bench::open_ledger(argv[1]);
  std::atomic<uint64_t> groups{0};
  ledger->on_commit([&](uint64_t) { ++groups; });
  const auto count = [&](uint64_t call) {
    std::promise<Count> taken;
    ledger->submit(bench::detect(800, call).reader(), support::person(), [&](const ledger::Answer&) {
      taken.set_value({groups, support::log_syncs()});
    });
    return taken.get_future().get();
  };
  const Count before = count(0);
  bench::Measured measured = bench::measure(std::atof(argv[2]), std::atoi(argv[3]), [&](int thread, uint64_t call) -> uint64_t {
    if (const auto answer = ledger->apply(bench::detect(thread, call).reader(), support::person()); !answer.status.is_ok()) {
      bench::die(answer.status.message());
    }
    return 1;
  });
  const Count then = count(1);
  measured.more["syncs"] = static_cast<double>(then.syncs - before.syncs);
  measured.more["groups"] = static_cast<double>(then.groups - before.groups);
  measured.print();
}
