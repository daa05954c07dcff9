// Calls a second over TLS against those over a Unix socket in the same run, and the memory of the server that an idle connection
// takes.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "rpc/loop.h"
#include "rpc/transport.h"
#include "schema/api.capnp.h"
#include "tests/bench/measured.h"
#include "tests/bench/server_process.h"
#include "tests/support/certificates.h"
#include "tests/support/temporary_folder.h"

namespace {

using bench::die;

/// Answers calls that carry nothing.
class EmptyPort final : public schema::DaemonPort::Server {
  kj::Promise<void> submit(SubmitContext) override { return kj::READY_NOW; }
};

/// Serves on both kinds of address.
class Server {
 public:
  Server(const std::string& folder, const rpc::TlsServerFiles& files)
      : local_("unix:" + folder + "/socket"), process_([&](const auto& listens) { serve(files, listens); }) {}
  const std::string& tls() const { return process_.address(); }
  const std::string& local() const { return local_; }
  double resident_kib() const { return process_.resident_kib(); }

 private:
  [[noreturn]] void serve(const rpc::TlsServerFiles& files, const bench::ServerProcess::Say& listens) {
    rpc::Loop loop;
    const auto bootstrap = [](const rpc::PeerIdentity&) -> capnp::Capability::Client { return kj::heap<EmptyPort>(); };
    const rpc::ListenOptions options{.max_connections = 5000, .tls = files, .max_connections_per_source = 5000};
    auto local = rpc::Listener::open(loop, local_, bootstrap, options);
    auto network = rpc::Listener::open(loop, "tls:127.0.0.1:0", bootstrap, options);
    if (!local.is_ok() || !network.is_ok()) die("cannot listen");
    listens((*network)->address());
    loop.run();
    _exit(0);
  }

  const std::string local_;
  const bench::ServerProcess process_;
};

struct Client {
  rpc::Connection connection;
  schema::DaemonPort::Client port;
};

Client connect(rpc::Loop& loop, const std::string& address, const rpc::TlsClientFiles& files) {
  auto connection = loop.wait(rpc::connect(loop, address, {.tls = files}));
  auto port = connection.bootstrap().castAs<schema::DaemonPort>();
  return {std::move(connection), std::move(port)};
}

double calls_a_second(const std::string& address, const rpc::TlsClientFiles& files, int in_flight, double seconds) {
  rpc::Loop loop;
  auto client = connect(loop, address, files);
  uint64_t calls = 0;
  const auto begin = bench::Clock::now();
  const auto end = bench::after(seconds);
  std::function<kj::Promise<void>()> call_on = [&]() -> kj::Promise<void> {
    return client.port.submitRequest().send().then([&](auto&&) -> kj::Promise<void> {
      ++calls;
      return bench::Clock::now() < end ? call_on() : kj::READY_NOW;
    });
  };
  auto all = kj::heapArrayBuilder<kj::Promise<void>>(static_cast<size_t>(in_flight));
  for (int i = 0; i < in_flight; ++i) all.add(call_on());
  loop.wait(kj::joinPromises(all.finish()));
  return static_cast<double>(calls) / bench::seconds_since(begin);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare_calls(const Server& server, const rpc::TlsClientFiles& files, int in_flight, int rounds, double seconds) {
  std::vector<double> local, tls, ratios;
  for (int round = 0; round < rounds; ++round) {
    local.push_back(calls_a_second(server.local(), files, in_flight, seconds));
    tls.push_back(calls_a_second(server.tls(), files, in_flight, seconds));
    ratios.push_back(tls.back() / local.back());
  }
  fmt::print("calls, {:3} in flight: unix {:.0f}/s, tls {:.0f}/s, ratio {:.2f}\n", in_flight, median(local), median(tls),
             median(ratios));
}

void memory_of_idle(const char* name, const Server& server, const std::string& address, const rpc::TlsClientFiles& files) {
  constexpr int kFirst = 100, kMeasured = 1000;
  rpc::Loop loop;
  std::vector<Client> clients;
  auto open = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clients.push_back(connect(loop, address, files));
      loop.wait(clients.back().port.submitRequest().send().ignoreResult());
    }
  };
  open(kFirst);
  const double before = server.resident_kib();
  const auto begin = bench::Clock::now();
  open(kMeasured);
  fmt::print("{} idle connections, {}: {:.1f} KiB each in the server; {:.0f} connections/s\n", kMeasured, name,
             (server.resident_kib() - before) / kMeasured, kMeasured / bench::seconds_since(begin));
}

}  // namespace

int main() {
  const support::TemporaryFolder folder;
  const support::CertificateAuthority authority(folder.path());
  const auto shown = authority.server("server");
  const auto own = authority.client("client", "a worker");
  const rpc::TlsServerFiles served{shown.certificate, shown.key, authority.certificate()};
  const rpc::TlsClientFiles trusting{.ca_file = authority.certificate()};
  const rpc::TlsClientFiles showing{.ca_file = authority.certificate(), .certificate = own.certificate, .key = own.key};

  // All at once: a later one would inherit what the clients before it have left on the heap.
  const Server calls(folder / "calls", served), local(folder / "local", served), network(folder / "network", served),
      certified(folder / "certified", served);
  for (int in_flight : {1, 64}) compare_calls(calls, trusting, in_flight, 5, 1.0);
  memory_of_idle("unix", local, local.local(), {});
  memory_of_idle("tls", network, network.tls(), trusting);
  memory_of_idle("tls with a client certificate", certified, certified.tls(), showing);
}
