// Jobs: entering the queue, and leaving it at a person's wish.
#include <fmt/format.h>

#include <limits>

#include "base/text.h"
#include "ledger/decide/body_check.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;

constexpr std::string_view kVersionPlace = "{version}";

/// The job's inputs are the files its runs have now, in order.
base::Status check_inputs(const Question& question, schema::JobQueued::Reader wanted) {
  auto inputs = wanted.getInputs();
  uint32_t next = 0;
  for (auto key : wanted.getRuns()) {
    auto row = known_run(question, key);
    if (!row.is_ok()) return row.status();
    auto run = row->get();
    if (run.getState() == RunState::REFUSED) {
      return refuse(Code::kConflict, run_words(key), " has no file that can be reduced: ", quoted(run.getReason().getText()));
    }
    for (auto file : run.getRawFiles()) {
      if (next < inputs.size() && inputs[next].getSha256() == file.getSha256() && inputs[next].getPath() == file.getPath()) {
        ++next;
        continue;
      }
      return refuse(Code::kConflict, run_words(key), ": the inputs given are not the files on record now (", quoted(file.getPath()),
                    ", sha256 ", base::hex(view(file.getSha256()).substr(0, 6)), "); read the run again and queue that");
    }
  }
  if (next != inputs.size()) return invalid(fmt::format("{} inputs are given, but the runs have {}", inputs.size(), next));
  return base::Status::ok();
}

base::Status check_cause(const Question& question, schema::RunRow::Reader run) {
  uint64_t cause = question.command.getCause();
  if (uint64_t job = cause == 0 ? 0 : job_for_cause(question.rows, cause)) {
    auto row = find_job(question.rows, job);
    return refuse(Code::kConflict, fmt::format("event {} was already queued as {} (job {}); one job answers it", cause,
                                               row ? version_words(row->get()) : run_words(run.getRun()), job));
  }
  if (cause != 0 && (cause == run.getRevisedSeq() || cause == run.getPendingRequest())) return base::Status::ok();
  return refuse(Code::kConflict,
                fmt::format("{}: event {} is not what the run waits to be reduced for (its file: event {}, a request: {})",
                            run_words(run.getRun()), cause, run.getRevisedSeq(),
                            run.getPendingRequest() == 0 ? "none" : fmt::format("event {}", run.getPendingRequest())));
}

/// Everything the script will see is stored before it starts (promise P6).
base::Status check_content(const Question& question, schema::JobQueued::Reader wanted, const std::string& words) {
  if (wanted.getContract() == schema::Contract::UNSET) return invalid(words, ": no script contract is given; use isis or sns");
  LEDGER_CHECK(check_path(view(wanted.getScriptPath()), words + ": script"));
  LEDGER_CHECK(question.need_blob(wanted.getScriptSha256(), words + ": script " + quoted(wanted.getScriptPath())));
  LEDGER_CHECK(check_script_files(question, wanted.getSiblings()));
  if (wanted.getVariables().size() > 0) {
    LEDGER_CHECK(question.need_blob(wanted.getVariables(), words + ": variables"));
    auto set = Row<schema::VariableSet>::parse(*question.blob(wanted.getVariables()), words + ": variables");
    if (!set.is_ok()) return invalid(set.status().message(), "; send them as a VariableSet document");
    LEDGER_CHECK(check_body(set->get(), words + ": variables", kMaxVariableBytes));
  }
  if (wanted.getInterpreter().size() == 0) return invalid(words, ": no interpreter is given; set `python` in site.toml");
  LEDGER_CHECK(check_path(view(wanted.getOutputDirectory()), words + ": output directory"));
  return check_reason(wanted.getReason(), words);
}

std::string with_version(std::string_view directory, uint16_t version) {
  std::string result(directory);
  std::string number = std::to_string(version);
  for (size_t at = result.find(kVersionPlace); at != std::string::npos; at = result.find(kVersionPlace, at + number.size())) {
    result.replace(at, kVersionPlace.size(), number);
  }
  return result;
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

}  // namespace

void hold_if_paused(const Question& question, schema::RunKey::Reader run, uint64_t job, Proposal& proposal) {
  auto instrument = find_instrument(question.rows, view(run.getInstrument()));
  if (!instrument || !instrument->get().getPaused()) return;
  auto reason = instrument->get().getPauseReason();
  auto held = proposal.add(reason.getEvent()).initJobHeld();
  held.setJob(job);
  held.initReason().setCode(reason.getCode());
  held.getReason().setText(reason.getText());
}

Decided decide_queue(const Question& question, schema::JobQueued::Reader wanted) {
  auto runs = wanted.getRuns();
  if (runs.size() == 0 || runs.size() > kMaxRunsPerJob) {
    return invalid(fmt::format("a job of {} runs is asked for; 1 to {} are taken", runs.size(), kMaxRunsPerJob));
  }
  for (auto run : runs) {
    if (run.getInstrument() != runs[0].getInstrument())
      return invalid(run_words(run), " and ", run_words(runs[0]), " are of two instruments; make two jobs");
  }
  auto row = known_run(question, runs[0]);
  if (!row.is_ok()) return row.status();
  auto run = row->get();
  std::string words = run_words(runs[0]);
  LEDGER_CHECK(check_cause(question, run));
  LEDGER_CHECK(check_inputs(question, wanted));
  LEDGER_CHECK(check_content(question, wanted, words));
  if (run.getVersion() == std::numeric_limits<uint16_t>::max())
    return refuse(Code::kConflict, words, " has as many versions as there can be");
  uint16_t version = static_cast<uint16_t>(run.getVersion() + 1);
  std::string directory = with_version(view(wanted.getOutputDirectory()), version);
  if (view(wanted.getOutputDirectory()) == directory) LEDGER_CHECK(check_directory(question, run, directory));

  Proposal proposal(question);
  auto body = proposal.add(question.command.getCause());
  body.setJobQueued(wanted);
  body.getJobQueued().setVersion(version);
  body.getJobQueued().setOutputDirectory(directory);
  hold_if_paused(question, runs[0], proposal.last_seq(), proposal);
  return proposal.take();
}

Decided decide_cancel(const Question& question, schema::JobCancelled::Reader wanted) {
  auto row = known_job(question, wanted.getJob());
  if (!row.is_ok()) return row.status();
  auto job = row->get();
  auto state = job.getState();
  if (state != RunState::QUEUED && state != RunState::HELD && state != RunState::RUNNING) {
    return refuse(Code::kConflict, fmt::format("{} (job {}) is {} already; there is nothing to cancel", version_words(job),
                                               job.getJob(), state_words(state)));
  }
  for (auto attempt : job.getAttempts()) {
    if (attempt.getOutcome() != schema::AttemptRow::Outcome::PUBLISHING) continue;
    return refuse(Code::kConflict,
                  fmt::format("{} (job {}) has succeeded and its output is being put in place; it can no longer be cancelled",
                              version_words(job), job.getJob()));
  }
  Proposal proposal(question);
  auto cancelled = proposal.add().initJobCancelled();
  cancelled.setJob(wanted.getJob());
  std::string text = fmt::format("{} cancelled {}", question.actor_words(), version_words(job));
  if (wanted.getReason().getText().size() > 0) text += ": " + quoted(view(wanted.getReason().getText()), kMaxTextBytes);
  set_reason(cancelled.initReason(), "cancelled", text);
  return proposal.take();
}

}  // namespace ledger
