#include "rpc/service/run_filter.h"

#include <fmt/format.h>

#include "rpc/service/answers.h"
#include "rpc/service/seen_rows.h"

namespace rpc {
namespace {

constexpr size_t kRanges = 1000, kVariables = 64;
constexpr size_t kSha256Bytes = 32;

base::Status invalid(std::string text) { return {base::Code::kInvalidArgument, std::move(text)}; }

}  // namespace

base::Result<ledger::RunPick> read_filter(schema::RunFilter::Reader filter, const Sight& sight) {
  ledger::RunPick pick;
  pick.runs = {std::string(view(filter.getInstrument())), std::string(view(filter.getExperiment())), filter.getFirstRun(), filter.getLastRun(), {}, areas_of(sight)};
  for (auto state : filter.getStates()) pick.runs.states.push_back(state);
  if (filter.getRanges().size() > kRanges) return invalid(fmt::format("{} ranges of runs are asked for; name at most {}", filter.getRanges().size(), kRanges));
  for (auto range : filter.getRanges()) {
    if (range.getFirst() > range.getLast()) return invalid(fmt::format("runs {} to {}: the first is after the last; turn them round", range.getFirst(), range.getLast()));
    pick.ranges.emplace_back(range.getFirst(), range.getLast());
  }
  if (filter.getScript().size() > kSha256Bytes) return invalid(fmt::format("a script is asked for by {} bytes of its SHA-256, which has {}", filter.getScript().size(), kSha256Bytes));
  if (filter.getVariables().size() > kVariables) return invalid(fmt::format("{} values are asked for; name at most {}", filter.getVariables().size(), kVariables));
  for (auto wanted : filter.getVariables()) {
    if (wanted.getName().size() == 0) return invalid("a value is asked for without the name of its variable; say NAME=VALUE");
    pick.variables.push_back({std::string(view(wanted.getName())), std::string(view(wanted.getValue()))});
  }
  pick.reason = view(filter.getReason());
  pick.script = view(filter.getScript());
  pick.detected_from = filter.getDetectedFrom();
  pick.detected_to = filter.getDetectedTo();
  pick.support_file = view(filter.getSupportFile());
  pick.stale = filter.getStale();
  return pick;
}

bool is_simple(const ledger::RunPick& pick) {
  return pick.ranges.empty() && pick.reason.empty() && pick.script.empty() && pick.variables.empty() && pick.detected_from == 0 && pick.detected_to == 0 &&
         pick.support_file.empty() && !pick.stale;
}

}  // namespace rpc
