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
  if (queued.getRuns().size() > 0) {
    plan.instrument = text(queued.getRuns()[0].getInstrument());
    plan.run_number = queued.getRuns()[0].getRunNumber();
  }
  plan.version = queued.getVersion();
  plan.contract = queued.getContract();
  plan.script_path = text(queued.getScriptPath());
  plan.script_sha256 = text(queued.getScriptSha256());
  for (auto sibling : queued.getSiblings()) plan.siblings.push_back({text(sibling.getName()), text(sibling.getSha256())});
  plan.variables_sha256 = text(queued.getVariables());
  for (auto input : queued.getInputs()) {
    plan.inputs.push_back({text(input.getPath()), input.getSizeBytes(), text(input.getSha256()), input.getModifiedAt()});
  }
  plan.output_directory = text(queued.getOutputDirectory());
  while (plan.output_directory.size() > 1 && plan.output_directory.back() == '/') plan.output_directory.pop_back();
  plan.interpreter = text(queued.getInterpreter());
  plan.time_limit_ms = queued.getTimeLimitMs();
  plan.memory_limit_bytes = queued.getMemoryLimitBytes();
  for (auto former : job.getAttempts()) {
    if (former.getOutcome() != schema::AttemptRow::Outcome::LOST || former.getFence() == fence) continue;
    plan.lost_stagings.push_back(staging_path(plan.output_directory, former.getNumber(), former.getFence()));
  }
  return plan;
}

std::string AttemptPlan::name() const { return fmt::format("{} {} v{}, attempt {}", instrument, run_number, version, attempt); }

std::string AttemptPlan::staging() const { return staging_path(output_directory, attempt, fence); }

}  // namespace daemons
