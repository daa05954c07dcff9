// Logins a second by password over TLS, through ledgerd's desk and its directory client to Debian's slapd, against the same requests put to slapd
// directly in the same run; and what an idle session takes of the server's memory.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "daemons/ledgerd/directory_accounts.h"
#include "rpc/loop.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/service.h"
#include "rpc/transport.h"
#include "tests/bench/ledger_under_test.h"
#include "tests/bench/measured.h"
#include "tests/bench/server_process.h"
#include "tests/bench/slapd_alone.h"
#include "tests/support/certificates.h"
#include "tests/support/slapd.h"
#include "tests/support/temporary_folder.h"

namespace {

using bench::die;
using bench::Measured;

constexpr int kRounds = 5;
constexpr double kSeconds = 2;
/// Of the made-up facility; each is in groups that are in no others.
const std::vector<std::string> kAccounts = {"alice", "bob",  "carol", "dave", "erin",   "frank", "grace", "heidi",
                                            "ivan",  "judy", "trent", "sybil", "victor", "walter", "wendy", "rupert"};

rpc::ListenOptions listening(const rpc::TlsServerFiles& files) { return {.max_connections = 5000, .tls = files, .max_connections_per_source = 5000}; }

/// Serves `bootstrap` until this process is ended.
[[noreturn]] void serve(rpc::Loop& loop, const rpc::TlsServerFiles& files, const bench::ServerProcess::Say& listens, const rpc::BootstrapFactory& bootstrap) {
  auto listener = rpc::Listener::open(loop, "tls:127.0.0.1:0", bootstrap, listening(files));
  if (!listener.is_ok()) die(listener.status().message());
  listens((*listener)->address());
  loop.run();
  _exit(0);
}

/// A ledger whose desk asks slapd. Each connection is from a host of its own: one host may have eight logins under way.
[[noreturn]] void serve_logins(const std::string& folder, const ldap::Settings& settings, const rpc::TlsServerFiles& files, const bench::ServerProcess::Say& listens) {
  rpc::Loop loop;
  auto ledger = bench::open_ledger(folder);
  rpc::LedgerService service(loop, *ledger, base::system_clock(), "bench");
  site::Access access;
  access.roles = {{"", "scientist", {"sns_{instrument}_team"}, {}, "", ""}, {"", "member", {"IPTS-{experiment}"}, {}, "", ""}};
  auto directory = ldap::open_directory(settings);
  if (!directory.is_ok()) die(directory.status().message());
  auto accounts = daemons::make_accounts(loop, access, std::move(*directory), settings.servers.front());
  if (!accounts.is_ok()) die(accounts.status().message());
  service.use_access({.enforced = true}, std::move(*accounts));
  serve(loop, files, listens, [&, next = 0](const rpc::PeerIdentity&) mutable -> capnp::Capability::Client {
    return service.gateway(rpc::Peer{.source = fmt::format("192.0.2.{}", ++next % 250)});
  });
}

/// The same without a directory; who connects is known by the connection.
[[noreturn]] void serve_sessions(const std::string& folder, const rpc::TlsServerFiles& files, const bench::ServerProcess::Say& listens) {
  rpc::Loop loop;
  auto ledger = bench::open_ledger(folder);
  rpc::LedgerService service(loop, *ledger, base::system_clock(), "bench");
  service.use_access({.enforced = true}, nullptr);
  serve(loop, files, listens, [&, next = 0](const rpc::PeerIdentity&) mutable -> capnp::Capability::Client {
    rpc::Peer peer{.source = "192.0.2.1"};
    peer.caller.emplace();
    peer.caller->name = fmt::format("account{}", ++next);
    peer.caller->proof = "password, checked by ldaps://ldap.example.org";
    peer.caller->source = peer.source;
    peer.caller->grants = {{schema::Role::MEMBER, "", fmt::format("{}", 20000 + next), fmt::format("IPTS-{}", 20000 + next)}};
    return service.gateway(std::move(peer));
  });
}

/// Answers calls that carry nothing.
class EmptyPort final : public schema::DaemonPort::Server {
  kj::Promise<void> submit(SubmitContext) override { return kj::READY_NOW; }
};

[[noreturn]] void serve_nothing(const rpc::TlsServerFiles& files, const bench::ServerProcess::Say& listens) {
  rpc::Loop loop;
  serve(loop, files, listens, [](const rpc::PeerIdentity&) -> capnp::Capability::Client { return kj::heap<EmptyPort>(); });
}

// ---- logins

Measured logins(const std::string& address, const rpc::TlsClientFiles& files, int clients) {
  rpc::Loop loop;
  std::vector<rpc::Connection> connections;
  std::vector<schema::Gateway::Client> gateways;
  for (int i = 0; i < clients; ++i) {
    connections.push_back(loop.wait(rpc::connect(loop, address, {.tls = files})));
    gateways.push_back(connections.back().bootstrap().castAs<schema::Gateway>());
  }
  Measured measured;
  auto begin = bench::Clock::now();
  auto end = bench::after(kSeconds);
  const std::function<kj::Promise<void>(size_t)> log_in = [&](size_t client) -> kj::Promise<void> {
    auto request = gateways[client].loginRequest();
    auto credentials = request.initCredentials().initPassword();
    credentials.setName(kAccounts[client]);
    credentials.setPassword(support::password_of(kAccounts[client]));
    const auto asked = bench::Clock::now();
    return request.send().then([&, client, asked](auto&& answer) -> kj::Promise<void> {
      if (answer.getRefusal().getCode() != schema::Refusal::Code::OK) die(answer.getRefusal().getText().cStr());
      measured.took(asked);
      ++measured.events;
      return bench::Clock::now() < end ? log_in(client) : kj::READY_NOW;
    });
  };
  auto all = kj::heapArrayBuilder<kj::Promise<void>>(static_cast<size_t>(clients));
  for (size_t i = 0; i < static_cast<size_t>(clients); ++i) all.add(log_in(i));
  loop.wait(kj::joinPromises(all.finish()));
  measured.seconds = bench::seconds_since(begin);
  return measured;
}

/// ledgerd's client of the directory by itself.
Measured lookups(ldap::Directory& directory, int clients) {
  return bench::measure(kSeconds, clients, [&](int thread, uint64_t) {
    const std::string& name = kAccounts[static_cast<size_t>(thread)];
    std::promise<base::Status> answered;
    directory.authenticate(name, ldap::Secret(support::password_of(name)), [&](base::Result<ldap::Account> account) { answered.set_value(account.status()); });
    if (base::Status status = answered.get_future().get(); !status.is_ok()) die(status.message());
    return uint64_t{1};
  });
}

double percentile_ms(std::vector<float>& latencies_us, double part) {
  const auto at = static_cast<ptrdiff_t>(part * static_cast<double>(latencies_us.size() - 1));
  std::nth_element(latencies_us.begin(), latencies_us.begin() + at, latencies_us.end());
  return latencies_us[static_cast<size_t>(at)] / 1e3;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Rates, and latencies by percentile, of one side over all rounds.
struct Side {
  std::vector<double> rates, p50, p99;
  void add(Measured measured) {
    rates.push_back(static_cast<double>(measured.events) / measured.seconds);
    p50.push_back(percentile_ms(measured.latencies_us, 0.5));
    p99.push_back(percentile_ms(measured.latencies_us, 0.99));
  }
  std::string words() const { return fmt::format("{:.0f}/s, p50 {:.1f} ms, p99 {:.1f} ms", median(rates), median(p50), median(p99)); }
};

void compare_logins(const bench::ServerProcess& server, const rpc::TlsClientFiles& files, const bench::SlapdAccess& slapd, ldap::Directory& directory, int clients) {
  std::vector<std::unique_ptr<bench::SlapdAlone>> alone;
  for (int i = 0; i < clients; ++i) alone.push_back(std::make_unique<bench::SlapdAlone>(slapd));
  Side ours, client, limit;
  std::vector<double> ratios, client_ratios;
  for (int round = 0; round < kRounds; ++round) {
    limit.add(bench::measure(kSeconds, clients, [&](int thread, uint64_t) {
      const std::string& name = kAccounts[static_cast<size_t>(thread)];
      alone[static_cast<size_t>(thread)]->log_in(name, support::password_of(name));
      return uint64_t{1};
    }));
    ours.add(logins(server.address(), files, clients));
    client.add(lookups(directory, clients));
    ratios.push_back(ours.rates.back() / limit.rates.back());
    client_ratios.push_back(client.rates.back() / limit.rates.back());
  }
  fmt::print("{:2} at a time: slapd alone {}\n", clients, limit.words());
  fmt::print("               ledgerd's client of it {}, ratio {:.2f}\n", client.words(), median(client_ratios));
  fmt::print("               login at ledgerd {}, ratio {:.2f}\n", ours.words(), median(ratios));
}

// ---- memory

struct Idle {
  rpc::Connection connection;
  schema::DaemonPort::Client port = nullptr;
  schema::Session::Client session = nullptr;
};

Idle open_bare(rpc::Loop& loop, rpc::Connection connection) {
  auto port = connection.bootstrap().castAs<schema::DaemonPort>();
  loop.wait(port.submitRequest().send().ignoreResult());
  return {std::move(connection), std::move(port)};
}

Idle open_session(rpc::Loop& loop, rpc::Connection connection) {
  auto session = loop.wait(connection.bootstrap().castAs<schema::Gateway>().loginRequest().send()).getSession();
  loop.wait(session.whoamiRequest().send().ignoreResult());
  return {std::move(connection), nullptr, std::move(session)};
}

double idle_kib(const bench::ServerProcess& server, const rpc::TlsClientFiles& files, Idle (*open)(rpc::Loop& loop, rpc::Connection connection)) {
  constexpr int kFirst = 100, kMeasured = 1000;
  rpc::Loop loop;
  std::vector<Idle> idle;
  const auto more = [&](int count) {
    for (int i = 0; i < count; ++i) idle.push_back(open(loop, loop.wait(rpc::connect(loop, server.address(), {.tls = files}))));
  };
  more(kFirst);
  const double before = server.resident_kib();
  more(kMeasured);
  return (server.resident_kib() - before) / kMeasured;
}

}  // namespace

int main() {
  const support::TemporaryFolder folder;
  const support::CertificateAuthority authority(folder.path());
  const auto shown = authority.server("server");
  const rpc::TlsServerFiles served{shown.certificate, shown.key, authority.certificate()};
  const rpc::TlsClientFiles trusting{.ca_file = authority.certificate()};
  const support::Slapd slapd;
  const ldap::Settings settings = slapd.settings();

  // All at once, before there are threads.
  const bench::ServerProcess desk([&](const auto& listens) { serve_logins(folder / "logins", settings, served, listens); });
  const bench::ServerProcess sessions([&](const auto& listens) { serve_sessions(folder / "sessions", served, listens); });
  const bench::ServerProcess nothing([&](const auto& listens) { serve_nothing(served, listens); });

  const double bare = idle_kib(nothing, trusting, open_bare), session = idle_kib(sessions, trusting, open_session);
  fmt::print("1000 idle TLS connections: {:.1f} KiB each in the server; with a session: {:.1f} KiB, ratio {:.2f}\n", bare, session, session / bare);
  const bench::SlapdAccess direct{slapd.tls_url(), settings.ca_file, settings.bind_name, support::password_of("reader"), settings.user_base, settings.group_base};
  const auto directory = ldap::open_directory(settings);
  if (!directory.is_ok()) die(directory.status().message());
  for (int clients : {1, 16}) compare_logins(desk, trusting, direct, **directory, clients);
}
