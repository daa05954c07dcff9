// Jobs of stages: they take results, or the raw files of runs somebody named.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "ledger/decide/body_check.h"
#include "ledger/decide/question.h"
#include "ledger/stage_inputs.h"
#include "ledger/views/stages.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;
using Over = schema::StageRule::Over;

/// A stage's job that is asked for, with what it is decided by.
struct Asked {
  const Question& question;
  schema::JobQueued::Reader wanted;
  schema::StageRule::Reader rule;
  std::string words;
  std::string group;

  std::string_view instrument() const { return view(rule.getInstrument()); }
  uint64_t cause() const { return question.command.getCause(); }
};

base::Status check_runs(const Asked& asked) {
  const auto runs = asked.wanted.getRuns();
  if (asked.rule.getOver() == Over::RUN && runs.size() != 1) return invalid(asked.words, ": it is over a run, and takes one");
  if (asked.rule.getOver() == Over::RUNS && runs.size() < 2) return invalid(asked.words, ": it is over several runs, and takes two or more");
  for (uint32_t i = 1; i < runs.size(); ++i) {
    if (runs[i - 1].getRunNumber() < runs[i].getRunNumber()) continue;
    return invalid(asked.words, ": ", run_words(runs[i]), " stands after ", run_words(runs[i - 1]), "; give them in ascending order, each once");
  }
  for (auto key : runs) {
    auto run = known_run(asked.question, key);
    if (!run.is_ok()) return run.status();
    LEDGER_CHECK(check_not_refused(run->get()));
    if (view(run->get().getExperiment()) == view(asked.wanted.getExperiment())) continue;
    return refuse(Code::kConflict, asked.words, ": ", run_words(key), " is not of experiment ", quoted(asked.wanted.getExperiment()));
  }
  if (asked.rule.getOver() == Over::EXPERIMENT && asked.wanted.getExperiment().size() == 0) {
    return invalid(asked.words, ": it is over an experiment, and these runs have none that is known");
  }
  return base::Status::ok();
}

/// The results it takes: the run and the stage of each, in the order of the document.
std::vector<std::pair<uint64_t, std::string>> expected_sources(const Asked& asked) {
  std::vector<std::string> after;
  for (auto stage : asked.rule.getAfter()) after.emplace_back(view(stage));
  std::sort(after.begin(), after.end());
  std::vector<std::pair<uint64_t, std::string>> expected;
  bool first = true;
  for (auto run : asked.wanted.getRuns()) {
    for (const std::string& stage : after) {
      if (first || is_per_run(asked.question.rows, asked.instrument(), stage)) expected.emplace_back(run.getRunNumber(), stage);
    }
    first = false;
  }
  return expected;
}

bool has_run(schema::JobQueued::Reader job, uint64_t run_number) {
  for (auto run : job.getRuns()) {
    if (run.getRunNumber() == run_number) return true;
  }
  return false;
}

/// The job of a source made what the source says, for the runs that are taken. Answers the event by which it succeeded.
base::Result<uint64_t> check_source(const Asked& asked, schema::JobSource::Reader source) {
  auto row = known_job(asked.question, source.getJob());
  if (!row.is_ok()) return row.status();
  const auto job = row->get();
  const auto queued = job.getQueued();
  const std::string words = asked.words + ": source " + version_words(job);
  if (job.getState() != RunState::SUCCEEDED || job.getAttempts().size() == 0) {
    return refuse(Code::kConflict, fmt::format("{} (job {}) is {}, not succeeded", words, job.getJob(), state_words(job.getState())));
  }
  const std::string_view stage = view(source.getStage());
  const bool reduction = stage == kReductionStage;
  const auto kind = reduction ? schema::JobKind::REDUCTION : schema::JobKind::STAGE;
  bool fits = queued.getKind() == kind && (reduction || view(queued.getStage()) == stage) && queued.getVersion() == source.getVersion() &&
              view(queued.getRuns()[0].getInstrument()) == asked.instrument();
  if (is_per_run(asked.question.rows, asked.instrument(), stage)) {
    fits = fits && has_run(queued, source.getRun().getRunNumber());
  } else {
    fits = fits && stage_group(asked.rule.getOver(), run_numbers(queued.getRuns()), view(queued.getExperiment())) == asked.group;
  }
  if (!fits) {
    return invalid(fmt::format("{} (job {}) is not v{} of {} for {}", words, job.getJob(), source.getVersion(), quoted(stage),
                               run_words(source.getRun())));
  }
  const auto outputs = job.getAttempts()[job.getAttempts().size() - 1].getOutputs();
  if (outputs.getManifest() != source.getManifest() || outputs.getDirectory() != source.getDirectory()) {
    return invalid(words, " has another output manifest or directory than the one given");
  }
  return job.getReason().getEvent();
}

/// The results are there, and one of them is what the job is queued for.
base::Status check_sources(const Asked& asked, bool is_request) {
  LEDGER_CHECK(asked.question.need_blob(asked.wanted.getSources(), asked.words + ": sources"));
  auto document = Row<schema::JobSources>::parse(*asked.question.blob(asked.wanted.getSources()), asked.words + ": sources");
  if (!document.is_ok()) return invalid(document.status().message(), "; send them as a JobSources document");
  const auto sources = document->get().getSources();
  const auto expected = expected_sources(asked);
  bool caused = is_request;
  for (uint32_t i = 0; i < std::max<size_t>(sources.size(), expected.size()); ++i) {
    if (i >= expected.size() || i >= sources.size() || sources[i].getRun().getRunNumber() != expected[i].first ||
        view(sources[i].getStage()) != expected[i].second || view(sources[i].getRun().getInstrument()) != asked.instrument()) {
      const bool more = i >= expected.size();
      return invalid(asked.words, fmt::format(": source {} is to be {}; give one for each run and each stage it comes after, by run, then stage", i + 1,
                                              more ? "none" : fmt::format("{} of {} {}", expected[i].second, asked.instrument(), expected[i].first)));
    }
    auto succeeded = check_source(asked, sources[i]);
    if (!succeeded.is_ok()) return succeeded.status();
    caused = caused || *succeeded == asked.cause();
  }
  if (caused && asked.cause() != 0) return base::Status::ok();
  return refuse(Code::kConflict, fmt::format("{}: event {} is not the success of one of its sources", asked.words, asked.cause()));
}

bool same_inputs(schema::JobQueued::Reader left, schema::JobQueued::Reader right) {
  if (left.getSources() != right.getSources() || left.getInputs().size() != right.getInputs().size()) return false;
  for (uint32_t i = 0; i < left.getInputs().size(); ++i) {
    if (left.getInputs()[i].getSha256() != right.getInputs()[i].getSha256() || left.getInputs()[i].getPath() != right.getInputs()[i].getPath()) return false;
  }
  return true;
}

/// No result appears where another one did (promise P7).
base::Status check_directory(const Asked& asked, std::string_view directory) {
  const uint64_t other = stage_job_in(asked.question.rows, directory);
  if (other == 0) return base::Status::ok();
  auto job = find_job(asked.question.rows, other);
  return invalid(asked.words, ": output directory ", quoted(directory), " belongs to ",
                 job ? version_words(job->get()) : fmt::format("job {}", other), "; give each result its own with {run} or {experiment}, and {version}");
}

}  // namespace

Decided queue_stage(const Question& question, schema::JobQueued::Reader wanted) {
  const std::string_view instrument = view(wanted.getRuns()[0].getInstrument()), stage = view(wanted.getStage());
  auto rule_row = known_stage(question, instrument, stage);
  if (!rule_row.is_ok()) return rule_row.status();
  const auto rule = rule_row->get().getRule();
  const Asked asked{question, wanted, rule, fmt::format("{} {}", runs_words(wanted.getRuns()), stage),
                    stage_group(rule.getOver(), run_numbers(wanted.getRuns()), view(wanted.getExperiment()))};
  if (wanted.getCampaign() != 0) return invalid(asked.words, ": a campaign makes versions of runs, stages follow by themselves");
  LEDGER_CHECK(check_runs(asked));

  auto result_row = find_stage_result(question.rows, instrument, stage, asked.group);
  const auto result = result_row ? result_row->get() : schema::StageResultRow::Reader();
  const bool is_request = result.getPendingRequest() != 0 && result.getPendingRequest() == asked.cause();
  if (result.getPendingRequest() != 0 && !is_request) {
    return refuse(Code::kConflict, fmt::format("{}: event {} asks for it, so the job answers that", asked.words, result.getPendingRequest()));
  }
  if (rule.getOver() == Over::RUNS && !result_row) return refuse(Code::kConflict, asked.words, ": nobody asked for these runs together");
  if (rule.getAfter().size() > 0) {
    if (wanted.getInputs().size() > 0) return invalid(asked.words, ": it takes results, and no raw files");
    LEDGER_CHECK(check_sources(asked, is_request));
  } else {
    if (wanted.getSources().size() > 0) return invalid(asked.words, ": it takes raw files, and no results");
    if (!is_request) return refuse(Code::kConflict, fmt::format("{}: event {} does not ask for it", asked.words, asked.cause()));
    LEDGER_CHECK(check_inputs(question, wanted));
  }
  LEDGER_CHECK(check_content(question, wanted, asked.words));

  // The newest job for it: one that waits is overtaken by this one, one of the same inputs is enough.
  auto last = result.getJob() != 0 ? find_job(question.rows, result.getJob()) : std::nullopt;
  if (last && !is_request && same_inputs(last->get().getQueued(), wanted) && last->get().getState() != RunState::CANCELLED) return nothing();
  if (result.getJobs().size() == std::numeric_limits<uint16_t>::max())
    return refuse(Code::kConflict, asked.words, " has as many versions as there can be");
  const auto version = static_cast<uint16_t>(result.getJobs().size() + 1);
  std::string directory = with_place(std::string(view(wanted.getOutputDirectory())), "{version}", std::to_string(version));
  directory = with_place(std::move(directory), "{stage}", stage);
  LEDGER_CHECK(check_directory(asked, directory));

  Proposal proposal(question);
  if (last && (last->get().getState() == RunState::QUEUED || last->get().getState() == RunState::HELD)) {
    auto cancelled = proposal.add(asked.cause()).initJobCancelled();
    cancelled.setJob(result.getJob());
    set_reason(cancelled.initReason(), "superseded_in_queue",
               fmt::format("{} still waited when there was more for it to take; v{} takes that", version_words(last->get()), version));
  }
  auto body = proposal.add(asked.cause());
  body.setJobQueued(wanted);
  body.getJobQueued().setVersion(version);
  body.getJobQueued().setOutputDirectory(directory);
  hold_if_paused(question, wanted, proposal.last_seq(), proposal);
  return proposal.take();
}

}  // namespace ledger
