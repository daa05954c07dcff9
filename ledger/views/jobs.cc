#include "ledger/views/jobs.h"

#include "ledger/views/edit.h"

namespace ledger {
namespace {

using schema::RunState;
using Outcome = schema::AttemptRow::Outcome;

void fold_queued(schema::Event::Reader event, schema::JobQueued::Reader queued, Rows& rows) {
  RowEdit<schema::JobRow> job(rows, ViewId::kJobs, JobsView::row_key(event.getSeq()));
  job->setJob(event.getSeq());
  job->setQueued(queued);
  job->setState(RunState::QUEUED);
  job->setQueuedAt(event.getTime());
  job->setQueueSeq(event.getSeq());
  set_decision(job->initReason(), queued.getReason(), event.getSeq());
  job->setRequestedBy(event.getActor());
  if (event.getCause() != 0) {
    std::string request = JobsView::request_key(event.getCause());
    if (auto actor = rows.get(ViewId::kJobs, request)) {
      job->setRequestedBy(Row<schema::Actor>(*actor).get());
      rows.erase(ViewId::kJobs, request);
    }
    rows.put(ViewId::kJobs, JobsView::answer_key(event.getCause()), u64_key(event.getSeq()));
  }
  job.save();
}

/// Calls `change` on the row of `job`, if there is one.
template <typename Change>
void for_job(Rows& rows, uint64_t id, Change&& change) {
  RowEdit<schema::JobRow> job(rows, ViewId::kJobs, JobsView::row_key(id));
  if (!job.found()) return;
  change(*job);
  job.save();
}

/// Calls `change` on attempt `number` of the job, if there is one.
template <typename Change>
void for_attempt(schema::JobRow::Builder job, uint16_t number, Change&& change) {
  for (auto attempt : job.getAttempts()) {
    if (attempt.getNumber() == number) change(attempt);
  }
}

schema::AttemptRow::Builder append_attempt(schema::JobRow::Builder job) {
  SmallMessage scratch;
  auto before = scratch.initRoot<schema::JobRow>();
  before.setAttempts(job.asReader().getAttempts());
  auto old = before.asReader().getAttempts();
  auto list = job.initAttempts(old.size() + 1);
  for (uint32_t i = 0; i < old.size(); ++i) list.setWithCaveats(i, old[i]);
  return list[old.size()];
}

void start(schema::JobRow::Builder job, schema::Event::Reader event, schema::AttemptStarted::Reader started) {
  auto attempt = append_attempt(job);
  attempt.setNumber(started.getAttempt());
  attempt.setFence(event.getSeq());
  attempt.setWorker(started.getWorker());
  attempt.setHost(started.getHost());
  attempt.setEnvironment(started.getEnvironment());
  attempt.setStartedAt(event.getTime());
  attempt.setLeaseMs(started.getLeaseMs());
  attempt.setOutcome(Outcome::RUNNING);
  job.setState(RunState::RUNNING);
  job.setStartedAt(event.getTime());
}

void queue_again(schema::JobRow::Builder job, uint64_t seq) {
  job.setState(RunState::QUEUED);
  job.setQueueSeq(seq);
}

void end(schema::JobRow::Builder job, RunState state, schema::Event::Reader event, schema::Reason::Reader reason) {
  job.setState(state);
  job.setFinishedAt(event.getTime());
  set_decision(job.initReason(), reason, event.getSeq());
}

void lose(schema::JobRow::Builder job, schema::Event::Reader event, schema::AttemptLost::Reader lost) {
  for_attempt(job, lost.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
    attempt.setOutcome(Outcome::LOST);
    attempt.setFinishedAt(event.getTime());
    attempt.setMessage(lost.getReason().getText());
    attempt.setHandedBack(view(lost.getReason().getCode()) == kHandedBack);
  });
  queue_again(job, event.getSeq());
  set_decision(job.initReason(), lost.getReason(), event.getSeq());
}

void fail(schema::JobRow::Builder job, schema::Event::Reader event, schema::AttemptFailed::Reader failed) {
  for_attempt(job, failed.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
    attempt.setOutcome(Outcome::FAILED);
    attempt.setFinishedAt(event.getTime());
    attempt.setKind(failed.getKind());
    attempt.setMessage(failed.getMessage());
    attempt.setTraceback(failed.getTraceback());
    attempt.setLog(failed.getLog());
    attempt.setOutputs(failed.getOutputs());
    attempt.setExitStatus(failed.getExitStatus());
  });
  if (!failed.getWillRetry()) return;
  queue_again(job, event.getSeq());
  set_decision(job.initReason(), "attempt_failed", retry_sentence(failed), event.getSeq());
}

void accept(schema::JobRow::Builder job, schema::AttemptSucceeded::Reader succeeded) {
  for_attempt(job, succeeded.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
    attempt.setOutcome(Outcome::PUBLISHING);
    attempt.setOutputs(succeeded.getOutputs());
    attempt.setLog(succeeded.getLog());
    attempt.setStaging(succeeded.getStaging());
    attempt.setMessage(succeeded.getMessage());
  });
}

void cancel(schema::JobRow::Builder job, schema::Event::Reader event, schema::Reason::Reader reason) {
  for (auto attempt : job.getAttempts()) {
    if (attempt.getOutcome() != Outcome::RUNNING && attempt.getOutcome() != Outcome::PUBLISHING) continue;
    attempt.setOutcome(Outcome::LOST);
    attempt.setFinishedAt(event.getTime());
    attempt.setMessage(reason.getText());
  }
  end(job, RunState::CANCELLED, event, reason);
}

}  // namespace

void JobsView::fold(schema::Event::Reader event, Rows& rows) const {
  using Job = schema::JobRow::Builder;
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::REDUCTION_REQUESTED:
      return rows.put(ViewId::kJobs, request_key(event.getSeq()), canonical_bytes(event.getActor()));
    case schema::Event::Body::RUN_SKIPPED: return rows.erase(ViewId::kJobs, request_key(event.getCause()));
    case schema::Event::Body::JOB_QUEUED: return fold_queued(event, body.getJobQueued(), rows);
    case schema::Event::Body::JOB_HELD:
      return for_job(rows, body.getJobHeld().getJob(), [&](Job job) {
        job.setState(RunState::HELD);
        set_decision(job.initReason(), body.getJobHeld().getReason(), event.getSeq());
      });
    case schema::Event::Body::JOB_RELEASED:
      return for_job(rows, body.getJobReleased().getJob(), [&](Job job) {
        queue_again(job, event.getSeq());
        set_decision(job.initReason(), body.getJobReleased().getReason(), event.getSeq());
      });
    case schema::Event::Body::ATTEMPT_STARTED:
      return for_job(rows, body.getAttemptStarted().getJob(), [&](Job job) { start(job, event, body.getAttemptStarted()); });
    case schema::Event::Body::ATTEMPT_LOST:
      return for_job(rows, body.getAttemptLost().getJob(), [&](Job job) { lose(job, event, body.getAttemptLost()); });
    case schema::Event::Body::ATTEMPT_FAILED:
      return for_job(rows, body.getAttemptFailed().getJob(), [&](Job job) { fail(job, event, body.getAttemptFailed()); });
    case schema::Event::Body::ATTEMPT_SUCCEEDED:
      return for_job(rows, body.getAttemptSucceeded().getJob(), [&](Job job) { accept(job, body.getAttemptSucceeded()); });
    case schema::Event::Body::RESULT_REJECTED: {
      // An attempt whose job was taken away may still hand in what it printed; its result counts for nothing.
      auto rejected = body.getResultRejected();
      if (rejected.getLog().size() == 0) return;
      return for_job(rows, rejected.getJob(), [&](Job job) {
        for (auto attempt : job.getAttempts()) {
          if (attempt.getFence() == rejected.getFence() && attempt.getLog().size() == 0) attempt.setLog(rejected.getLog());
        }
      });
    }
    case schema::Event::Body::JOB_SUCCEEDED:
      return for_job(rows, body.getJobSucceeded().getJob(), [&](Job job) {
        for_attempt(job, body.getJobSucceeded().getAttempt(), [&](schema::AttemptRow::Builder attempt) {
          attempt.setOutcome(Outcome::SUCCEEDED);
          attempt.setFinishedAt(event.getTime());
        });
        job.setState(RunState::SUCCEEDED);
        job.setFinishedAt(event.getTime());
        set_decision(job.initReason(), "succeeded", succeeded_sentence(body.getJobSucceeded()), event.getSeq());
      });
    case schema::Event::Body::JOB_FAILED:
      return for_job(rows, body.getJobFailed().getJob(),
                     [&](Job job) { end(job, RunState::FAILED, event, body.getJobFailed().getReason()); });
    case schema::Event::Body::JOB_SKIPPED:
      return for_job(rows, body.getJobSkipped().getJob(), [&](Job job) {
        auto skipped = body.getJobSkipped();
        for_attempt(job, skipped.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
          attempt.setOutcome(Outcome::SKIPPED);
          attempt.setFinishedAt(event.getTime());
          attempt.setMessage(skipped.getReason().getText());
          attempt.setLog(skipped.getLog());
        });
        end(job, RunState::SKIPPED, event, skipped.getReason());
      });
    case schema::Event::Body::JOB_CANCELLED:
      return for_job(rows, body.getJobCancelled().getJob(),
                     [&](Job job) { cancel(job, event, body.getJobCancelled().getReason()); });
    default: return;
  }
}

}  // namespace ledger
