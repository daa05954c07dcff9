#include "tests/bench/over_socket.h"

#include <rocksdb/db.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "ledger/keys.h"
#include "rpc/loop.h"
#include "rpc/service/service.h"
#include "rpc/transport.h"
#include "tests/bench/ledger_under_test.h"

namespace bench {
namespace {

/// A thread with a loop that serves on FOLDER/socket until the end of the object.
class Server {
 public:
  using Bootstrap = std::function<capnp::Capability::Client()>;
  /// `body` runs on the thread: makes what is served and calls `serve`, which returns when it is time to take it down.
  using Body = std::function<void(rpc::Loop&, const std::function<void(const Bootstrap&)>& serve)>;

  Server(const std::string& folder, Body body) : address_("unix:" + folder + "/socket") {
    std::filesystem::create_directories(folder);
    std::promise<void> listening;
    thread_ = std::thread([this, body = std::move(body), stopped = stop_.get_future().share(), &listening] {
      rpc::Loop loop;
      body(loop, [&](const Bootstrap& bootstrap) {
        auto listener = rpc::Listener::open(loop, address_, [&](const rpc::PeerIdentity&) { return bootstrap(); });
        if (!listener.is_ok()) die(listener.status().message());
        listening.set_value();
        loop.wait(loop.on_pool([stopped] { stopped.wait(); }));
        listener->reset();
      });
    });
    listening.get_future().get();
  }
  ~Server() {
    stop_.set_value();
    thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  const std::string address_;
  std::promise<void> stop_;
  std::thread thread_;
};

/// Serves the ledger `make` returns; `shown` gets it before anybody can connect.
Server::Body serving(std::function<std::unique_ptr<ledger::Ledger>()> make, ledger::Ledger** shown = nullptr) {
  return [make = std::move(make), shown](rpc::Loop& loop, const std::function<void(const Server::Bootstrap&)>& serve) {
    auto ledger = make();
    if (shown) *shown = ledger.get();
    rpc::LedgerService service(loop, *ledger, base::system_clock(), "bench");
    serve([&service]() -> capnp::Capability::Client { return service.gateway(support::person()); });
    ledger.reset();
  };
}

std::function<std::unique_ptr<ledger::Ledger>()> warm_ledger(const std::string& folder, int warm_up_rounds) {
  return [folder, warm_up_rounds] {
    auto ledger = open_ledger(folder);
    warm_up(*ledger, warm_up_rounds);
    return ledger;
  };
}

schema::Session::Client session_of(rpc::Connection& connection) {
  return connection.bootstrap().castAs<schema::Gateway>().loginRequest().send().getSession();
}

/// A client that may detect runs.
struct Client {
  rpc::Connection connection;
  schema::DaemonPort::Client port;

  static std::unique_ptr<Client> monitor(rpc::Loop& loop, const std::string& address) {
    auto connection = loop.wait(rpc::connect(loop, address));
    auto asked = session_of(connection).daemonRequest();
    asked.setRole(schema::DaemonRole::MONITOR);
    asked.setName("monitord");
    auto port = loop.wait(asked.send()).getPort();
    return std::unique_ptr<Client>(new Client{kj::mv(connection), kj::mv(port)});
  }
  static std::unique_ptr<Client> bare(rpc::Loop& loop, const std::string& address) {
    auto connection = loop.wait(rpc::connect(loop, address));
    auto port = connection.bootstrap().castAs<schema::DaemonPort>();
    return std::unique_ptr<Client>(new Client{kj::mv(connection), kj::mv(port)});
  }
  kj::Promise<void> submit(int thread, uint64_t first_call, uint32_t calls) {
    auto request = port.submitRequest();
    auto commands = request.initCommands(calls);
    for (uint32_t i = 0; i < calls; ++i) commands.setWithCaveats(i, detect(thread, first_call + i).reader());
    return request.send().then([](auto&& response) {
      for (auto answer : response.getAnswers()) {
        if (answer.getRefusal().getCode() != schema::Refusal::Code::OK) die(answer.getRefusal().getText().cStr());
      }
    });
  }
};

/// Each client does `once`, which brings so many events, again and again.
Measured closed_loop(rpc::Loop& loop, double seconds, int clients, uint64_t events_a_call,
                     const std::function<kj::Promise<void>(int client, uint64_t number)>& once) {
  Measured all;
  const auto begin = Clock::now();
  const auto end = after(seconds);
  std::function<kj::Promise<void>(int, uint64_t)> call = [&](int client, uint64_t number) -> kj::Promise<void> {
    const auto before = Clock::now();
    if (before >= end) return kj::READY_NOW;
    return once(client, number).then([&, before, client, number] {
      all.took(before);
      all.events += events_a_call;
      return call(client, number + 1);
    });
  };
  kj::Vector<kj::Promise<void>> running;
  for (int client = 0; client < clients; ++client) running.add(call(client, 0));
  loop.wait(kj::joinPromises(running.releaseAsArray()));
  all.seconds = seconds_since(begin);
  return all;
}

/// Writes one event of 400 bytes for each call that waits, all in one synced batch, and calls back.
class Committer {
 public:
  Committer(const std::string& folder, std::function<void(size_t calls)> committed) : committed_(std::move(committed)) {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* opened = nullptr;
    if (const auto status = rocksdb::DB::Open(options, folder, &opened); !status.ok()) die(status.ToString());
    database_.reset(opened);
    thread_ = std::thread([this] { run(); });
  }
  ~Committer() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void add() {
    {
      std::lock_guard lock(mutex_);
      ++waiting_;
    }
    wake_.notify_one();
  }

 private:
  void run() {
    rocksdb::WriteOptions durable;
    durable.sync = true;
    const std::string event(kEventBytes, 'e');
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || waiting_ > 0; });
      if (stop_) return;
      const size_t calls = std::exchange(waiting_, 0);
      lock.unlock();
      rocksdb::WriteBatch batch;
      for (size_t i = 0; i < calls; ++i) batch.Put(ledger::u64_key(++seq_), event);
      if (const auto status = database_->Write(durable, &batch); !status.ok()) die(status.ToString());
      committed_(calls);
      lock.lock();
    }
  }

  const std::function<void(size_t)> committed_;
  std::unique_ptr<rocksdb::DB> database_;
  uint64_t seq_ = 0;  // the thread's own
  std::mutex mutex_;
  std::condition_variable wake_;
  size_t waiting_ = 0;  // guarded by mutex_, as stop_
  bool stop_ = false;
  std::thread thread_;
};

class CommittingPort final : public schema::DaemonPort::Server {
 public:
  CommittingPort(Committer& committer, std::deque<kj::Own<kj::PromiseFulfiller<void>>>& calls)
      : committer_(committer), calls_(calls) {}
  kj::Promise<void> submit(SubmitContext) override {
    auto pair = kj::newPromiseAndFulfiller<void>();
    calls_.push_back(kj::mv(pair.fulfiller));
    committer_.add();
    return kj::mv(pair.promise);
  }

 private:
  Committer& committer_;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>>& calls_;
};

/// Tells somebody who waits for it that an event came.
class Sink final : public schema::EventSink::Server {
 public:
  struct Seen {
    uint64_t events = 0;
    uint64_t wanted = 0;
    kj::Own<kj::PromiseFulfiller<void>> reached;

    kj::Promise<void> until(uint64_t count) {
      auto pair = kj::newPromiseAndFulfiller<void>();
      wanted = count;
      reached = kj::mv(pair.fulfiller);
      return kj::mv(pair.promise);
    }
  };
  explicit Sink(Seen& seen) : seen_(seen) {}
  kj::Promise<void> push(PushContext context) override {
    seen_.events += context.getParams().getEvents().size();
    if (seen_.events >= seen_.wanted && seen_.reached.get() != nullptr) seen_.reached->fulfill();
    return kj::READY_NOW;
  }

 private:
  Seen& seen_;
};

}  // namespace

Measured over_socket(const std::string& folder, double seconds, int clients, uint32_t commands_a_call, int warm_up_rounds) {
  const Server server(folder, serving(warm_ledger(folder, warm_up_rounds)));
  rpc::Loop loop;
  std::vector<std::unique_ptr<Client>> connected;
  for (int i = 0; i < clients; ++i) connected.push_back(Client::monitor(loop, server.address()));
  return closed_loop(loop, seconds, clients, commands_a_call, [&](int client, uint64_t number) {
    return connected[static_cast<size_t>(client)]->submit(client, number * commands_a_call, commands_a_call);
  });
}

Measured empty_calls_with_commits(const std::string& folder, double seconds, int clients) {
  const Server server(folder, [folder](rpc::Loop& loop, const std::function<void(const Server::Bootstrap&)>& serve) {
    std::deque<kj::Own<kj::PromiseFulfiller<void>>> calls;  // in the order they came, as they are committed
    Committer committer(folder + "/raw", [&](size_t committed) {
      loop.post([&calls, committed] {
        for (size_t i = 0; i < committed; ++i) {
          calls.front()->fulfill();
          calls.pop_front();
        }
      });
    });
    serve([&]() -> capnp::Capability::Client { return kj::heap<CommittingPort>(committer, calls); });
  });
  rpc::Loop loop;
  std::vector<std::unique_ptr<Client>> connected;
  for (int i = 0; i < clients; ++i) connected.push_back(Client::bare(loop, server.address()));
  return closed_loop(loop, seconds, clients, 1, [&](int client, uint64_t) {
    return connected[static_cast<size_t>(client)]->port.submitRequest().send().ignoreResult();
  });
}

Measured deliver(const std::string& folder, uint64_t events, int pause_us, Append append, int warm_up_rounds) {
  ledger::Ledger* ledger = nullptr;
  const Server server(folder, serving(warm_ledger(folder, warm_up_rounds), &ledger));
  rpc::Loop loop;
  const auto publisher = Client::monitor(loop, server.address());
  auto connection = loop.wait(rpc::connect(loop, server.address()));
  Sink::Seen seen;
  auto watch = session_of(connection).runsRequest().send().getRuns().watchRequest();
  watch.setSink(kj::heap<Sink>(seen));
  const auto subscription = loop.wait(watch.send()).getSubscription();

  Measured measured;
  const auto begin = Clock::now();
  for (uint64_t i = 0; i < events; ++i) {
    loop.wait(loop.timer().afterDelay(pause_us * kj::MICROSECONDS));
    auto delivered = seen.until(i + 1);
    const auto before = Clock::now();
    if (append == Append::kInProcess) {
      ledger->submit(detect(0, i).reader(), support::person(), [](const ledger::Answer& answer) {
        if (!answer.status.is_ok()) die(answer.status.message());
      });
      loop.wait(kj::mv(delivered));
      measured.took(before);
    } else {
      auto acked = publisher->submit(0, i, 1);
      loop.wait(delivered.then([&] { measured.took(before); }));
      loop.wait(kj::mv(acked));
    }
  }
  measured.seconds = seconds_since(begin);
  measured.events = events;
  return measured;
}

Measured asked_over_socket(const std::string& folder, double seconds, Question question) {
  const Server server(folder, serving([folder] { return open_filled(folder); }));
  rpc::Loop loop;
  auto connection = loop.wait(rpc::connect(loop, server.address()));
  auto runs = session_of(connection).runsRequest().send().getRuns();
  const auto now = loop.wait(runs.statusRequest().send());
  const uint64_t all = now.getStatus().getHead() - 1, last = now.getStatus().getInstruments()[0].getLastRun();  // event 1 is no run
  return closed_loop(loop, seconds, 1, 1, [&](int, uint64_t call) -> kj::Promise<void> {
    if (question == Question::kStatus) {
      return runs.statusRequest().send().then([](auto&& response) {
        if (response.getStatus().getCounts().size() == 0) die("a status without counts");
      });
    }
    if (question == Question::kRun) {
      auto asked = runs.showRequest();
      asked.getRun().setInstrument("MARI");
      asked.getRun().setRunNumber(call * 7919 % all + 1);
      return asked.send().then([](auto&& response) {
        if (!response.hasRun()) die("a run is missing");
      });
    }
    auto asked = runs.listRequest();
    asked.getFilter().setInstrument("MARI");
    asked.getFilter().setFirstRun(last - 49);
    asked.setLimit(50);
    return asked.send().then([](auto&& response) {
      if (response.getRuns().size() != 50) die("runs are missing");
    });
  });
}

}  // namespace bench
