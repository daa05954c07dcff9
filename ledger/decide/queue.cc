// Jobs entering the queue: versions of runs, and trials. Those of stages: stage_job.cc.
#include <fmt/format.h>

#include <limits>

#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;

constexpr std::string_view kVersionPlace = "{version}", kJobPlace = "{job}";

/// One job answers an event; which one did.
base::Status check_not_answered(const Question& question, const std::string& words) {
  const uint64_t cause = question.command.getCause();
  const uint64_t job = cause == 0 ? 0 : job_for_cause(question.rows, cause);
  if (job == 0) return base::Status::ok();
  auto row = find_job(question.rows, job);
  return refuse(Code::kConflict, fmt::format("event {} was already queued as {} (job {}); one job answers it", cause,
                                             row ? version_words(row->get()) : words, job));
}

base::Status check_cause(const Question& question, schema::RunRow::Reader run) {
  LEDGER_CHECK(check_not_answered(question, run_words(run.getRun())));
  const uint64_t cause = question.command.getCause();
  if (cause != 0 && (cause == run.getRevisedSeq() || cause == run.getPendingRequest())) return base::Status::ok();
  return refuse(Code::kConflict,
                fmt::format("{}: event {} is not what the run waits to be reduced for (its file: event {}, a request: {})",
                            run_words(run.getRun()), cause, run.getRevisedSeq(),
                            run.getPendingRequest() == 0 ? "none" : fmt::format("event {}", run.getPendingRequest())));
}

/// A job of a campaign answers the campaign's event, as all of them do.
base::Status check_campaign(const Question& question, uint64_t campaign, schema::RunRow::Reader run) {
  if (question.command.getCause() != campaign) {
    return refuse(Code::kConflict, fmt::format("{}: event {} is not the start of campaign {}, which this job would belong to",
                                               run_words(run.getRun()), question.command.getCause(), campaign));
  }
  return check_campaign_takes(question, campaign, run);
}

/// No version writes where another one did (promise P7).
base::Status check_directory(const Question& question, schema::RunRow::Reader run, std::string_view directory) {
  for (uint64_t id : run.getJobs()) {
    auto job = find_job(question.rows, id);
    if (!job || view(job->get().getQueued().getOutputDirectory()) != directory) continue;
    return invalid(version_words(job->get()), " has output directory ", quoted(directory),
                   " already; give each version its own with {version}");
  }
  return base::Status::ok();
}

base::Status check_takes_raw_files(schema::JobQueued::Reader wanted, const std::string& words) {
  if (wanted.getStage().size() == 0 && wanted.getSources().size() == 0) return base::Status::ok();
  return invalid(words, ": only a stage's job names a stage and the results it takes");
}

Decided queue_version(const Question& question, schema::JobQueued::Reader wanted, schema::RunRow::Reader run) {
  const std::string words = run_words(run.getRun());
  LEDGER_CHECK(check_takes_raw_files(wanted, words));
  LEDGER_CHECK(wanted.getCampaign() != 0 ? check_campaign(question, wanted.getCampaign(), run) : check_cause(question, run));
  LEDGER_CHECK(check_inputs(question, wanted));
  LEDGER_CHECK(check_content(question, wanted, words));
  // A number that was taken back is not used again, so the jobs are counted.
  if (run.getJobs().size() == std::numeric_limits<uint16_t>::max())
    return refuse(Code::kConflict, words, " has as many versions as there can be");
  const auto version = static_cast<uint16_t>(run.getJobs().size() + 1);
  const std::string directory = with_place(std::string(view(wanted.getOutputDirectory())), kVersionPlace, std::to_string(version));
  if (view(wanted.getOutputDirectory()) == directory) LEDGER_CHECK(check_directory(question, run, directory));

  Proposal proposal(question);
  auto body = proposal.add(question.command.getCause());
  body.setJobQueued(wanted);
  body.getJobQueued().setVersion(version);
  body.getJobQueued().setOutputDirectory(directory);
  hold_if_paused(question, wanted, proposal.last_seq(), proposal);
  return proposal.take();
}

Decided queue_trial(const Question& question, schema::JobQueued::Reader wanted, schema::RunRow::Reader run) {
  const std::string words = "a trial on " + run_words(run.getRun());
  const uint64_t cause = question.command.getCause();
  if (wanted.getRuns().size() != 1) return invalid(words, ": a trial takes one run");
  if (wanted.getCampaign() != 0) return invalid(words, ": a campaign makes versions of runs, no trials");
  LEDGER_CHECK(check_takes_raw_files(wanted, words));
  LEDGER_CHECK(check_not_answered(question, words));
  if (cause == 0 || !is_pending_trial(question.rows, cause, run.getRun())) {
    return refuse(Code::kConflict, fmt::format("{}: event {} asks for no trial on it", words, cause));
  }
  LEDGER_CHECK(check_inputs(question, wanted));
  LEDGER_CHECK(check_content(question, wanted, words));
  if (view(wanted.getOutputDirectory()).find(kJobPlace) == std::string_view::npos) {
    return invalid(words, ": output directory ", quoted(wanted.getOutputDirectory()), " has no {job}; without it one trial would overwrite another");
  }
  Proposal proposal(question);
  auto body = proposal.add(cause);
  body.setJobQueued(wanted);
  body.getJobQueued().setVersion(0);
  body.getJobQueued().setOutputDirectory(
      with_place(std::string(view(wanted.getOutputDirectory())), kJobPlace, std::to_string(proposal.last_seq())));
  hold_if_paused(question, wanted, proposal.last_seq(), proposal);
  return proposal.take();
}

}  // namespace

Decided decide_queue(const Question& question, schema::JobQueued::Reader wanted) {
  const auto runs = wanted.getRuns();
  const bool stage = wanted.getKind() == schema::JobKind::STAGE;
  const size_t most = stage ? kMaxRunsPerStage : kMaxRunsPerJob;
  if (runs.size() == 0 || runs.size() > most) {
    return invalid(fmt::format("a job of {} runs is asked for; 1 to {} are taken", runs.size(), most));
  }
  for (auto run : runs) {
    if (run.getInstrument() != runs[0].getInstrument())
      return invalid(run_words(run), " and ", run_words(runs[0]), " are of two instruments; make two jobs");
  }
  auto row = known_run(question, runs[0]);
  if (!row.is_ok()) return row.status();
  switch (wanted.getKind()) {
    case schema::JobKind::REDUCTION: return queue_version(question, wanted, row->get());
    case schema::JobKind::STAGE: return queue_stage(question, wanted);
    case schema::JobKind::TRIAL: return queue_trial(question, wanted, row->get());
  }
  return invalid(run_words(runs[0]), ": this kind of job is not known");
}

}  // namespace ledger
