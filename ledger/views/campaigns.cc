#include "ledger/views/campaigns.h"

#include "ledger/views/outcome.h"

namespace ledger {
namespace {

using schema::RunState;
using State = schema::CampaignRow::State;

constexpr uint64_t kNanosecondsAMillisecond = 1'000'000;

RowEdit<schema::CampaignRow> edit(Rows& rows, uint64_t campaign) {
  return RowEdit<schema::CampaignRow>(rows, ViewId::kCampaigns, CampaignsView::row_key(campaign));
}

bool waits(RunState state) { return state == RunState::QUEUED || state == RunState::HELD; }

/// Adds `change` to the count that a job in this state belongs to.
void count(schema::CampaignCounts::Builder counts, RunState state, int change) {
  const auto add = [&](uint32_t number) { return number + static_cast<uint32_t>(change); };
  switch (state) {
    case RunState::HELD:
    case RunState::QUEUED: return counts.setWaiting(add(counts.getWaiting()));
    case RunState::RUNNING: return counts.setRunning(add(counts.getRunning()));
    case RunState::SUCCEEDED: return counts.setSucceeded(add(counts.getSucceeded()));
    case RunState::FAILED: return counts.setFailed(add(counts.getFailed()));
    case RunState::SKIPPED: return counts.setSkipped(add(counts.getSkipped()));
    case RunState::CANCELLED: return counts.setCancelled(add(counts.getCancelled()));
    case RunState::DETECTED:
    case RunState::REFUSED: return;  // no job is in these
  }
}

void fold_started(schema::Event::Reader event, schema::CampaignStarted::Reader started, Rows& rows) {
  auto campaign = edit(rows, event.getSeq());
  campaign->setCampaign(event.getSeq());
  campaign->setStarted(started);
  campaign->setOwner(event.getActor());
  campaign->setStartedAt(event.getTime());
  campaign->setState(State::RUNNING);
  set_decision(campaign->initReason(), "campaign_started",
               std::string(view(event.getActor().getName())) + " started it: " + std::string(view(started.getPurpose())), event.getSeq());
  campaign->initCounts().setNotQueued(started.getRuns());
  campaign.save();
  rows.put(ViewId::kCampaigns, CampaignsView::open_key(event.getSeq()), {});
}

void set_state(schema::Event::Reader event, uint64_t id, State state, schema::Reason::Reader reason, Rows& rows) {
  auto campaign = edit(rows, id);
  if (!campaign.found()) return;
  campaign->setState(state);
  set_decision(campaign->initReason(), reason, event.getSeq());
  if (state == State::FINISHED) {
    campaign->setFinishedAt(event.getTime());
    rows.erase(ViewId::kCampaigns, CampaignsView::open_key(id));
  }
  campaign.save();
}

/// A job of a campaign and what is kept of it while it is open.
struct CampaignJob {
  uint64_t campaign = 0;
  int64_t started_at = 0;  // of its last attempt; 0 = none
  std::string run_key;

  std::string bytes() const { return u64_key(campaign).append(u64_key(static_cast<uint64_t>(started_at))).append(run_key); }
};

std::optional<CampaignJob> find_open(const Rows& rows, uint64_t job) {
  const auto bytes = rows.get(ViewId::kCampaigns, CampaignsView::job_key(job));
  if (!bytes || bytes->size() < 16) return std::nullopt;
  return CampaignJob{read_u64(*bytes), static_cast<int64_t>(read_u64(*bytes, 8)), bytes->substr(16)};
}

std::string waiting_key(uint64_t campaign, uint64_t job) { return CampaignsView::waiting_prefix(campaign).append(u64_key(job)); }

void fold_queued(schema::Event::Reader event, schema::JobQueued::Reader queued, Rows& rows) {
  if (queued.getCampaign() == 0 || queued.getRuns().size() == 0) return;
  auto campaign = edit(rows, queued.getCampaign());
  if (!campaign.found()) return;
  const auto key = queued.getRuns()[0];
  const CampaignJob job{queued.getCampaign(), 0, run_key(view(key.getInstrument()), key.getRunNumber())};
  RowEdit<schema::CampaignRunRow> run(rows, ViewId::kCampaigns, CampaignsView::run_row_key(job.campaign, job.run_key));
  run->setRun(key);
  run->setJob(event.getSeq());
  run->setVersion(queued.getVersion());
  run->setState(RunState::QUEUED);
  set_decision(run->initReason(), queued.getReason(), event.getSeq());
  run.save();
  campaign->getCounts().setNotQueued(campaign->getCounts().getNotQueued() - 1);
  count(campaign->getCounts(), RunState::QUEUED, 1);
  campaign.save();
  rows.put(ViewId::kCampaigns, CampaignsView::job_key(event.getSeq()), job.bytes());
  rows.put(ViewId::kCampaigns, waiting_key(job.campaign, event.getSeq()), {});
}

void fold_passed(schema::Event::Reader event, schema::CampaignRunPassed::Reader passed, Rows& rows) {
  auto campaign = edit(rows, passed.getCampaign());
  if (!campaign.found()) return;
  const auto key = passed.getRun();
  RowEdit<schema::CampaignRunRow> run(
      rows, ViewId::kCampaigns, CampaignsView::run_row_key(passed.getCampaign(), run_key(view(key.getInstrument()), key.getRunNumber())));
  run->setRun(key);
  run->setState(RunState::SKIPPED);
  set_decision(run->initReason(), passed.getReason(), event.getSeq());
  run.save();
  auto counts = campaign->getCounts();
  counts.setNotQueued(counts.getNotQueued() - 1);
  counts.setPassed(counts.getPassed() + 1);
  campaign.save();
}

/// Takes a campaign's job to `state`; `decide` sets the reason shown for it.
template <typename Decide>
void move(schema::Event::Reader event, uint64_t id, RunState state, Rows& rows, const Decide& decide) {
  auto job = find_open(rows, id);
  if (!job) return;
  RowEdit<schema::CampaignRunRow> run(rows, ViewId::kCampaigns, CampaignsView::run_row_key(job->campaign, job->run_key));
  auto campaign = edit(rows, job->campaign);
  if (!run.found() || !campaign.found()) return;
  const RunState before = run->getState();
  run->setState(state);
  decide(run->initReason());
  run.save();
  count(campaign->getCounts(), before, -1);
  count(campaign->getCounts(), state, 1);
  if (waits(before) && !waits(state)) rows.erase(ViewId::kCampaigns, waiting_key(job->campaign, id));
  if (!waits(before) && waits(state)) rows.put(ViewId::kCampaigns, waiting_key(job->campaign, id), {});
  if (state == RunState::RUNNING) {
    job->started_at = event.getTime();
    rows.put(ViewId::kCampaigns, CampaignsView::job_key(id), job->bytes());
  } else if (!waits(state)) {
    if (job->started_at != 0) {
      campaign->setWorkedMs(campaign->getWorkedMs() + static_cast<uint64_t>(event.getTime() - job->started_at) / kNanosecondsAMillisecond);
    }
    rows.erase(ViewId::kCampaigns, CampaignsView::job_key(id));
  }
  campaign.save();
}

void fold_job(schema::Event::Reader event, Rows& rows) {
  using Body = schema::Event::Body;
  auto body = event.getBody();
  const auto reason = [seq = event.getSeq()](schema::Reason::Reader why) {
    return [why, seq](schema::Decision::Builder decision) { set_decision(decision, why, seq); };
  };
  const auto sentence = [seq = event.getSeq()](std::string_view code, std::string text) {
    return [code, text = std::move(text), seq](schema::Decision::Builder decision) { set_decision(decision, code, text, seq); };
  };
  switch (body.which()) {
    case Body::JOB_HELD: return move(event, body.getJobHeld().getJob(), RunState::HELD, rows, reason(body.getJobHeld().getReason()));
    case Body::JOB_RELEASED:
      return move(event, body.getJobReleased().getJob(), RunState::QUEUED, rows, reason(body.getJobReleased().getReason()));
    case Body::ATTEMPT_STARTED: {
      auto started = body.getAttemptStarted();
      return move(event, started.getJob(), RunState::RUNNING, rows, sentence("started", started_sentence(started)));
    }
    case Body::ATTEMPT_LOST:
      return move(event, body.getAttemptLost().getJob(), RunState::QUEUED, rows, reason(body.getAttemptLost().getReason()));
    case Body::ATTEMPT_FAILED: {
      auto failed = body.getAttemptFailed();
      if (!failed.getWillRetry()) return;
      return move(event, failed.getJob(), RunState::QUEUED, rows, sentence("attempt_failed", retry_sentence(failed)));
    }
    case Body::ATTEMPT_SUCCEEDED:
      if (find_open(rows, body.getAttemptSucceeded().getJob())) remember_empty(rows, ViewId::kCampaigns, body.getAttemptSucceeded());
      return;
    case Body::JOB_SUCCEEDED: {
      auto succeeded = body.getJobSucceeded();
      move(event, succeeded.getJob(), RunState::SUCCEEDED, rows, [&](schema::Decision::Builder decision) {
        set_succeeded(rows, ViewId::kCampaigns, decision, succeeded, event.getSeq());
      });
      return forget_empty(rows, ViewId::kCampaigns, succeeded.getJob());
    }
    case Body::JOB_FAILED:
      forget_empty(rows, ViewId::kCampaigns, body.getJobFailed().getJob());
      return move(event, body.getJobFailed().getJob(), RunState::FAILED, rows, reason(body.getJobFailed().getReason()));
    case Body::JOB_SKIPPED:
      return move(event, body.getJobSkipped().getJob(), RunState::SKIPPED, rows, reason(body.getJobSkipped().getReason()));
    case Body::JOB_CANCELLED:
      return move(event, body.getJobCancelled().getJob(), RunState::CANCELLED, rows, reason(body.getJobCancelled().getReason()));
    default: return;
  }
}

}  // namespace

void CampaignsView::fold(schema::Event::Reader event, Rows& rows) const {
  using Body = schema::Event::Body;
  auto body = event.getBody();
  switch (body.which()) {
    case Body::CAMPAIGN_STARTED: return fold_started(event, body.getCampaignStarted(), rows);
    case Body::CAMPAIGN_PAUSED:
      return set_state(event, body.getCampaignPaused().getCampaign(), State::PAUSED, body.getCampaignPaused().getReason(), rows);
    case Body::CAMPAIGN_RESUMED:
      return set_state(event, body.getCampaignResumed().getCampaign(), State::RUNNING, body.getCampaignResumed().getReason(), rows);
    case Body::CAMPAIGN_STOPPED:
      return set_state(event, body.getCampaignStopped().getCampaign(), State::STOPPED, body.getCampaignStopped().getReason(), rows);
    case Body::CAMPAIGN_FINISHED:
      return set_state(event, body.getCampaignFinished().getCampaign(), State::FINISHED, body.getCampaignFinished().getReason(), rows);
    case Body::CAMPAIGN_RUN_PASSED: return fold_passed(event, body.getCampaignRunPassed(), rows);
    case Body::JOB_QUEUED: return fold_queued(event, body.getJobQueued(), rows);
    default: return fold_job(event, rows);
  }
}

}  // namespace ledger
