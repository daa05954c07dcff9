// Campaigns: many re-runs as one thing.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/counted.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;
using State = schema::CampaignRow::State;
using Plan = Row<schema::CampaignPlan>;

constexpr const char* kPaused = "campaign_paused";
constexpr const char* kResumed = "campaign_resumed";
constexpr const char* kStopped = "campaign_stopped";

std::string words_of(uint64_t campaign) { return fmt::format("campaign {}", campaign); }

std::string_view state_words(State state) {
  static constexpr std::string_view kWords[] = {"running", "paused", "stopped", "finished"};
  const auto index = static_cast<size_t>(state);
  return index < std::size(kWords) ? kWords[index] : "in an unknown state";
}

/// "campaign 17 is paused (alice paused campaign 17: vanadium first)".
std::string now_words(schema::CampaignRow::Reader campaign) {
  return fmt::format("{} is {} ({})", words_of(campaign.getCampaign()), state_words(campaign.getState()), quoted(campaign.getReason().getText()));
}

bool comes_before(schema::RunKey::Reader left, schema::RunKey::Reader right) {
  const std::string_view one = view(left.getInstrument()), other = view(right.getInstrument());
  return one != other ? one < other : left.getRunNumber() < right.getRunNumber();
}

base::Result<Plan> read_plan(const Question& question, capnp::Data::Reader sha256, const std::string& what) {
  LEDGER_CHECK(question.need_blob(sha256, what + ": plan"));
  auto plan = Plan::parse(*question.blob(sha256), what + ": plan");
  if (!plan.is_ok()) return invalid(plan.status().message(), "; send it as a CampaignPlan document");
  return plan;
}

/// Every run is known and stands there once, in order; answers their instruments.
base::Result<std::vector<std::string>> check_plan(const Question& question, schema::CampaignPlan::Reader plan) {
  const auto runs = plan.getRuns();
  if (runs.size() == 0 || runs.size() > kMaxCampaignRuns) {
    return invalid(fmt::format("a campaign of {} is asked for; 1 to {} are taken: choose fewer, or start several", base::counted(runs.size(), "run"),
                               kMaxCampaignRuns));
  }
  std::vector<std::string> instruments;
  for (uint32_t i = 0; i < runs.size(); ++i) {
    const auto run = runs[i].getRun();
    if (i > 0 && !comes_before(runs[i - 1].getRun(), run)) {
      return invalid("the plan has ", run_words(run), " after ", run_words(runs[i - 1].getRun()), "; sort it by instrument and number, each run once");
    }
    auto row = known_run(question, run);
    if (!row.is_ok()) return row.status();
    if (instruments.empty() || instruments.back() != view(run.getInstrument())) instruments.emplace_back(view(run.getInstrument()));
  }
  return instruments;
}

bool is_planned(schema::CampaignPlan::Reader plan, schema::RunKey::Reader run) {
  const auto runs = plan.getRuns();
  uint32_t first = 0, last = runs.size();
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    comes_before(runs[middle].getRun(), run) ? first = middle + 1 : last = middle;
  }
  return first < runs.size() && !comes_before(run, runs[first].getRun());
}

/// The campaign has this run in its plan, and nothing became of it yet.
base::Status check_run_left(const Question& question, schema::CampaignRow::Reader campaign, schema::RunKey::Reader run) {
  const std::string words = words_of(campaign.getCampaign());
  if (auto row = find_campaign_run(question.rows, campaign.getCampaign(), view(run.getInstrument()), run.getRunNumber())) {
    const uint64_t job = row->get().getJob();
    return refuse(Code::kConflict, run_words(run), job == 0 ? " was passed by " : fmt::format(" has job {} in ", job), words, " already");
  }
  const auto plan = question.blob(campaign.getStarted().getPlan());
  if (!plan) return refuse(Code::kConflict, "the plan of ", words, " is no longer stored; stop it and start another");
  if (is_planned(Plan(*plan).get(), run)) return base::Status::ok();  // whole, as it was found when the campaign started
  return refuse(Code::kConflict, run_words(run), " is not in the plan of ", words);
}

/// Held jobs of a campaign that no longer holds them; those of a paused instrument stay held, for that reason.
void release(const Question& question, uint64_t campaign, const char* code, const std::string& why, Proposal& proposal) {
  const uint64_t cause = proposal.last_seq();
  for (uint64_t id : waiting_campaign_jobs(question.rows, campaign)) {
    auto job = find_job(question.rows, id);
    if (!job || job->get().getState() != schema::RunState::HELD || job->get().getReason().getCode() != kPaused) continue;
    auto instrument = find_instrument(question.rows, view(job->get().getQueued().getRuns()[0].getInstrument()));
    if (instrument && instrument->get().getPaused()) {
      auto held = proposal.add(instrument->get().getPauseReason().getEvent()).initJobHeld();
      held.setJob(id);
      held.initReason().setCode(instrument->get().getPauseReason().getCode());
      held.getReason().setText(instrument->get().getPauseReason().getText());
      continue;
    }
    auto released = proposal.add(cause).initJobReleased();
    released.setJob(id);
    set_reason(released.initReason(), code, why);
  }
}

std::string outcome_words(schema::CampaignCounts::Reader counts) {
  std::string words;
  const auto add = [&](uint32_t count, std::string_view what) {
    if (count > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, what);
  };
  add(counts.getSucceeded(), "succeeded");
  add(counts.getFailed(), "failed");
  add(counts.getSkipped(), "skipped");
  add(counts.getCancelled(), "cancelled");
  add(counts.getPassed(), "passed");
  add(counts.getNotQueued(), "never queued");
  return words.empty() ? "it had no run" : words;
}

}  // namespace

bool is_paused(const Question& question, uint64_t campaign) {
  if (campaign == 0) return false;
  auto row = find_campaign(question.rows, campaign);
  return row && row->get().getState() == State::PAUSED;
}

void hold_for_campaign(const Question& question, schema::QueueRow::Reader held, Proposal& proposal) {
  if (held.getReason().getCode() == kPaused) return;
  auto row = find_campaign(question.rows, held.getCampaign());
  if (!row) return;
  auto again = proposal.add(row->get().getReason().getEvent()).initJobHeld();
  again.setJob(held.getJob());
  again.initReason().setCode(row->get().getReason().getCode());
  again.getReason().setText(row->get().getReason().getText());
}

base::Status check_campaign_takes(const Question& question, uint64_t id, schema::RunRow::Reader run) {
  auto campaign = known_campaign(question, id);
  if (!campaign.is_ok()) return campaign.status();
  if (campaign->get().getState() != State::RUNNING) {
    return refuse(Code::kConflict, now_words(campaign->get()), ", so nothing is queued for it");
  }
  LEDGER_CHECK(check_run_left(question, campaign->get(), run.getRun()));
  if (is_busy(run)) return refuse(Code::kConflict, busy_words(run), "; ", words_of(id), " passes a run that is busy when its turn comes");
  return base::Status::ok();
}

Decided decide_start_campaign(const Question& question, schema::CampaignStarted::Reader wanted) {
  if (wanted.getPurpose().size() == 0) return invalid("a campaign needs a purpose: say in a few words what it is for");
  LEDGER_CHECK(check_variables(wanted.getVariables()));
  auto plan = read_plan(question, wanted.getPlan(), "the campaign");
  if (!plan.is_ok()) return plan.status();
  auto instruments = check_plan(question, plan->get());
  if (!instruments.is_ok()) return instruments.status();
  for (const std::string& name : *instruments) {
    auto instrument = known_instrument(question, name);
    if (!instrument.is_ok()) return instrument.status();
    LEDGER_CHECK(check_interpreter_name(instrument->get().getConfig(), wanted.getInterpreter()));
  }
  Proposal proposal(question);
  auto body = proposal.add();
  body.setCampaignStarted(wanted);
  auto started = body.getCampaignStarted();
  started.setRuns(plan->get().getRuns().size());
  auto list = started.initInstruments(static_cast<uint32_t>(instruments->size()));
  for (uint32_t i = 0; i < instruments->size(); ++i) list.set(i, (*instruments)[i]);
  return proposal.take();
}

Decided decide_pause_campaign(const Question& question, schema::CampaignPaused::Reader wanted) {
  auto row = known_campaign(question, wanted.getCampaign());
  if (!row.is_ok()) return row.status();
  const uint64_t id = wanted.getCampaign();
  if (row->get().getState() != State::RUNNING) return refuse(Code::kConflict, now_words(row->get()), "; only a running one is paused");
  Proposal proposal(question);
  auto paused = proposal.add().initCampaignPaused();
  paused.setCampaign(id);
  const std::string why = reason_text(question, wanted.getReason(), "paused", words_of(id));
  set_reason(paused.initReason(), kPaused, why);
  const uint64_t cause = proposal.last_seq();
  for (uint64_t job : waiting_campaign_jobs(question.rows, id)) {
    auto waiting = find_job(question.rows, job);
    if (!waiting || waiting->get().getState() != schema::RunState::QUEUED) continue;  // held already, for its instrument
    auto held = proposal.add(cause).initJobHeld();
    held.setJob(job);
    set_reason(held.initReason(), kPaused, why);
  }
  return proposal.take();
}

Decided decide_resume_campaign(const Question& question, schema::CampaignResumed::Reader wanted) {
  auto row = known_campaign(question, wanted.getCampaign());
  if (!row.is_ok()) return row.status();
  const uint64_t id = wanted.getCampaign();
  if (row->get().getState() != State::PAUSED) return refuse(Code::kConflict, now_words(row->get()), "; only a paused one is resumed");
  Proposal proposal(question);
  auto resumed = proposal.add().initCampaignResumed();
  resumed.setCampaign(id);
  const std::string why = reason_text(question, wanted.getReason(), "resumed", words_of(id));
  set_reason(resumed.initReason(), kResumed, why);
  release(question, id, kResumed, why, proposal);
  return proposal.take();
}

Decided decide_stop_campaign(const Question& question, schema::CampaignStopped::Reader wanted) {
  auto row = known_campaign(question, wanted.getCampaign());
  if (!row.is_ok()) return row.status();
  const uint64_t id = wanted.getCampaign();
  const auto state = row->get().getState();
  const auto waiting = waiting_campaign_jobs(question.rows, id);
  const bool takes_back_kept = state == State::STOPPED && !wanted.getKeepQueued() && !waiting.empty();
  if (state == State::FINISHED || (state == State::STOPPED && !takes_back_kept)) {
    return refuse(Code::kConflict, now_words(row->get()), "; there is nothing to stop");
  }
  Proposal proposal(question);
  auto stopped = proposal.add().initCampaignStopped();
  stopped.setCampaign(id);
  stopped.setKeepQueued(wanted.getKeepQueued());
  const std::string why = reason_text(question, wanted.getReason(), "stopped", words_of(id));
  set_reason(stopped.initReason(), kStopped, why);
  if (wanted.getKeepQueued()) {
    release(question, id, kStopped, why + "; what was queued is kept", proposal);
    return proposal.take();
  }
  const uint64_t cause = proposal.last_seq();
  for (uint64_t job : waiting) {
    auto cancelled = proposal.add(cause).initJobCancelled();
    cancelled.setJob(job);
    set_reason(cancelled.initReason(), kStopped, why);
  }
  return proposal.take();
}

Decided decide_pass_campaign_run(const Question& question, schema::CampaignRunPassed::Reader wanted) {
  auto row = known_campaign(question, wanted.getCampaign());
  if (!row.is_ok()) return row.status();
  LEDGER_CHECK(check_run(wanted.getRun()));
  LEDGER_CHECK(check_reason(wanted.getReason(), run_words(wanted.getRun())));
  const auto state = row->get().getState();
  if (state != State::RUNNING && state != State::PAUSED) {
    return refuse(Code::kConflict, now_words(row->get()), "; no more of its runs are passed");
  }
  LEDGER_CHECK(check_run_left(question, row->get(), wanted.getRun()));
  Proposal proposal(question);
  proposal.add(question.command.getCause() == 0 ? wanted.getCampaign() : 0).setCampaignRunPassed(wanted);
  return proposal.take();
}

Decided decide_finish_campaign(const Question& question, schema::CampaignFinished::Reader wanted) {
  auto row = known_campaign(question, wanted.getCampaign());
  if (!row.is_ok()) return row.status();
  auto campaign = row->get();
  if (campaign.getState() == State::FINISHED) return refuse(Code::kConflict, now_words(campaign), " already");
  const auto counts = campaign.getCounts();
  const uint32_t open = counts.getWaiting() + counts.getRunning();
  if (open > 0) return refuse(Code::kConflict, now_words(campaign), fmt::format(" and has {} that wait or run", base::counted(open, "job")));
  if (counts.getNotQueued() > 0 && campaign.getState() != State::STOPPED) {
    return refuse(Code::kConflict, now_words(campaign),
                  fmt::format(" and has {} left that {} no job", base::counted(counts.getNotQueued(), "run"), counts.getNotQueued() == 1 ? "has" : "have"));
  }
  Proposal proposal(question);
  auto finished = proposal.add().initCampaignFinished();
  finished.setCampaign(wanted.getCampaign());
  set_reason(finished.initReason(), "campaign_finished",
             fmt::format("{} has ended: {}", words_of(wanted.getCampaign()), outcome_words(counts)));
  return proposal.take();
}

}  // namespace ledger
