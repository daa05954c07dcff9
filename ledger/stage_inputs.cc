#include "ledger/stage_inputs.h"

#include <vector>

#include "ledger/view_rows.h"
#include "ledger/views/stages.h"

namespace ledger {
namespace {

using Over = schema::StageRule::Over;

constexpr size_t kNamedRuns = 3;

std::string without_result(std::string_view instrument, std::string_view stage, const std::vector<uint64_t>& runs) {
  std::string words(instrument);
  for (size_t i = 0; i < runs.size() && i < kNamedRuns; ++i) words += (i == 0 ? " " : ", ") + std::to_string(runs[i]);
  if (runs.size() > kNamedRuns) words += " and " + std::to_string(runs.size() - kNamedRuns) + " more";
  return words + (runs.size() == 1 ? " has" : " have") + " no result of " + std::string(stage) + " yet";
}

}  // namespace

uint64_t result_for_run(const RowReader& rows, std::string_view instrument, std::string_view stage, uint64_t run_number) {
  if (stage == kReductionStage) {
    const auto run = find_run(rows, instrument, run_number);
    return run ? run->get().getResult() : 0;
  }
  const auto result = find_stage_result(rows, instrument, stage, stage_group(Over::RUN, {run_number}, {}));
  return result ? result->get().getResult() : 0;
}

bool is_per_run(const RowReader& rows, std::string_view instrument, std::string_view stage) {
  if (stage == kReductionStage) return true;
  const auto rule = find_stage(rows, instrument, stage);
  return rule && rule->get().getRule().getOver() == Over::RUN;
}

std::string missing_inputs(const RowReader& rows, schema::StageRule::Reader rule, std::span<const uint64_t> runs,
                           std::string_view experiment) {
  const std::string_view instrument = view(rule.getInstrument());
  std::string words;
  for (auto stage : rule.getAfter()) {
    std::vector<uint64_t> missing;
    if (is_per_run(rows, instrument, view(stage))) {
      for (uint64_t run : runs) {
        if (result_for_run(rows, instrument, view(stage), run) == 0) missing.push_back(run);
      }
    } else {
      const std::string group = stage_group(rule.getOver(), {runs.begin(), runs.end()}, experiment);
      const auto result = find_stage_result(rows, instrument, view(stage), group);
      if (!result || result->get().getResult() == 0) missing.assign(runs.begin(), runs.end());
    }
    if (!missing.empty()) words += (words.empty() ? "" : "; ") + without_result(instrument, view(stage), missing);
  }
  return words;
}

}  // namespace ledger
