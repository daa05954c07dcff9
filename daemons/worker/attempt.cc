#include "daemons/worker/attempt.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/text.h"
#include "daemons/worker/blobs.h"
#include "daemons/worker/environments.h"
#include "daemons/worker/run_result.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;
using schema::FailureKind;

/// Everything that blocks and must be done before the script may start.
std::optional<AttemptVerdict> prepare_files(const AttemptPlan& plan, const JobFolders& folders, const CapturedFiles& files) {
  Status written = write_job_files(folders, plan, files);
  if (!written.is_ok()) return AttemptVerdict::failed(FailureKind::WORKER, written.message());
  if (std::string problem = input_problem(plan.inputs); !problem.empty()) return AttemptVerdict::failed(FailureKind::INPUT, problem);
  for (const std::string& lost : plan.lost_stagings) remove_folder(lost).ignore();
  if (folder_state(plan.output_directory) != FolderState::kMissing) {
    return AttemptVerdict::failed(FailureKind::OUTPUT, base::to_utf8(plan.output_directory) +
                                                    ": already exists, and output is never overwritten; the script was not run");
  }
  Status made = make_staging(plan.staging());
  if (!made.is_ok()) return AttemptVerdict::failed(FailureKind::OUTPUT, made.message());
  // Last: reading the inputs may have taken a while.
  if (std::string problem = script_problem(folders, plan); !problem.empty()) return AttemptVerdict::failed(FailureKind::WORKER, problem);
  return std::nullopt;
}

struct Kept {
  std::string directory;  // empty = nothing was written
  OutputListing listing;
  std::string problem;
};

/// Moves aside what an attempt without success wrote, and lists it.
Kept keep_outputs(const AttemptPlan& plan, std::string_view what, const StopFlag& stop) {
  Kept kept;
  auto moved = keep_folder(plan.staging(), fmt::format("{}.{}-attempt-{}", plan.output_directory, what, plan.attempt), plan.fence);
  if (!moved.is_ok()) {
    kept.problem = moved.status().message();
    return kept;
  }
  kept.directory = *moved;
  if (kept.directory.empty()) return kept;
  auto listing = list_output(kept.directory, false, stop);
  if (listing.is_ok()) {
    kept.listing = std::move(*listing);
  } else {
    kept.problem = listing.status().message();
  }
  return kept;
}

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (size_t i = 0; i < sentences.size() && i < 10; ++i) text += (i == 0 ? "" : "; ") + sentences[i];
  if (sentences.size() > 10) text += fmt::format("; and {} more", sentences.size() - 10);
  return text;
}

/// Endings that the script's own output says nothing of.
bool is_told_by_us(const AttemptVerdict& verdict) {
  return verdict.outcome == AttemptVerdict::Outcome::kFailed && verdict.traceback.empty() && verdict.kind != FailureKind::CONTRACT;
}

}  // namespace

Attempt::Attempt(AttemptContext& context, AttemptPlan plan)
    : context_(context), plan_(std::move(plan)), folders_(fmt::format("{}/{}-{}", context.scratch, plan_.job, plan_.attempt)) {}

Attempt::~Attempt() { *abandoned_ = true; }

kj::Promise<void> Attempt::run() {
  return fetch()
      .then([this](Early early) -> kj::Promise<Early> { return early ? kj::Promise<Early>(kj::mv(early)) : prepare(); })
      .then([this](Early early) -> kj::Promise<AttemptVerdict> {
        if (early) return kj::mv(*early);
        if (*abandoned_) return AttemptVerdict();
        return execute();
      })
      .then([this](AttemptVerdict verdict) { return *abandoned_ ? discard(plan_.staging()) : finish(kj::mv(verdict)); })
      .then([this] { return lost_ ? hand_in_log() : kj::Promise<void>(kj::READY_NOW); })
      .then([this] { return clean_up(); });
}

void Attempt::abandon() {
  *abandoned_ = true;
  KJ_IF_MAYBE (child, child_) (*child)->kill_tree();
}

void Attempt::lose() {
  lost_ = true;
  abandon();
}

// ---- before ----

template <typename Take>
kj::Promise<Attempt::Early> Attempt::take_blob(const std::string& sha256, std::string subject, Take take) {
  return fetch_blob(context_.runs, sha256, std::move(subject)).then([take](Result<std::string> blob) mutable -> Early {
    if (!blob.is_ok()) return AttemptVerdict::failed(FailureKind::WORKER, blob.status().message());
    take(std::move(*blob));
    return std::nullopt;
  });
}

kj::Promise<Attempt::Early> Attempt::fetch() {
  captured_.siblings.resize(plan_.siblings.size());
  return take_blob(plan_.script_sha256, plan_.script_path, [this](std::string text) { captured_.script = std::move(text); })
      .then([this](Early early) -> kj::Promise<Early> { return early ? kj::Promise<Early>(kj::mv(early)) : fetch_sibling(0); });
}

kj::Promise<Attempt::Early> Attempt::fetch_sibling(size_t index) {
  if (index == plan_.siblings.size()) return fetch_variables();
  const auto& sibling = plan_.siblings[index];
  return take_blob(sibling.sha256, sibling.name, [this, index](std::string text) { captured_.siblings[index] = std::move(text); })
      .then([this, index](Early early) -> kj::Promise<Early> {
        return early ? kj::Promise<Early>(kj::mv(early)) : fetch_sibling(index + 1);
      });
}

kj::Promise<Attempt::Early> Attempt::fetch_variables() {
  if (plan_.variables_sha256.empty()) return Early();
  return take_blob(plan_.variables_sha256, "variables of " + plan_.name(),
                   [this](std::string document) { captured_.variables = std::move(document); });
}

kj::Promise<Attempt::Early> Attempt::prepare() {
  return context_.loop.on_pool(
      [plan = plan_, folders = folders_, files = std::move(captured_)] { return prepare_files(plan, folders, files); });
}

// ---- the script ----

kj::Promise<AttemptVerdict> Attempt::execute() {
  return context_.environments.is_current(plan_.interpreter).then([this](bool current) -> kj::Promise<AttemptVerdict> {
    if (*abandoned_) return AttemptVerdict();
    if (current) return run_script();
    return AttemptVerdict::failed(FailureKind::WORKER, fmt::format("{} has changed since its version was recorded for this attempt; the next "
                                                                   "attempt records it anew", plan_.interpreter));
  });
}

kj::Promise<AttemptVerdict> Attempt::run_script() {
  SupervisedProgram program;
  program.supervisor = context_.supervisor;
  program.program = plan_.interpreter;
  program.arguments = {context_.run_script, folders_.job_file()};
  program.environment = script_variables(plan_.interpreter, folders_.root);
  program.working_directory = folders_.work();
  program.memory_limit_bytes = plan_.memory_limit_bytes;
  auto started = Supervised::start(context_.launcher, context_.loop.timer(), program, log_);
  if (!started.is_ok()) return AttemptVerdict::failed(FailureKind::WORKER, started.status().message());
  child_ = kj::mv(*started);
  return await_end().then([this](SupervisedEnd end) { return judge_end(end); });
}

kj::Promise<SupervisedEnd> Attempt::await_end() {
  Supervised& child = *KJ_ASSERT_NONNULL(child_);
  if (plan_.time_limit_ms == 0) return child.end();
  auto too_late = context_.loop.timer().afterDelay(plan_.time_limit_ms * kj::MILLISECONDS).then([this, &child] {
    timed_out_ = true;
    child.kill_tree();
    return child.end();
  });
  return child.end().exclusiveJoin(kj::mv(too_late));
}

kj::Promise<AttemptVerdict> Attempt::judge_end(SupervisedEnd end) {
  return context_.loop.on_pool([path = folders_.result_file()] { return read_small_file(path, kResultFileBytes); })
      .then([this, end](std::optional<std::string> result) {
        AttemptVerdict verdict = judge(plan_, end, timed_out_, result, log_);
        if (end.left_behind > 0 && !timed_out_) {
          log_.note(end.left_behind == 1 ? "a process the script left behind was ended"
                                         : fmt::format("{} processes the script left behind were ended", end.left_behind));
        }
        if (is_told_by_us(verdict)) log_.note(verdict.message);
        return verdict;
      });
}

// ---- after ----

kj::Promise<void> Attempt::finish(AttemptVerdict verdict) {
  spdlog::info("{}: {}{}{}", plan_.name(),
               verdict.outcome == AttemptVerdict::Outcome::kSucceeded ? "the script succeeded"
               : verdict.outcome == AttemptVerdict::Outcome::kSkipped ? "the script skipped the run"
                                                               : "failed",
               verdict.message.empty() ? "" : ": ", base::printable(base::to_utf8(verdict.message, 300)));
  switch (verdict.outcome) {
    case AttemptVerdict::Outcome::kSucceeded:
      return succeed(kj::mv(verdict));
    case AttemptVerdict::Outcome::kSkipped:
      return skip(kj::mv(verdict));
    default:
      return fail(kj::mv(verdict));
  }
}

kj::Promise<void> Attempt::succeed(AttemptVerdict verdict) {
  return context_.loop.on_pool([staging = plan_.staging(), stop = abandoned_] { return list_output(staging, true, stop); })
      .then([this, verdict = kj::mv(verdict)](Result<OutputListing> listing) mutable -> kj::Promise<void> {
        if (*abandoned_) return discard(plan_.staging());
        if (!listing.is_ok()) {
          AttemptVerdict failed = AttemptVerdict::failed(FailureKind::OUTPUT,
                                           "the script succeeded, but its output cannot be kept: " + listing.status().message());
          failed.wait_status = verdict.wait_status;
          return fail(kj::mv(failed));
        }
        std::string message = verdict.message;
        if (!listing->problems.empty()) message += (message.empty() ? "" : "; ") + joined(listing->problems);
        return context_.reporter.succeeded(plan_, ReportedOutputs::of(*listing, plan_.output_directory), message, log_.text())
            .then([this](Result<bool> accepted) { return accepted_or_not(kj::mv(accepted)); });
      });
}

kj::Promise<void> Attempt::accepted_or_not(Result<bool> accepted) {
  if (!accepted.is_ok()) {
    return fail(AttemptVerdict::failed(FailureKind::OUTPUT,
                                "the script succeeded, but the ledger refused its output: " + accepted.status().message()));
  }
  if (!*accepted) {
    spdlog::warn("{}: the job is no longer ours; its output is removed", plan_.name());
    return discard(plan_.staging());
  }
  return publish(context_.loop, context_.reporter,
                 {plan_.job, plan_.attempt, plan_.fence, plan_.staging(), plan_.output_directory});
}

kj::Promise<void> Attempt::fail(AttemptVerdict verdict) {
  return context_.loop.on_pool([plan = plan_, stop = abandoned_] { return keep_outputs(plan, "failed", stop); })
      .then([this, verdict = kj::mv(verdict)](Kept kept) mutable {
        if (!kept.problem.empty()) verdict.message += "; " + kept.problem;
        ReportedOutputs outputs;
        if (!kept.directory.empty()) outputs = ReportedOutputs::of(kept.listing, kept.directory);
        return context_.reporter.failed(plan_, verdict, outputs, log_.text())
            .then([this, directory = kept.directory](Result<bool> taken) { return taken_or_not(kj::mv(taken), directory); });
      });
}

kj::Promise<void> Attempt::skip(AttemptVerdict verdict) {
  return context_.loop.on_pool([plan = plan_, stop = abandoned_] { return keep_outputs(plan, "skipped", stop); })
      .then([this, verdict = kj::mv(verdict)](Kept kept) {
        std::string text = verdict.message;
        if (!kept.directory.empty()) text += "; what the script wrote before is in " + kept.directory;
        return context_.reporter.skipped(plan_, text, log_.text()).then([this, directory = kept.directory](Result<bool> taken) {
          return taken_or_not(kj::mv(taken), directory);
        });
      });
}

/// `kept`: where the attempt's files lie now; nobody is told of them when the job has become somebody else's.
kj::Promise<void> Attempt::taken_or_not(Result<bool> taken, std::string kept) {
  if (!taken.is_ok()) {
    // The attempt must not stay open: its bare failure, without what the ledger may have disliked.
    std::string why = "the result of the attempt was refused: " + taken.status().message();
    spdlog::error("{}: {}", plan_.name(), base::printable(why));
    return context_.reporter.failed(plan_, AttemptVerdict::failed(FailureKind::WORKER, why), {}, {}, "fail-bare").ignoreResult();
  }
  if (!*taken && !kept.empty()) return discard(kept);
  return kj::READY_NOW;
}

/// The ledger rejects this, as the job is somebody else's or over, and keeps the log with the rejection.
kj::Promise<void> Attempt::hand_in_log() {
  if (log_.text().empty()) return kj::READY_NOW;
  AttemptVerdict verdict = AttemptVerdict::failed(FailureKind::WORKER, "ended because the job was taken away");
  return context_.reporter.failed(plan_, verdict, {}, log_.text(), "lost").ignoreResult();
}

kj::Promise<void> Attempt::discard(std::string folder) {
  return context_.loop.on_pool([folder] { return remove_folder(folder); }).then([](Status removed) {
    if (!removed.is_ok()) spdlog::warn("{}", removed.message());
  });
}

kj::Promise<void> Attempt::clean_up() { return discard(folders_.root); }

}  // namespace daemons
