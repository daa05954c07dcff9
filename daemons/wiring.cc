#include "daemons/wiring.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/program.h"
#include "daemons/coordinator/coordinator.h"
#include "daemons/monitor/monitor.h"
#include "daemons/worker/worker.h"

namespace daemons {
namespace {

kj::Promise<void> until_termination(rpc::Loop& loop, kj::Promise<void> work) {
  return work.exclusiveJoin(loop.termination().ignoreResult());
}

}  // namespace

kj::Promise<void> run_monitor(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, ProcessLauncher& launcher,
                              schema::Session::Client session) {
  MonitorSettings settings;
  settings.completeness.settle_ns = static_cast<int64_t>(site.monitor.settle_ms) * 1'000'000;
  settings.completeness.give_up_after_ns = static_cast<int64_t>(site.monitor.give_up_after_ms) * 1'000'000;
  settings.folders.sweep_ms = static_cast<int64_t>(site.monitor.sweep_ms);
  auto monitor = kj::heap<Monitor>(loop, kj::mv(session), std::move(settings), launcher, clock);
  auto work = monitor->run();
  return until_termination(loop, kj::mv(work)).attach(kj::mv(monitor));
}

kj::Promise<void> run_coordinator(rpc::Loop& loop, const site::Site& site, ProcessLauncher& launcher,
                                  schema::Session::Client session) {
  Coordinator::Settings settings{base::shared_file("run_script.py"), std::filesystem::path(site.worker.scratch) / "coordinatord", site.trials.folder};
  auto coordinator = kj::heap<Coordinator>(loop, kj::mv(session), std::move(settings), launcher);
  auto work = coordinator->run();
  return until_termination(loop, kj::mv(work)).attach(kj::mv(coordinator));
}

kj::Promise<void> run_worker(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, ProcessLauncher& launcher,
                             const std::string& name, schema::Session::Client session) {
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  WorkerSettings settings;
  settings.name = name;
  settings.host = host;
  settings.slots = site.worker.slots != 0 ? site.worker.slots : static_cast<uint16_t>(std::max(1u, std::thread::hardware_concurrency()));
  settings.scratch = (std::filesystem::path(site.worker.scratch) / ("workerd-" + name)).string();
  settings.run_script = base::shared_file("run_script.py").string();
  settings.supervisor = base::companion_program("runledger-supervise").string();
  settings.lease_ms = site.worker.lease_ms;
  auto worker = kj::heap<Worker>(loop, kj::mv(session), std::move(settings), launcher, clock);
  auto draining = loop.termination().then([&worker = *worker](int) { return worker.drain(); }).eagerlyEvaluate([](kj::Exception&&) {});
  auto work = worker->run();
  return work.attach(kj::mv(draining)).attach(kj::mv(worker));
}

}  // namespace daemons
