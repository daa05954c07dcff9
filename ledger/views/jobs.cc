#include "ledger/views/jobs.h"

#include <algorithm>

#include "ledger/views/outcome.h"
#include "ledger/views/stages.h"

namespace ledger {
namespace {

using schema::RunState;
using Outcome = schema::AttemptRow::Outcome;

std::string over_key(std::string_view instrument, std::string_view stage) {
  return kind_key('o', text_key(instrument)).append(text_key(stage));
}

std::string run_result_key(schema::RunKey::Reader run) {
  return kind_key('r', run_key(view(run.getInstrument()), run.getRunNumber()));
}

/// Key of the stage's result that the job will be if it succeeds; empty = no such stage was ever set.
std::string stage_result_key(const Rows& rows, schema::JobQueued::Reader queued) {
  const auto runs = queued.getRuns();
  if (runs.size() == 0) return {};
  const std::string_view instrument = view(runs[0].getInstrument()), stage = view(queued.getStage());
  const auto over = rows.get(ViewId::kJobs, over_key(instrument, stage));
  if (!over || over->size() != 1) return {};
  return kind_key('s', text_key(instrument))
      .append(text_key(stage))
      .append(stage_group(static_cast<schema::StageRule::Over>((*over)[0]), run_numbers(runs), view(queued.getExperiment())));
}

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
      if (queued.getCampaign() == 0) rows.erase(ViewId::kJobs, request);
    }
    // A campaign's event is answered by many jobs, a result by a job of each stage that takes it.
    const bool one_answer = queued.getKind() != schema::JobKind::STAGE && queued.getCampaign() == 0;
    if (one_answer) rows.put(ViewId::kJobs, JobsView::answer_key(event.getCause()), u64_key(event.getSeq()));
  }
  job.save();
  if (queued.getKind() != schema::JobKind::STAGE) return;
  if (const std::string result = stage_result_key(rows, queued); !result.empty()) {
    rows.put(ViewId::kJobs, JobsView::awaited_key(event.getSeq()), result);
  }
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

/// Of two jobs for the same result the one queued later supersedes the other, once both have succeeded.
void fold_result(Rows& rows, uint64_t id, const std::string& key) {
  const uint64_t before = read_count(rows, ViewId::kJobs, key);
  if (before != 0) for_job(rows, std::min(before, id), [&](schema::JobRow::Builder job) { job.setSupersededBy(std::max(before, id)); });
  if (before < id) rows.put(ViewId::kJobs, key, u64_key(id));
}

/// Nothing more comes of the job.
void forget_awaited(Rows& rows, uint64_t id) {
  if (const std::string key = JobsView::awaited_key(id); rows.get(ViewId::kJobs, key)) rows.erase(ViewId::kJobs, key);
}

void fold_succeeded(schema::Event::Reader event, schema::JobSucceeded::Reader succeeded, Rows& rows) {
  std::string result = rows.get(ViewId::kJobs, JobsView::awaited_key(succeeded.getJob())).value_or("");
  for_job(rows, succeeded.getJob(), [&](schema::JobRow::Builder job) {
    for_attempt(job, succeeded.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
      attempt.setOutcome(Outcome::SUCCEEDED);
      attempt.setFinishedAt(event.getTime());
      set_succeeded(job.initReason(), succeeded.getAttempt(), attempt.asReader().getOutputs(), event.getSeq());
    });
    job.setState(RunState::SUCCEEDED);
    job.setFinishedAt(event.getTime());
    const auto queued = job.asReader().getQueued();
    if (queued.getKind() == schema::JobKind::REDUCTION && queued.getRuns().size() > 0) result = run_result_key(queued.getRuns()[0]);
  });
  if (!result.empty()) fold_result(rows, succeeded.getJob(), result);
  forget_awaited(rows, succeeded.getJob());
}

}  // namespace

void JobsView::fold(schema::Event::Reader event, Rows& rows) const {
  using Job = schema::JobRow::Builder;
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::REDUCTION_REQUESTED:
    case schema::Event::Body::TRIAL_REQUESTED:
    case schema::Event::Body::COMBINATION_REQUESTED:
    case schema::Event::Body::CAMPAIGN_STARTED:
      return rows.put(ViewId::kJobs, request_key(event.getSeq()), canonical_bytes(event.getActor()));
    case schema::Event::Body::CAMPAIGN_FINISHED:
      return rows.erase(ViewId::kJobs, request_key(body.getCampaignFinished().getCampaign()));
    case schema::Event::Body::RUN_SKIPPED: return rows.erase(ViewId::kJobs, request_key(event.getCause()));
    case schema::Event::Body::STAGE_SET: {
      auto rule = body.getStageSet();
      return rows.put(ViewId::kJobs, over_key(view(rule.getInstrument()), view(rule.getName())),
                      std::string(1, static_cast<char>(rule.getOver())));
    }
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
    case schema::Event::Body::JOB_SUCCEEDED: return fold_succeeded(event, body.getJobSucceeded(), rows);
    case schema::Event::Body::JOB_FAILED:
      for_job(rows, body.getJobFailed().getJob(),
              [&](Job job) { end(job, RunState::FAILED, event, body.getJobFailed().getReason()); });
      return forget_awaited(rows, body.getJobFailed().getJob());
    case schema::Event::Body::JOB_SKIPPED:
      for_job(rows, body.getJobSkipped().getJob(), [&](Job job) {
        auto skipped = body.getJobSkipped();
        for_attempt(job, skipped.getAttempt(), [&](schema::AttemptRow::Builder attempt) {
          attempt.setOutcome(Outcome::SKIPPED);
          attempt.setFinishedAt(event.getTime());
          attempt.setMessage(skipped.getReason().getText());
          attempt.setLog(skipped.getLog());
        });
        end(job, RunState::SKIPPED, event, skipped.getReason());
      });
      return forget_awaited(rows, body.getJobSkipped().getJob());
    case schema::Event::Body::JOB_CANCELLED:
      for_job(rows, body.getJobCancelled().getJob(),
              [&](Job job) { cancel(job, event, body.getJobCancelled().getReason()); });
      return forget_awaited(rows, body.getJobCancelled().getJob());
    default: return;
  }
}

}  // namespace ledger
