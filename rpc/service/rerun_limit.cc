#include "rpc/service/rerun_limit.h"

#include "ledger/event_bytes.h"
#include "ledger/view_rows.h"

namespace rpc {
namespace {

using ledger::view;

constexpr size_t kRunsAPage = 1000;

size_t pending_requests(const ledger::Snapshot& snapshot, const std::string& experiment, const std::string& account) {
  size_t count = 0;
  std::string after;
  do {
    const auto page = ledger::list_runs(snapshot, {.experiment = experiment}, kRunsAPage, after);
    for (const auto& run : page.rows) {
      if (run.get().getPendingRequest() == 0) continue;
      const auto words = snapshot.event(run.get().getPendingRequest());
      if (!words.is_ok()) continue;
      ledger::StoredEvent event(*words);
      count += view(event.get().getActor().getName()) == account;
    }
    after = page.next;
  } while (!after.empty());
  return count;
}

}  // namespace

RerunLimit::Use RerunLimit::begin(const std::string& experiment, const std::string& account, size_t& before) {
  Key key{experiment, account};
  size_t& count = (*under_way_)[key];
  before = count++;
  return Use(nullptr, [counts = under_way_, key = std::move(key)](void*) {
    const auto found = counts->find(key);
    if (--found->second == 0) counts->erase(found);
  });
}

size_t open_requests(const ledger::Snapshot& snapshot, const std::string& experiment, const std::string& account) {
  size_t count = pending_requests(snapshot, experiment, account);
  const auto visit = [&](uint64_t id) {
    const auto job = ledger::find_job(snapshot, id);
    count += job && view(job->get().getQueued().getExperiment()) == experiment && view(job->get().getRequestedBy().getName()) == account;
  };
  const auto visit_waiting = [&](schema::QueueRow::Reader row) {
    if (view(row.getExperiment()) == experiment) visit(row.getJob());
    return true;
  };
  ledger::list_waiting(snapshot, visit_waiting);
  ledger::list_held(snapshot, visit_waiting);
  for (const auto& worker : ledger::list_workers(snapshot)) {
    for (const uint64_t job : worker.get().getJobs()) visit(job);
  }
  return count;
}

}  // namespace rpc
