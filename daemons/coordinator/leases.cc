#include "daemons/coordinator/leases.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <map>

namespace daemons {

using ledger::view;

kj::Promise<void> Leases::end_silent() {
  return record_.runs().statusRequest().send().then([this](auto&& status) {
    std::map<std::string, int64_t> last_seen;
    for (auto daemon : status.getStatus().getDaemons()) last_seen[daemon.getName().cStr()] = daemon.getLastSeenAt();
    int64_t now = status.getStatus().getNow();
    return operator_.workersRequest().send().then([this, last_seen, now](auto&& response) {
      kj::Vector<kj::Promise<void>> checks;
      for (auto row : response.getWorkers()) {
        std::string worker = row.getWorker().getWorker().cStr();
        auto seen = last_seen.find("workerd/" + worker);
        if (seen == last_seen.end()) continue;
        for (uint64_t job : row.getJobs()) checks.add(check(job, worker, now - seen->second));
      }
      return kj::joinPromises(checks.releaseAsArray());
    });
  });
}

kj::Promise<void> Leases::check(uint64_t job, std::string worker, int64_t silent_ns) {
  return record_.job(job).then([this, job, worker = std::move(worker), silent_ns](Record::Job&& found) -> kj::Promise<void> {
    auto attempts = found->getJob().getAttempts();
    if (attempts.size() == 0) return kj::READY_NOW;
    auto attempt = attempts[attempts.size() - 1];
    if (attempt.getOutcome() != schema::AttemptRow::Outcome::RUNNING || view(attempt.getWorker()) != worker) return kj::READY_NOW;
    if (silent_ns < static_cast<int64_t>(attempt.getLeaseMs()) * 1'000'000) return kj::READY_NOW;
    Command command(fmt::format("coordinatord/lost/{}", attempt.getFence()), attempt.getFence());
    auto lost = command.body().initLoseAttempt();
    lost.setJob(job);
    lost.setAttempt(attempt.getNumber());
    lost.setFence(attempt.getFence());
    lost.getReason().setCode("worker_silent");
    lost.getReason().setText(fmt::format("worker {} gave no sign of life for {} s; its lease has ended", worker, silent_ns / 1'000'000'000));
    return submitter_.submit(kj::mv(command)).then([job](CommandAnswer&& answer) {
      if (!answer.status.is_ok()) spdlog::info("job {}: {}", job, answer.status.message());
    });
  });
}

}  // namespace daemons
