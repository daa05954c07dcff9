// One measurement of the ledger, or of the loop it is held against, a call; tests/bench/ledger.py takes them in turn.
// Usage: bench_ledger WHAT FOLDER SECONDS-OR-EVENTS [NUMBER]. Prints one line of JSON. FOLDER must not be there.
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ledger/event_bytes.h"
#include "ledger/keys.h"
#include "ledger/ledger.h"
#include "ledger/rules.h"
#include "ledger/view_rows.h"
#include "rpc/loop.h"
#include "rpc/service/service.h"
#include "rpc/transport.h"
#include "tests/support/commands.h"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr size_t kEventBytes = 400;  // about what a detected run takes

[[noreturn]] void die(const std::string& why) {
  fmt::print(stderr, "bench_ledger: {}\n", why);
  std::exit(1);
}
void must(const rocksdb::Status& status) {
  if (!status.ok()) die(status.ToString());
}

/// Latencies in microseconds, and how many events they brought in how long.
struct Measured {
  uint64_t events = 0;
  double seconds = 0;
  std::vector<float> latencies_us;

  void print() {
    std::sort(latencies_us.begin(), latencies_us.end());
    const auto at = [&](double part) { return latencies_us.empty() ? 0.f : latencies_us[static_cast<size_t>(part * (latencies_us.size() - 1))]; };
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    fmt::print("{{\"rate\": {:.1f}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"p999_us\": {:.1f}, \"seconds\": {:.4f}, \"peak_kib\": {}}}\n",
               events / seconds, at(.5), at(.99), at(.999), seconds, used.ru_maxrss);
  }
};

/// Calls `once` (which answers how many events it brought) for that long, from each of `threads` threads.
Measured measure(double seconds, int threads, const std::function<uint64_t(int thread, uint64_t call)>& once) {
  Measured all;
  std::mutex mutex;
  std::vector<std::thread> running;
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      Measured own;
      for (uint64_t call = 0; Clock::now() < end; ++call) {
        const auto before = Clock::now();
        own.events += once(thread, call);
        own.latencies_us.push_back(std::chrono::duration<float, std::micro>(Clock::now() - before).count());
      }
      std::lock_guard lock(mutex);
      all.events += own.events;
      all.latencies_us.insert(all.latencies_us.end(), own.latencies_us.begin(), own.latencies_us.end());
    });
  }
  for (std::thread& each : running) each.join();
  all.seconds = Seconds(Clock::now() - begin).count();
  return all;
}

// ---- the reference loops: RocksDB as it comes ----

Measured raw(const std::string& folder, double seconds, int threads, int events_a_batch) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  must(rocksdb::DB::Open(options, folder, &opened));
  const std::unique_ptr<rocksdb::DB> database(opened);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const std::string event(kEventBytes, 'e');
  std::atomic<uint64_t> seq{0};
  return measure(seconds, threads, [&](int, uint64_t) -> uint64_t {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < events_a_batch; ++i) must(batch.Put(ledger::u64_key(++seq), event));
    must(database->Write(durable, &batch));
    return events_a_batch;
  });
}

// ---- the ledger ----

/// The tree and the log alone: no view, and a decision that only copies.
ledger::Rules bare_rules() {
  return {[](const ledger::RowReader&, const ledger::DecideContext&, schema::Command::Reader command) {
            ledger::EventDrafts drafts;
            drafts.emplace_back().body().setRunDetected(command.getBody().getDetectRun());
            return base::Result<ledger::EventDrafts>(std::move(drafts));
          },
          {}};
}

std::unique_ptr<ledger::Ledger> open_ledger(const std::string& folder, bool with_views) {
  auto opened = with_views ? ledger::Ledger::open(folder, {}, base::system_clock())
                           : ledger::Ledger::open(folder, {}, base::system_clock(), bare_rules());
  if (!opened.is_ok()) die(opened.status().message());
  if (with_views) {
    const auto configured = (*opened)->apply(support::configure_instrument("configure", "MARI").reader(), support::person());
    if (!configured.status.is_ok()) die(configured.status.message());
  }
  return std::move(*opened);
}

support::CommandMessage detect(int thread, uint64_t call) {
  return support::detect_run(fmt::format("{}/{}", thread, call), "MARI", thread * 10'000'000ull + call + 1);
}

/// So much that the log files at work are prepared ones, as in a ledger that has run for a while.
void warm_up(ledger::Ledger& ledger) {
  capnp::MallocMessageBuilder message;
  for (int round = 0; round < 200; ++round) {
    auto commands = message.initRoot<capnp::List<schema::Command>>(512);
    for (uint32_t i = 0; i < 512; ++i) commands.setWithCaveats(i, detect(900 + round, i).reader());
    std::promise<void> done;
    ledger.submit_all(commands.asReader(), support::person(), [&](std::vector<ledger::Answer>) { done.set_value(); });
    done.get_future().get();
  }
}

Measured in_process(const std::string& folder, double seconds, int threads, uint32_t commands_a_call, bool with_views) {
  auto ledger = open_ledger(folder, with_views);
  warm_up(*ledger);
  return measure(seconds, threads, [&](int thread, uint64_t call) -> uint64_t {
    if (commands_a_call == 1) {
      if (!ledger->apply(detect(thread, call).reader(), support::person()).status.is_ok()) die("a command was refused");
      return 1;
    }
    capnp::MallocMessageBuilder message;
    auto commands = message.initRoot<capnp::List<schema::Command>>(commands_a_call);
    for (uint32_t i = 0; i < commands_a_call; ++i) commands.setWithCaveats(i, detect(thread, call * commands_a_call + i).reader());
    std::promise<void> done;
    ledger->submit_all(commands.asReader(), support::person(), [&](std::vector<ledger::Answer>) { done.set_value(); });
    done.get_future().get();
    return commands_a_call;
  });
}

/// Clients with one call open each, over the Unix socket; server and clients each have a thread. 0 commands: empty calls.
Measured over_socket(const std::string& folder, double seconds, int clients, uint32_t commands_a_call) {
  std::promise<std::string> listening;
  std::promise<void> stop;
  auto stopped = stop.get_future().share();
  std::thread server([&] {
    rpc::Loop loop;
    auto ledger = open_ledger(folder, true);
    warm_up(*ledger);
    auto service = std::make_unique<rpc::LedgerService>(loop, *ledger, base::system_clock(), "bench");
    const std::string address = "unix:" + folder + "/socket";
    auto listener = rpc::Listener::open(loop, address, [&](const rpc::PeerIdentity&) -> capnp::Capability::Client {
      return service->gateway(support::person());
    });
    if (!listener.is_ok()) die(listener.status().message());
    listening.set_value(address);
    loop.wait(loop.on_pool([stopped] { stopped.wait(); }));
    listener->reset();
    ledger.reset();
  });
  const std::string address = listening.get_future().get();
  Measured all;
  {
    rpc::Loop loop;
    struct Client {
      rpc::Connection connection;
      schema::Session::Client session;
      schema::DaemonPort::Client port;
    };
    std::vector<std::unique_ptr<Client>> connected;
    for (int i = 0; i < clients; ++i) {
      auto connection = loop.wait(rpc::connect(loop, address));
      auto session = connection.bootstrap().castAs<schema::Gateway>().loginRequest().send().getSession();
      auto asked = session.daemonRequest();
      asked.setRole(schema::DaemonRole::MONITOR);
      asked.setName("monitord");
      auto port = loop.wait(asked.send()).getPort();
      connected.push_back(std::make_unique<Client>(Client{kj::mv(connection), kj::mv(session), kj::mv(port)}));
    }
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    std::function<kj::Promise<void>(int, uint64_t)> call = [&](int client, uint64_t number) -> kj::Promise<void> {
      if (Clock::now() >= end) return kj::READY_NOW;
      const auto before = Clock::now();
      const auto note = [&all, before](uint64_t events) {
        all.events += events;
        all.latencies_us.push_back(std::chrono::duration<float, std::micro>(Clock::now() - before).count());
      };
      if (commands_a_call == 0) {
        return connected[client]->session.whoamiRequest().send().then([&, note, client, number](auto&&) {
          note(1);
          return call(client, number + 1);
        });
      }
      auto request = connected[client]->port.submitRequest();
      auto commands = request.initCommands(commands_a_call);
      for (uint32_t i = 0; i < commands_a_call; ++i) commands.setWithCaveats(i, detect(client, number * commands_a_call + i).reader());
      return request.send().then([&, note, client, number](auto&& response) {
        for (auto answer : response.getAnswers()) {
          if (answer.getRefusal().getCode() != schema::Refusal::Code::OK) die(answer.getRefusal().getText().cStr());
        }
        note(commands_a_call);
        return call(client, number + 1);
      });
    };
    kj::Vector<kj::Promise<void>> running;
    for (int i = 0; i < clients; ++i) running.add(call(i, 0));
    loop.wait(kj::joinPromises(running.releaseAsArray()));
    all.seconds = Seconds(Clock::now() - begin).count();
  }
  stop.set_value();
  server.join();
  return all;
}

// ---- a ledger that is there ----

void fill(const std::string& folder, uint64_t events) {
  auto ledger = open_ledger(folder, true);
  for (uint64_t next = 0; next < events;) {
    capnp::MallocMessageBuilder message;
    const auto size = static_cast<uint32_t>(std::min<uint64_t>(1024, events - next));
    auto commands = message.initRoot<capnp::List<schema::Command>>(size);
    for (uint32_t i = 0; i < size; ++i) commands.setWithCaveats(i, detect(0, next + i).reader());
    std::promise<void> done;
    ledger->submit_all(commands.asReader(), support::person(), [&](std::vector<ledger::Answer>) { done.set_value(); });
    done.get_future().get();
    next += size;
  }
}

Measured timed(uint64_t events, const std::function<void()>& work) {
  Measured measured;
  const auto begin = Clock::now();
  work();
  measured.seconds = Seconds(Clock::now() - begin).count();
  measured.events = events;
  return measured;
}

Measured asked(ledger::Ledger& ledger, double seconds, const std::function<void(const ledger::Snapshot&, uint64_t)>& question) {
  return measure(seconds, 1, [&](int, uint64_t call) -> uint64_t {
    question(*ledger.snapshot(), call);
    return 1;
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) die("usage: bench_ledger WHAT FOLDER SECONDS-OR-EVENTS [NUMBER]");
  const std::string what = argv[1], folder = argv[2];
  const double amount = std::atof(argv[3]);
  const auto number = static_cast<uint32_t>(argc > 4 ? std::atoi(argv[4]) : 1);
  const auto there = [&] {
    auto opened = ledger::Ledger::open(folder, {}, base::system_clock());
    if (!opened.is_ok()) die(opened.status().message());
    return std::move(*opened);
  };
  const std::map<std::string, std::function<Measured()>> all = {
      {"raw", [&] { return raw(folder, amount, 1, static_cast<int>(number)); }},
      {"raw-threads", [&] { return raw(folder, amount, static_cast<int>(number), 1); }},
      {"threads", [&] { return in_process(folder, amount, static_cast<int>(number), 1, true); }},
      {"threads-bare", [&] { return in_process(folder, amount, static_cast<int>(number), 1, false); }},
      {"bulk", [&] { return in_process(folder, amount, 1, number, true); }},
      {"bulk-bare", [&] { return in_process(folder, amount, 1, number, false); }},
      {"socket", [&] { return over_socket(folder, amount, static_cast<int>(number), 1); }},
      {"socket-empty", [&] { return over_socket(folder, amount, static_cast<int>(number), 0); }},
      {"socket-bulk", [&] { return over_socket(folder, amount, 8, number); }},
      {"fill", [&] { return timed(static_cast<uint64_t>(amount), [&] { fill(folder, static_cast<uint64_t>(amount)); }); }},
      {"open", [&] { return timed(1, [&] { there(); }); }},
      {"scan",
       [&] {
         auto ledger = there();
         return timed(ledger->head(), [&] {
           const auto snapshot = ledger->snapshot();
           uint64_t jobs = 0;
           for (uint64_t seq = 1; seq <= snapshot->head(); ++seq) {
             const auto words = snapshot->event(seq);
             if (!words.is_ok()) die(words.status().message());
             ledger::StoredEvent event(*words);
             jobs += event.get().getBody().isJobQueued();
           }
           if (jobs > snapshot->head()) die("impossible");
         });
       }},
      {"rebuild",
       [&] {
         auto ledger = there();
         return timed(ledger->head(), [&] {
           if (const base::Status status = ledger->rebuild_views(); !status.is_ok()) die(status.message());
         });
       }},
      {"by-key",
       [&] {
         auto ledger = there();
         return asked(*ledger, amount, [&](const ledger::Snapshot& now, uint64_t call) {
           if (!ledger::find_run(now, "MARI", call * 7919 % (ledger->head() - 1) + 1)) die("a run is missing");
         });
       }},
      {"newest",
       [&] {
         auto ledger = there();
         return asked(*ledger, amount, [&](const ledger::Snapshot& now, uint64_t) {
           const uint64_t last = ledger::last_run(now, "MARI");
           if (ledger::list_runs(now, {.instrument = "MARI", .first_run = last - 49}, 50).rows.size() != 50) die("runs are missing");
         });
       }},
      {"counts",
       [&] {
         auto ledger = there();
         return asked(*ledger, amount, [&](const ledger::Snapshot& now, uint64_t) { ledger::run_counts(now, "MARI"); });
       }},
  };
  const auto found = all.find(what);
  if (found == all.end()) die("no such measurement: " + what);
  found->second().print();
}
