#include "ledger/views/workers.h"

#include <algorithm>

#include "ledger/views/edit.h"

namespace ledger {
namespace {

using Edit = RowEdit<schema::WorkerRow>;

Edit edit(Rows& rows, std::string_view worker) { return {rows, ViewId::kWorkers, WorkersView::row_key(worker)}; }

void set_jobs(Edit& worker, const std::vector<uint64_t>& jobs) {
  set_numbers(worker->initJobs(static_cast<uint32_t>(jobs.size())), jobs);
}

void open(Rows& rows, std::string_view name, uint64_t job) {
  Edit worker = edit(rows, name);
  if (!worker.found()) return;
  auto jobs = numbers(worker->asReader().getJobs());
  if (std::find(jobs.begin(), jobs.end(), job) == jobs.end()) jobs.push_back(job);
  set_jobs(worker, jobs);
  worker.save();
  rows.put(ViewId::kWorkers, WorkersView::job_key(job), name);
}

/// The open attempt at `job`, if any, is over.
void close(Rows& rows, uint64_t job) {
  auto name = rows.get(ViewId::kWorkers, WorkersView::job_key(job));
  if (!name) return;
  rows.erase(ViewId::kWorkers, WorkersView::job_key(job));
  Edit worker = edit(rows, *name);
  if (!worker.found()) return;
  auto jobs = numbers(worker->asReader().getJobs());
  std::erase(jobs, job);
  set_jobs(worker, jobs);
  worker.save();
}

}  // namespace

std::string WorkersView::row_key(std::string_view worker) { return kind_key('w', text_key(worker)); }

void WorkersView::fold(schema::Event::Reader event, Rows& rows) const {
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::WORKER_JOINED: {
      Edit worker = edit(rows, view(body.getWorkerJoined().getWorker()));
      worker->setWorker(body.getWorkerJoined());
      worker->setJoinedAt(event.getTime());
      worker->setJoinedSeq(event.getSeq());
      worker->setLeft(false);
      return worker.save();
    }
    case schema::Event::Body::WORKER_LEFT: {
      Edit worker = edit(rows, view(body.getWorkerLeft().getWorker()));
      if (!worker.found()) return;
      worker->setLeft(true);
      return worker.save();
    }
    case schema::Event::Body::ATTEMPT_STARTED:
      return open(rows, view(body.getAttemptStarted().getWorker()), body.getAttemptStarted().getJob());
    case schema::Event::Body::ATTEMPT_LOST: return close(rows, body.getAttemptLost().getJob());
    case schema::Event::Body::ATTEMPT_FAILED: return close(rows, body.getAttemptFailed().getJob());
    case schema::Event::Body::JOB_SUCCEEDED: return close(rows, body.getJobSucceeded().getJob());
    case schema::Event::Body::JOB_FAILED: return close(rows, body.getJobFailed().getJob());
    case schema::Event::Body::JOB_SKIPPED: return close(rows, body.getJobSkipped().getJob());
    case schema::Event::Body::JOB_CANCELLED: return close(rows, body.getJobCancelled().getJob());
    default: return;
  }
}

}  // namespace ledger
