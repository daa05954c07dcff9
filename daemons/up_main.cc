// runledger-up: every daemon of a site in one process, on one loop. `runledger up SITE` starts it.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/counted.h"
#include "daemons/host.h"
#include "daemons/ledgerd/ledger_host.h"
#include "daemons/wiring.h"

namespace {

int fail(const base::Status& status) {
  fmt::print(stderr, "runledger up: {}\n", status.message());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = daemons::parse_host_options(argc, argv, "up", "Runs a site: ledger, monitor, coordinator and worker in one process.");
  const site::Site& site = options.site;
  const base::Clock& clock = base::system_clock();
  rpc::Loop loop;
  auto launcher = daemons::make_process_launcher(loop);
  auto opened = daemons::LedgerHost::open(loop, site, clock);
  if (!opened.is_ok()) return fail(opened.status());
  auto ledger = std::move(*opened);
  base::Status started = loop.wait(ledger->start());
  if (!started.is_ok()) return fail(started);

  auto enter = [&] { return daemons::log_in(ledger->gateway({schema::Actor::Kind::DAEMON, "up", fmt::format("in process {}", getpid())})); };
  auto keep = [&](const char* name, std::function<kj::Promise<void>(schema::Session::Client)> work) {
    return daemons::keep_running(loop, name, enter, std::move(work)).eagerlyEvaluate(nullptr);
  };
  if (site.follow) {  // everything is decided, and done, where the source is
    fmt::print("{} follows {}, {}. End it with Ctrl-C.\n", site.facility, site.follow->address, site.listen.front());
    std::fflush(stdout);
    loop.wait(loop.termination().ignoreResult());
    loop.wait(ledger->close());
    return 0;
  }
  kj::Vector<kj::Promise<void>> running;
  running.add(keep("workerd", [&](schema::Session::Client session) {
    return daemons::run_worker(loop, site, clock, *launcher, options.name, session);
  }));
  running.add(keep("coordinatord", [&](schema::Session::Client session) {
    return daemons::run_coordinator(loop, site, *launcher, session);
  }));
  running.add(keep("monitord", [&](schema::Session::Client session) {
    return daemons::run_monitor(loop, site, clock, *launcher, session);
  }));
  fmt::print("{} is up: {}, {}. End it with Ctrl-C.\n", site.facility, base::counted(site.instruments.size(), "instrument"),
             site.listen.front());
  std::fflush(stdout);
  loop.wait(kj::joinPromises(running.releaseAsArray()));
  spdlog::info("ended");
  loop.wait(ledger->close());
  return 0;
}
