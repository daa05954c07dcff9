// Attempts: one owner at a time (promise P5). The fence, the seq of attemptStarted, tells the owner from whoever was it before.
#include <fmt/format.h>

#include "base/counted.h"
#include "base/reduction_log.h"
#include "ledger/decide/question.h"
#include "ledger/views/outcome.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;
using Outcome = schema::AttemptRow::Outcome;

bool is_open(schema::AttemptRow::Reader attempt) {
  return attempt.getOutcome() == Outcome::RUNNING || attempt.getOutcome() == Outcome::PUBLISHING;
}

std::optional<schema::AttemptRow::Reader> open_attempt(schema::JobRow::Reader job) {
  for (auto attempt : job.getAttempts()) {
    if (is_open(attempt)) return attempt;
  }
  return std::nullopt;
}

std::optional<schema::AttemptRow::Reader> attempt_of_fence(schema::JobRow::Reader job, uint64_t fence) {
  for (auto attempt : job.getAttempts()) {
    if (attempt.getFence() == fence) return attempt;
  }
  return std::nullopt;
}

/// Why a result does not count; empty = its bearer owns the job.
std::string stale_words(schema::JobRow::Reader job, uint16_t number, uint64_t fence) {
  auto open = open_attempt(job);
  if (open && open->getFence() == fence && open->getNumber() == number) return {};
  std::string now = open ? fmt::format("attempt {} (fence {}) has the job now", open->getNumber(), open->getFence())
                         : fmt::format("the job is {}", state_words(job.getState()));
  return fmt::format("{}: a result of attempt {} (fence {}) came late, {}; it changes nothing", version_words(job), number, fence,
                     now);
}

Decided reject(const Question& question, schema::JobRow::Reader job, uint16_t number, uint64_t fence, capnp::Data::Reader log,
               const std::string& why) {
  LEDGER_CHECK(question.check_blob(log, version_words(job) + ": reduction log"));
  Proposal proposal(question);
  auto rejected = proposal.add().initResultRejected();
  rejected.setJob(job.getJob());
  rejected.setAttempt(number);
  rejected.setFence(fence);
  auto attempt = attempt_of_fence(job, fence);
  if (attempt) {
    rejected.setWorker(attempt->getWorker());
  } else {
    rejected.setWorker(question.context.actor.getName());
  }
  rejected.setLog(log);
  set_reason(rejected.initReason(), "stale_fence", why);
  return proposal.take();
}

std::string kind_code(schema::FailureKind kind) {
  static const char* const kCodes[] = {"unset",         "script_syntax", "script_exception", "script_exit",
                                       "script_signal", "contract",      "time_limit",       "memory_limit",
                                       "interpreter",   "input",         "output",           "worker"};
  auto index = static_cast<size_t>(kind);
  return index < std::size(kCodes) ? kCodes[index] : "unset";
}

/// The last of the job's attempts is its last try; those a worker handed back are none.
bool tries_used_up(schema::JobRow::Reader job) {
  uint16_t tries = 0;
  for (auto attempt : job.getAttempts()) tries += !attempt.getHandedBack();
  return tries >= kMaxAttempts;
}

/// Loses the open attempt; the job waits again, or has failed when it was the last try.
void lose(const Question& question, schema::JobRow::Reader job, schema::AttemptRow::Reader attempt, const std::string& code,
          const std::string& text, uint64_t cause, Proposal& proposal) {
  auto lost = proposal.add(cause == 0 ? attempt.getFence() : cause).initAttemptLost();
  lost.setJob(job.getJob());
  lost.setAttempt(attempt.getNumber());
  lost.setWorker(attempt.getWorker());
  set_reason(lost.initReason(), code, fmt::format("{}, attempt {}: {}", version_words(job), attempt.getNumber(), text));
  if (code == kHandedBack || !tries_used_up(job)) {
    hold_if_paused(question, job.getQueued(), job.getJob(), proposal);
    return;
  }
  auto failed = proposal.add(proposal.last_seq()).initJobFailed();
  failed.setJob(job.getJob());
  failed.setAttempt(attempt.getNumber());
  failed.setKind(schema::FailureKind::WORKER);
  set_reason(failed.initReason(), "attempts_used_up",
             fmt::format("{}: all {} attempts are used up, the last was lost ({}); see to the workers, then rerun it",
                         version_words(job), kMaxAttempts, text));
}

base::Status check_outputs(const Question& question, schema::OutputSummary::Reader outputs, const std::string& words) {
  if (outputs.getManifest().size() == 0) return base::Status::ok();
  LEDGER_CHECK(question.need_blob(outputs.getManifest(), words + ": output manifest"));
  auto manifest = Row<schema::OutputManifest>::parse(*question.blob(outputs.getManifest()), words + ": output manifest");
  if (!manifest.is_ok()) return invalid(manifest.status().message(), "; send it as an OutputManifest document");
  uint64_t bytes = 0;
  uint32_t files = 0;
  for (auto file : manifest->get().getFiles()) {
    std::string path = "/" + std::string(view(file.getPath()));
    LEDGER_CHECK(check_path(path, words + ": output file"));
    if (file.getSha256().size() != 32)
      return invalid(words, ": output file ", quoted(file.getPath()), " comes without its SHA-256");
    if (base::is_reduction_log(view(file.getPath()))) continue;
    files += 1;
    bytes += file.getSizeBytes();
  }
  if (files != outputs.getFiles() || bytes != outputs.getTotalBytes()) {
    return invalid(fmt::format("{}: the manifest lists {} files of {} bytes, the summary says {} of {}", words, files, bytes,
                               outputs.getFiles(), outputs.getTotalBytes()));
  }
  return base::Status::ok();
}

/// What an attempt left behind: outputs and printed text are stored, and what is said of them is true.
base::Status check_left_behind(const Question& question, schema::OutputSummary::Reader outputs, capnp::Data::Reader log,
                               const std::string& words) {
  LEDGER_CHECK(check_outputs(question, outputs, words));
  return question.check_blob(log, words + ": reduction log");
}

/// Decides on a result by `decide(job, its open attempt, its name)` when its bearer owns the job; else it goes on record as rejected.
template <typename Wanted, typename Decide>
Decided decide_result(const Question& question, Wanted wanted, Decide decide) {
  auto row = known_job(question, wanted.getJob());
  if (!row.is_ok()) return row.status();
  auto job = row->get();
  if (std::string why = stale_words(job, wanted.getAttempt(), wanted.getFence()); !why.empty()) {
    capnp::Data::Reader log;
    if constexpr (requires { wanted.getLog(); }) log = wanted.getLog();
    return reject(question, job, wanted.getAttempt(), wanted.getFence(), log, why);
  }
  return decide(job, *open_attempt(job), version_words(job));
}

/// What a result follows from when its bearer does not say: the start of its attempt.
uint64_t cause_of_result(const Question& question, uint64_t fence) { return question.command.getCause() == 0 ? fence : 0; }

std::string_view without_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

base::Status lose_running(const Question& question, schema::WorkerRow::Reader worker, const std::string& code,
                          const std::string& text, uint64_t cause, Proposal& proposal) {
  for (uint64_t id : worker.getJobs()) {
    auto row = find_job(question.rows, id);
    if (!row) continue;
    auto attempt = open_attempt(row->get());
    if (!attempt || attempt->getOutcome() != Outcome::RUNNING || attempt->getWorker() != worker.getWorker().getWorker()) continue;
    lose(question, row->get(), *attempt, code, text, cause, proposal);
  }
  return base::Status::ok();
}

Decided decide_start(const Question& question, schema::AttemptStarted::Reader wanted) {
  auto worker = known_worker(question, view(wanted.getWorker()));
  if (!worker.is_ok()) return worker.status();
  std::string name(view(wanted.getWorker()));
  if (worker->get().getLeft()) return refuse(Code::kConflict, "worker ", name, " has left; join again first");
  LEDGER_CHECK(question.need_blob(wanted.getEnvironment(), "worker " + name + ": environment"));
  if (wanted.getLeaseMs() < kMinLeaseMs || wanted.getLeaseMs() > kMaxLeaseMs) {
    return invalid(fmt::format("worker {}: a lease of {} ms is asked for; {} to {} are taken", name, wanted.getLeaseMs(), kMinLeaseMs,
                               kMaxLeaseMs));
  }
  uint64_t id = wanted.getJob() == 0 ? next_waiting_job(question.rows) : wanted.getJob();
  if (id == 0) return refuse(Code::kNotFound, "no job is waiting; ask again when one is queued");
  auto row = known_job(question, id);
  if (!row.is_ok()) return row.status();
  auto job = row->get();
  if (job.getState() != RunState::QUEUED) {
    return refuse(Code::kConflict,
                  fmt::format("{} (job {}) is {}, not queued; take another", version_words(job), id, state_words(job.getState())));
  }
  Proposal proposal(question);
  auto started = proposal.add(question.command.getCause() == 0 ? job.getQueueSeq() : 0);
  started.setAttemptStarted(wanted);
  started.getAttemptStarted().setJob(id);
  started.getAttemptStarted().setAttempt(static_cast<uint16_t>(job.getAttempts().size() + 1));
  if (wanted.getHost().size() == 0) started.getAttemptStarted().setHost(worker->get().getWorker().getHost());
  return proposal.take();
}

Decided decide_fail(const Question& question, schema::AttemptFailed::Reader wanted) {
  return decide_result(question, wanted, [&](schema::JobRow::Reader job, schema::AttemptRow::Reader open, const std::string& words) -> Decided {
    if (open.getOutcome() == Outcome::PUBLISHING && wanted.getKind() != schema::FailureKind::OUTPUT) {
      return refuse(Code::kConflict, words, " has succeeded and is being published; only its output can fail now");
    }
    if (wanted.getKind() == schema::FailureKind::UNSET) return invalid(words, ": the failure has no kind; say what failed");
    if (wanted.getMessage().size() == 0) return invalid(words, ": the failure has no message; say what failed");
    LEDGER_CHECK(question.check_blob(wanted.getTraceback(), words + ": traceback"));
    LEDGER_CHECK(check_left_behind(question, wanted.getOutputs(), wanted.getLog(), words));
    bool retry = wanted.getKind() == schema::FailureKind::WORKER && !tries_used_up(job);
    Proposal proposal(question);
    auto body = proposal.add(cause_of_result(question, wanted.getFence()));
    body.setAttemptFailed(wanted);
    body.getAttemptFailed().setWillRetry(retry);
    if (retry) {
      hold_if_paused(question, job.getQueued(), job.getJob(), proposal);
      return proposal.take();
    }
    auto failed = proposal.add(proposal.last_seq()).initJobFailed();
    failed.setJob(job.getJob());
    failed.setAttempt(wanted.getAttempt());
    failed.setKind(wanted.getKind());
    std::string text = fmt::format("{}: {}", words, quoted(view(wanted.getMessage()), kMaxTextBytes));
    if (const uint32_t files = wanted.getOutputs().getFiles(); files > 0) {
      text += fmt::format("; {} it had written {} kept", base::counted(files, "file"), files == 1 ? "is" : "are");
    }
    set_reason(failed.initReason(), kind_code(wanted.getKind()), text);
    return proposal.take();
  });
}

Decided decide_skip(const Question& question, schema::SkipAttempt::Reader wanted) {
  return decide_result(question, wanted, [&](schema::JobRow::Reader, schema::AttemptRow::Reader open, const std::string& words) -> Decided {
    if (open.getOutcome() == Outcome::PUBLISHING) {
      return refuse(Code::kConflict, words, " has succeeded and is being published; it cannot be skipped any more");
    }
    LEDGER_CHECK(check_reason(wanted.getReason(), words));
    LEDGER_CHECK(check_left_behind(question, {}, wanted.getLog(), words));
    Proposal proposal(question);
    auto skipped = proposal.add(cause_of_result(question, wanted.getFence())).initJobSkipped();
    skipped.setJob(wanted.getJob());
    skipped.setAttempt(wanted.getAttempt());
    skipped.setReason(wanted.getReason());
    skipped.setLog(wanted.getLog());
    return proposal.take();
  });
}

Decided decide_succeed(const Question& question, schema::AttemptSucceeded::Reader wanted) {
  return decide_result(question, wanted, [&](schema::JobRow::Reader job, schema::AttemptRow::Reader open, const std::string& words) -> Decided {
    auto outputs = wanted.getOutputs();
    if (open.getOutcome() == Outcome::PUBLISHING) {
      if (open.getOutputs().getManifest() == outputs.getManifest() && open.getStaging() == wanted.getStaging()) return nothing();
      return refuse(Code::kConflict, words, " has reported its output already; publish that");
    }
    if (outputs.getManifest().size() == 0)
      return invalid(words, ": the result comes without an output manifest; send one, even if it lists nothing");
    LEDGER_CHECK(check_left_behind(question, outputs, wanted.getLog(), words));
    LEDGER_CHECK(check_path(view(wanted.getStaging()), words + ": staging directory"));
    auto directory = job.getQueued().getOutputDirectory();
    if (outputs.getDirectory().size() > 0 && without_slashes(view(outputs.getDirectory())) != without_slashes(view(directory))) {
      return invalid(words, ": output belongs into ", quoted(directory), ", not ", quoted(outputs.getDirectory()));
    }
    Proposal proposal(question);
    auto body = proposal.add(cause_of_result(question, wanted.getFence()));
    body.setAttemptSucceeded(wanted);
    body.getAttemptSucceeded().getOutputs().setDirectory(directory);
    return proposal.take();
  });
}

Decided decide_publish(const Question& question, schema::PublishJob::Reader wanted) {
  auto row = known_job(question, wanted.getJob());
  if (!row.is_ok()) return row.status();
  auto attempt = attempt_of_fence(row->get(), wanted.getFence());
  if (attempt && attempt->getOutcome() == Outcome::SUCCEEDED) return nothing();
  return decide_result(question, wanted, [&](schema::JobRow::Reader, schema::AttemptRow::Reader open, const std::string& words) -> Decided {
    if (open.getOutcome() != Outcome::PUBLISHING) {
      return refuse(Code::kConflict, words, " has not reported its output yet; report success first");
    }
    Proposal proposal(question);
    auto succeeded = proposal.add(cause_of_result(question, wanted.getFence())).initJobSucceeded();
    succeeded.setJob(wanted.getJob());
    succeeded.setAttempt(wanted.getAttempt());
    return proposal.take();
  });
}

Decided decide_lose(const Question& question, schema::LoseAttempt::Reader wanted) {
  auto row = known_job(question, wanted.getJob());
  if (!row.is_ok()) return row.status();
  auto job = row->get();
  std::string words = version_words(job);
  if (std::string why = stale_words(job, wanted.getAttempt(), wanted.getFence()); !why.empty()) return refuse(Code::kConflict, why);
  if (open_attempt(job)->getOutcome() == Outcome::PUBLISHING) {
    return refuse(Code::kConflict, words, " has succeeded and its output is being put in place; publish it instead");
  }
  LEDGER_CHECK(check_reason(wanted.getReason(), words));
  Proposal proposal(question);
  lose(question, job, *open_attempt(job), std::string(view(wanted.getReason().getCode())),
       quoted(view(wanted.getReason().getText()), kMaxTextBytes), 0, proposal);
  return proposal.take();
}

}  // namespace ledger
