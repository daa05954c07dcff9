#include "ledger/campaign_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "ledger/decide/question.h"
#include "schema/document.capnp.h"

namespace ledger {
namespace {

using Kind = schema::CampaignStarted::Kind;
using schema::RunState;
constexpr uint64_t kNsAMs = 1'000'000;

struct Why {
  std::string code, text;
};

/// No job could be made for it. One that its script skipped has a job.
bool is_without_job(schema::RunRow::Reader run) { return run.getState() == RunState::SKIPPED && run.getJob() == 0; }

std::optional<Why> why_not(schema::RunRow::Reader run, const CampaignAsked& asked) {
  const auto name = [&] { return run_words(run.getRun()); };
  if (run.getState() == RunState::REFUSED) {
    return Why{"file_refused", fmt::format("{} has no file that can be reduced: {}", name(), view(run.getReason().getText()))};
  }
  if (is_busy(run)) return Why{"run_busy", busy_words(run)};
  if (run.getState() == RunState::DETECTED) return Why{"run_busy", name() + " is about to get its first job"};
  if (asked.kind == Kind::REPLAY && run.getState() == RunState::SKIPPED && !is_without_job(run)) {
    return Why{"skipped_by_script", fmt::format("{} was skipped by its script: {}", name(), view(run.getReason().getText()))};
  }
  if (asked.kind == Kind::REPROCESS && asked.script == schema::ReductionRequested::ScriptChoice::STORED && run.getVersion() == 0) {
    return Why{"never_reduced", name() + " was never reduced, so no script is stored with it; use the current script"};
  }
  if (asked.may) {
    if (const base::Status status = asked.may(run); !status.is_ok()) return Why{"no_right", status.message()};
  }
  return std::nullopt;
}

uint64_t span_ms(int64_t started_ns, int64_t finished_ns) {
  return started_ns > 0 && finished_ns > started_ns ? std::max<uint64_t>(1, static_cast<uint64_t>(finished_ns - started_ns) / kNsAMs) : 0;
}

/// A row has the times of its latest version, which mostly is its result.
uint64_t duration_ms(const RowReader& rows, schema::RunRow::Reader run) {
  if (run.getResult() == 0 || run.getResult() == run.getJob()) return span_ms(run.getStartedAt(), run.getFinishedAt());
  const auto job = find_job(rows, run.getResult());
  return job ? span_ms(job->get().getStartedAt(), job->get().getFinishedAt()) : 0;
}

/// What is known of how long an instrument's runs take.
struct Durations {
  uint64_t known_ms = 0, known = 0, unknown = 0;
};

std::string document_of(const std::vector<PlannedCampaign::Planned>& runs) {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::CampaignPlan>().initRuns(static_cast<uint32_t>(runs.size()));
  for (uint32_t i = 0; i < runs.size(); ++i) {
    list[i].initRun().setInstrument(runs[i].instrument);
    list[i].getRun().setRunNumber(runs[i].run_number);
    list[i].setBasis(runs[i].basis);
  }
  return std::string(built_bytes(message));
}

/// A replay looks at nothing else than what can have gone wrong, or is on its way again.
void restrict_to_gone_wrong(RunSelection& selection) {
  const std::vector<RunState> meant = selection.states;
  selection.states.clear();
  for (const RunState state : {RunState::FAILED, RunState::SKIPPED}) {
    if (meant.empty() || std::find(meant.begin(), meant.end(), state) != meant.end()) selection.states.push_back(state);
  }
}

}  // namespace

PlannedCampaign plan_campaign(const RowReader& rows, const CampaignAsked& asked, const KeepGoing& keep_going) {
  PlannedCampaign plan;
  RunPick pick = asked.pick;
  if (asked.kind == Kind::REPLAY) restrict_to_gone_wrong(pick.runs);
  if (asked.kind == Kind::REPLAY && pick.runs.states.empty()) return plan;

  std::map<std::string, Durations, std::less<>> durations;
  RunPicker picker(rows, std::move(pick));
  Pace pace(keep_going);
  bool ended = true;
  picker.visit([&](schema::RunRow::Reader run) {
    if (!pace.step()) return ended = false;
    if (!picker.matches(run)) return true;
    const auto key = run.getRun();
    if (const auto why = why_not(run, asked)) {
      if (++plan.passed_count <= asked.most_passed) plan.passed.push_back({std::string(view(key.getInstrument())), key.getRunNumber(), why->code, why->text});
      return true;
    }
    const uint64_t last_ms = duration_ms(rows, run);
    Durations& known = durations.try_emplace(std::string(view(key.getInstrument()))).first->second;
    known.known_ms += last_ms;
    ++(last_ms == 0 ? known.unknown : known.known);
    if (++plan.run_count <= asked.most_runs) plan.runs.push_back({std::string(view(key.getInstrument())), key.getRunNumber(), run.getVersion(), last_ms});
    return true;
  });
  plan.considered = pace.considered();
  for (const auto& [instrument, known] : durations) {
    plan.estimate_ms += known.known_ms + (known.known == 0 ? 0 : known.known_ms * known.unknown / known.known);
    if (known.known == 0) plan.unknown_durations += known.unknown;
  }
  if (ended && plan.run_count > 0 && plan.run_count == plan.runs.size()) plan.document = document_of(plan.runs);
  return plan;
}

}  // namespace ledger
