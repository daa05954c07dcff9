#include "daemons/worker/plan.h"

#include <fmt/format.h>

#include "daemons/worker/output_folder.h"
#include "ledger/canonical.h"

namespace daemons {

AttemptPlan AttemptPlan::from(schema::JobRow::Reader job, uint16_t attempt, uint64_t fence) {
  auto text = [](auto reader) { return std::string(ledger::view(reader)); };
  auto queued = job.getQueued();
  AttemptPlan plan;
  plan.job = job.getJob();
  plan.attempt = attempt;
  plan.fence = fence;
  if (queued.getRuns().size() > 0) plan.instrument = text(queued.getRuns()[0].getInstrument());
  for (auto run : queued.getRuns()) plan.runs.push_back(run.getRunNumber());
  plan.experiment = text(queued.getExperiment());
  plan.kind = queued.getKind();
  plan.stage = text(queued.getStage());
  plan.version = queued.getVersion();
  plan.contract = queued.getContract();
  plan.script_path = text(queued.getScriptPath());
  plan.script_sha256 = text(queued.getScriptSha256());
  for (auto sibling : queued.getSiblings()) plan.siblings.push_back({text(sibling.getName()), text(sibling.getSha256())});
  plan.variables_sha256 = text(queued.getVariables());
  plan.sources_sha256 = text(queued.getSources());
  for (auto pattern : queued.getInputPatterns()) plan.input_patterns.push_back(text(pattern));
  if (plan.sources_sha256.empty()) {
    for (auto input : queued.getInputs()) {
      plan.inputs.push_back({text(input.getPath()), input.getSizeBytes(), text(input.getSha256()), input.getModifiedAt()});
    }
  }
  for (auto file : queued.getSupportFiles()) {
    plan.support_files.push_back(
        {file.getGroup(), text(file.getName()), text(file.getPath()), text(file.getSha256()), file.getSizeBytes(), file.getKept()});
  }
  plan.output_directory = text(queued.getOutputDirectory());
  while (plan.output_directory.size() > 1 && plan.output_directory.back() == '/') plan.output_directory.pop_back();
  plan.interpreter = text(queued.getInterpreter());
  plan.time_limit_ms = queued.getTimeLimitMs();
  plan.memory_limit_bytes = queued.getMemoryLimitBytes();
  plan.flat_folder = text(queued.getFlatFolder());
  plan.stderr_fails = queued.getStderrFails();
  for (auto pattern : queued.getStderrAllowed()) plan.stderr_allowed.push_back(text(pattern));
  for (auto former : job.getAttempts()) {
    if (former.getOutcome() != schema::AttemptRow::Outcome::LOST || former.getFence() == fence) continue;
    plan.lost_stagings.push_back(staging_path(plan.output_directory, former.getNumber(), former.getFence()));
  }
  return plan;
}

std::string AttemptPlan::name() const {
  if (kind == schema::JobKind::TRIAL) return fmt::format("{} {} trial {}", instrument, run_words(), job);
  std::string what = kind == schema::JobKind::STAGE ? " " + stage : "";
  return fmt::format("{} {}{} v{}, attempt {}", instrument, run_words(), what, version, attempt);
}

std::string AttemptPlan::run_words() const {
  if (runs.size() < 2) return std::to_string(run_number());
  return fmt::format("{}-{}", runs.front(), runs.back());
}

std::string AttemptPlan::staging() const { return staging_path(output_directory, attempt, fence); }

}  // namespace daemons
