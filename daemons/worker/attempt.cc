#include "daemons/worker/attempt.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/counted.h"
#include "base/text.h"
#include "daemons/worker/blobs.h"
#include "daemons/worker/environments.h"
#include "daemons/worker/extra_copies.h"
#include "daemons/worker/inputs.h"
#include "daemons/worker/run_result.h"
#include "daemons/worker/stderr_rule.h"
#include "daemons/worker/support_files.h"
#include "ledger/canonical.h"

namespace daemons {
namespace {

using base::Code;
using base::Result;
using base::Status;
using schema::FailureKind;

struct Prepared {
  std::optional<AttemptVerdict> early;
  NeighbourLinks links;
};

/// Everything that blocks and must be done before the script may start.
Prepared prepare_files(const AttemptPlan& plan, const JobFolders& folders, const CapturedFiles& files, const StopFlag& stop) {
  auto failed = [](FailureKind kind, std::string why) { return Prepared{AttemptVerdict::failed(kind, std::move(why)), {}}; };
  auto links = write_job_files(folders, plan, files);
  if (!links.is_ok()) return failed(FailureKind::WORKER, links.status().message());
  if (std::string problem = input_problem(plan.inputs, stop); !problem.empty()) return failed(FailureKind::INPUT, problem);
  if (std::string problem = support_file_problem(plan.support_files, stop); !problem.empty()) return failed(FailureKind::INPUT, problem);
  for (const std::string& lost : plan.lost_stagings) drop_staging(lost).ignore();
  if (folder_state(plan.output_directory) != FolderState::kMissing) {
    return failed(FailureKind::OUTPUT, base::to_utf8(plan.output_directory) +
                                           ": already exists, and output is never overwritten; the script was not run");
  }
  Status made = make_staging(plan.staging());
  if (!made.is_ok()) return failed(FailureKind::OUTPUT, made.message());
  // Last: reading the inputs may have taken a while.
  if (std::string problem = script_problem(folders.script(), plan); !problem.empty()) return failed(FailureKind::WORKER, problem);
  return {std::nullopt, *links};
}

/// What is known of an attempt when its script has ended, for putting its output on record.
struct Ended {
  AttemptPlan plan;
  JobFolders folders;
  Printed printed;
  ScriptReport report;
  std::vector<std::string> remarks;

  void remark(const std::vector<std::string>& more) { remarks.insert(remarks.end(), more.begin(), more.end()); }

  OutputRecord record(OutputListing listing) {
    remark(mark_declared(listing, report.declared, plan.staging()));
    remark(report.remarks);
    return {std::move(listing), look_outside(report.touched, {plan.staging(), folders.root}), std::move(remarks)};
  }
};

/// The output of a success, still in staging, with hidden copies where the script wants some.
Result<OutputRecord> record_success(Ended ended, const StopFlag& stop) {
  const std::string staging = ended.plan.staging();
  ended.remark(write_log_files(ended.plan, ended.printed, staging));
  auto listing = list_output(staging, true, stop);
  if (!listing.is_ok()) return listing.status();
  ended.remark(prepare_copies(ended.plan, *listing, ended.report.extra_directories, stop));
  return ended.record(std::move(*listing));
}

struct Kept {
  std::string directory;  // empty = nothing was written
  OutputRecord record;
  std::string problem;
};

/// Moves aside what an attempt without success wrote, and lists it.
Kept keep_outputs(Ended ended, std::string_view what, const StopFlag& stop) {
  const AttemptPlan& plan = ended.plan;
  const std::string staging = plan.staging();
  drop_copies(staging);
  if (folder_state(staging) == FolderState::kFilled) ended.remark(write_log_files(plan, ended.printed, staging));
  auto moved = keep_folder(staging, fmt::format("{}.{}-attempt-{}", plan.output_directory, what, plan.attempt), plan.fence);
  if (!moved.is_ok()) return {{}, ended.record({}), moved.status().message()};
  if (moved->empty()) return {{}, ended.record({}), {}};
  auto listing = list_output(*moved, false, stop);
  if (!listing.is_ok()) return {*moved, ended.record({}), listing.status().message()};
  return {*moved, ended.record(std::move(*listing)), {}};
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
  return take_steps()
      .then([this](Early early) -> kj::Promise<AttemptVerdict> {
        if (early) return kj::mv(*early);
        if (*abandoned_) return AttemptVerdict();
        return execute();
      })
      .then([this](AttemptVerdict verdict) { return *abandoned_ ? discard_staging() : finish(kj::mv(verdict)); })
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

kj::Promise<Attempt::Early> Attempt::take_steps(size_t index) {
  static constexpr Step kSteps[] = {&Attempt::fetch_captured, &Attempt::make_folders, &Attempt::fetch_support_files,
                                    &Attempt::fetch_sources, &Attempt::prepare};
  if (index == std::size(kSteps)) return Early();
  return (this->*kSteps[index])().then([this, index](Early early) -> kj::Promise<Early> {
    return early || *abandoned_ ? kj::Promise<Early>(kj::mv(early)) : take_steps(index + 1);
  });
}

kj::Promise<Attempt::Early> Attempt::fetch_captured() {
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

kj::Promise<Attempt::Early> Attempt::make_folders() {
  return context_.loop.on_pool([folders = folders_]() -> Early {
    Status made = make_job_folders(folders);
    return made.is_ok() ? Early() : AttemptVerdict::failed(FailureKind::WORKER, made.message());
  });
}

kj::Promise<Attempt::Early> Attempt::fetch_support_files() { return fetch_support_file(0); }

/// One after the other, each written before the next comes: they may be large.
kj::Promise<Attempt::Early> Attempt::fetch_support_file(size_t index) {
  if (index == plan_.support_files.size()) return Early();
  const PlannedSupportFile& file = plan_.support_files[index];
  if (!file.kept) return fetch_support_file(index + 1);
  return fetch_blob(context_.runs, file.sha256, file.path)
      .then([this, index](Result<std::string> bytes) -> kj::Promise<Status> {
        if (!bytes.is_ok()) return bytes.status();
        return context_.loop.on_pool([folder = folders_.support(), plan = plan_, index, bytes = std::move(*bytes)] {
          return lay_out_support_file(folder, plan, index, bytes);
        });
      })
      .then([this, index](Status laid_out) -> kj::Promise<Early> {
        if (!laid_out.is_ok()) return Early(AttemptVerdict::failed(FailureKind::WORKER, laid_out.message()));
        return fetch_support_file(index + 1);
      });
}

kj::Promise<Attempt::Early> Attempt::fetch_sources() {
  if (plan_.sources_sha256.empty()) return Early();
  auto document = kj::heap<std::string>();
  auto fetched = take_blob(plan_.sources_sha256, "sources of " + plan_.name(),
                           [&document = *document](std::string bytes) { document = std::move(bytes); });
  return fetched.then([this, document = kj::mv(document)](Early early) -> kj::Promise<Early> {
    if (!early) early = read_sources(*document);
    return early ? kj::Promise<Early>(kj::mv(early)) : fetch_source(0);
  });
}

Attempt::Early Attempt::read_sources(const std::string& document) {
  auto sources = ledger::Row<schema::JobSources>::parse(document, "the sources of " + plan_.name());
  if (!sources.is_ok()) return AttemptVerdict::failed(FailureKind::INPUT, sources.status().message());
  for (auto source : sources->get().getSources()) {
    std::string_view stage = ledger::view(source.getStage());
    sources_.push_back({fmt::format("{} {} {}v{}", ledger::view(source.getRun().getInstrument()), source.getRun().getRunNumber(),
                                    stage == "reduction" ? "" : std::string(stage) + " ", source.getVersion()),
                        std::string(ledger::view(source.getManifest())), std::string(ledger::view(source.getDirectory()))});
  }
  return std::nullopt;
}

kj::Promise<Attempt::Early> Attempt::fetch_source(size_t index) {
  if (index == sources_.size()) {
    if (!plan_.inputs.empty()) return Early();
    std::string patterns;
    for (const std::string& pattern : plan_.input_patterns) patterns += (patterns.empty() ? "" : " or ") + pattern;
    return Early(AttemptVerdict::failed(
        FailureKind::INPUT,
        fmt::format("{}: {} no file{}; correct the inputs of the stage, or the script that writes them, and ask for it again",
                    plan_.name(), sources_.size() == 1 ? sources_.front().name + " has" : base::counted(sources_.size(), "result") + " have",
                    patterns.empty() ? "" : " that fits " + base::printable(patterns))));
  }
  auto document = kj::heap<std::string>();
  auto fetched = take_blob(sources_[index].manifest, "the files of " + sources_[index].name,
                           [&document = *document](std::string bytes) { document = std::move(bytes); });
  return fetched.then([this, index, document = kj::mv(document)](Early early) -> kj::Promise<Early> {
    if (!early) early = take_source(sources_[index], *document);
    return early ? kj::Promise<Early>(kj::mv(early)) : fetch_source(index + 1);
  });
}

Attempt::Early Attempt::take_source(const Source& source, const std::string& document) {
  auto manifest = ledger::Row<schema::OutputManifest>::parse(document, "the files of " + source.name);
  if (!manifest.is_ok()) return AttemptVerdict::failed(FailureKind::INPUT, manifest.status().message());
  std::vector<PlannedInput> files = files_taken(manifest->get(), source.directory, plan_.input_patterns);
  if (files.empty()) remarks_.push_back(source.name + " has no file that is taken from it");
  plan_.inputs.insert(plan_.inputs.end(), files.begin(), files.end());
  return std::nullopt;
}

kj::Promise<Attempt::Early> Attempt::prepare() {
  auto files = [plan = plan_, folders = folders_, captured = std::move(captured_), stop = abandoned_] {
    return prepare_files(plan, folders, captured, stop);
  };
  return context_.loop.on_pool(std::move(files)).then([this](Prepared prepared) {
    if (prepared.links.cut) {
      remarks_.push_back(fmt::format("the script's folder holds more than {} other names; it did not see all of them", kMaxNeighbourLinks));
    }
    return std::move(prepared.early);
  });
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
  program.working_directory = working_directory(folders_, plan_);
  program.streams_apart = keeps_streams_apart(plan_);
  program.memory_limit_bytes = plan_.memory_limit_bytes;
  auto started = Supervised::start(context_.launcher, context_.loop.timer(), program, printed_);
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
  struct Said {
    std::optional<std::string> result;
    ScriptReport report;
  };
  auto read = [path = folders_.result_file()] {
    auto result = read_small_file(path, kResultFileBytes);
    ScriptReport report = script_report(result);
    return Said{std::move(result), std::move(report)};
  };
  return context_.loop.on_pool(read).then([this, end](Said said) {
    report_ = std::move(said.report);
    AttemptVerdict verdict = judge(plan_, end, timed_out_, said.result, printed_.all);
    if (end.left_behind > 0 && !timed_out_) {
      printed_.all.note(end.left_behind == 1 ? "a process the script left behind was ended"
                                             : fmt::format("{} processes the script left behind were ended", end.left_behind));
    }
    if (is_told_by_us(verdict)) printed_.all.note(verdict.message);
    return judge_errors(kj::mv(verdict));
  });
}

kj::Promise<AttemptVerdict> Attempt::judge_errors(AttemptVerdict verdict) {
  if (!plan_.stderr_fails || verdict.outcome != AttemptVerdict::Outcome::kSucceeded) return kj::mv(verdict);
  auto apply = [verdict = kj::mv(verdict), errors = printed_.errors.text(), allowed = plan_.stderr_allowed]() mutable {
    apply_stderr_rule(verdict, errors, allowed);
    return std::move(verdict);
  };
  return context_.loop.on_pool(std::move(apply)).then([this](AttemptVerdict judged) {
    if (judged.outcome == AttemptVerdict::Outcome::kFailed) printed_.all.note("what was printed to standard error fails the attempt");
    return judged;
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
  auto put_on_record = [ended = Ended{plan_, folders_, printed_, report_, remarks_}, stop = abandoned_]() mutable {
    return record_success(std::move(ended), stop);
  };
  return context_.loop.on_pool(std::move(put_on_record))
      .then([this, verdict = kj::mv(verdict)](Result<OutputRecord> record) mutable -> kj::Promise<void> {
        if (*abandoned_) return discard_staging();
        if (!record.is_ok()) {
          AttemptVerdict failed = AttemptVerdict::failed(FailureKind::OUTPUT,
                                           "the script succeeded, but its output cannot be kept: " + record.status().message());
          failed.wait_status = verdict.wait_status;
          return fail(kj::mv(failed));
        }
        std::string message = verdict.message;
        const auto& problems = record->listing.problems;
        if (!problems.empty()) message += (message.empty() ? "" : "; ") + joined(problems);
        return context_.reporter.succeeded(plan_, ReportedOutputs::of(*record, plan_.output_directory), message, printed_.all.text())
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
    return discard_staging();
  }
  return publish(context_.loop, context_.runs, context_.reporter, Publication::of(plan_, plan_.staging()));
}

kj::Promise<void> Attempt::fail(AttemptVerdict verdict) {
  auto keep = [ended = Ended{plan_, folders_, printed_, report_, remarks_}, stop = abandoned_]() mutable {
    return keep_outputs(std::move(ended), "failed", stop);
  };
  return context_.loop.on_pool(std::move(keep)).then([this, verdict = kj::mv(verdict)](Kept kept) mutable {
    if (!kept.problem.empty()) verdict.message += "; " + kept.problem;
    ReportedOutputs outputs;
    if (!kept.directory.empty() || !kept.record.is_empty()) outputs = ReportedOutputs::of(kept.record, kept.directory);
    return context_.reporter.failed(plan_, verdict, outputs, printed_.all.text())
        .then([this, directory = kept.directory](Result<bool> taken) { return taken_or_not(kj::mv(taken), directory); });
  });
}

kj::Promise<void> Attempt::skip(AttemptVerdict verdict) {
  auto keep = [ended = Ended{plan_, folders_, printed_, report_, remarks_}, stop = abandoned_]() mutable {
    return keep_outputs(std::move(ended), "skipped", stop);
  };
  return context_.loop.on_pool(std::move(keep)).then([this, verdict = kj::mv(verdict)](Kept kept) {
    std::string text = verdict.message;
    if (!kept.directory.empty()) text += "; what the script wrote before is in " + kept.directory;
    return context_.reporter.skipped(plan_, text, printed_.all.text()).then([this, directory = kept.directory](Result<bool> taken) {
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
  if (printed_.all.text().empty()) return kj::READY_NOW;
  AttemptVerdict verdict = AttemptVerdict::failed(FailureKind::WORKER, "ended because the job was taken away");
  return context_.reporter.failed(plan_, verdict, {}, printed_.all.text(), "lost").ignoreResult();
}

kj::Promise<void> Attempt::discard(std::string folder) {
  return context_.loop.on_pool([folder] { return remove_folder(folder); }).then([](Status removed) {
    if (!removed.is_ok()) spdlog::warn("{}", removed.message());
  });
}

kj::Promise<void> Attempt::discard_staging() {
  return context_.loop.on_pool([staging = plan_.staging()] { return drop_staging(staging); }).then([](Status removed) {
    if (!removed.is_ok()) spdlog::warn("{}", removed.message());
  });
}

kj::Promise<void> Attempt::clean_up() { return discard(folders_.root); }

}  // namespace daemons
