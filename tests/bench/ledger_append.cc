// How fast commands become durable events, against a bare RocksDB loop of the same bytes in the same run. Not a test.
// Usage: ledger_append [FOLDER] [SECONDS]. Gate or pair it: on a busy machine only the ratios mean something.
#include <rocksdb/db.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/keys.h"
#include "ledger/ledger.h"
#include "ledger/rules.h"
#include "tests/support/commands.h"
#include "tests/support/temporary_folder.h"

namespace {

using Seconds = std::chrono::duration<double>;

/// An event of the size of a detected run; no view but one row written, so that the storage half is what is measured.
class LastRow final : public ledger::View {
 public:
  ledger::ViewId id() const override { return ledger::ViewId::kRuns; }
  const char* name() const override { return "last"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, ledger::Rows& rows) const override {
    const auto run = event.getBody().getRunDetected().getRun();
    rows.put(id(), ledger::run_key({run.getInstrument().begin(), run.getInstrument().size()}, run.getRunNumber()),
             std::string(200, 'r'));
  }
};

ledger::Rules rules() {
  static const LastRow last;
  static const std::array<const ledger::View*, 1> views{&last};
  return {[](const ledger::RowReader& rows, const ledger::DecideContext&, schema::Command::Reader command) {
            ledger::EventDrafts drafts;
            const auto detect = command.getBody().getDetectRun();
            const auto run = detect.getRun();
            rows.get(ledger::ViewId::kRuns,
                     ledger::run_key({run.getInstrument().begin(), run.getInstrument().size()}, run.getRunNumber()));
            drafts.emplace_back().body().setRunDetected(detect);
            return base::Result<ledger::EventDrafts>(std::move(drafts));
          },
          views};
}

double raw_rate(const std::filesystem::path& folder, int events_per_batch, double seconds) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, folder.string(), &opened).ok()) std::abort();
  const std::unique_ptr<rocksdb::DB> database(opened);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const std::string event(400, 'e');
  uint64_t seq = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (Seconds(std::chrono::steady_clock::now() - begin).count() < seconds) {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < events_per_batch; ++i) batch.Put(ledger::u64_key(++seq), event);
    if (!database->Write(durable, &batch).ok()) std::abort();
  }
  return seq / Seconds(std::chrono::steady_clock::now() - begin).count();
}

/// `clients` threads, each waiting for its answer before it sends the next.
double ledger_rate(const std::filesystem::path& folder, int clients, double seconds) {
  auto opened = ledger::Ledger::open(folder, {}, base::system_clock(), rules());
  if (!opened.is_ok()) {
    std::fprintf(stderr, "%s\n", opened.status().message().c_str());
    std::exit(1);
  }
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto begin = std::chrono::steady_clock::now();
  for (int client = 0; client < clients; ++client) {
    threads.emplace_back([&, client] {
      for (uint64_t i = 0; !stop; ++i) {
        const auto command =
            support::detect_run(std::to_string(client) + "/" + std::to_string(i), "MARI", client * 1'000'000ull + i);
        if (!(*opened)->apply(command.reader(), support::person()).status.is_ok()) std::abort();
      }
    });
  }
  std::this_thread::sleep_for(Seconds(seconds));
  stop = true;
  for (auto& thread : threads) thread.join();
  return (*opened)->head() / Seconds(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const support::TemporaryFolder own;
  const std::filesystem::path folder = argc > 1 ? std::filesystem::path(argv[1]) : own.path();
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  std::filesystem::create_directories(folder);
  const double raw_one = raw_rate(folder / "raw1", 1, seconds);
  const double one = ledger_rate(folder / "ledger1", 1, seconds);
  const double many = ledger_rate(folder / "ledger64", 64, seconds);
  const double raw_many = raw_rate(folder / "raw64", 64, seconds);
  const double raw_again = raw_rate(folder / "raw1again", 1, seconds);
  const double reference = (raw_one + raw_again) / 2;
  std::printf("RocksDB, 1 event a synced batch    %9.0f events/s (again at the end: %.0f)\n", raw_one, raw_again);
  std::printf("RocksDB, 64 events a synced batch  %9.0f events/s\n", raw_many);
  std::printf("ledger, 1 client                   %9.0f events/s  %.2f of RocksDB with 1 a batch\n", one, one / reference);
  std::printf("ledger, 64 clients                 %9.0f events/s  %.2f of RocksDB with 1 a batch, %.2f of it with 64\n", many,
              many / reference, many / raw_many);
}
