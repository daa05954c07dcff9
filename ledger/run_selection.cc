#include "ledger/run_selection.h"

#include <algorithm>
#include <unordered_map>

#include "base/text.h"
#include "ledger/keys.h"
#include "ledger/same_json.h"
#include "ledger/stale.h"
#include "schema/document.capnp.h"

namespace ledger {
namespace {

constexpr size_t kDocumentsKept = 10'000;

/// Sorted, without overlaps, and within the runs the selection leaves.
std::vector<RunPick::Range> tidied(std::vector<RunPick::Range> ranges, const RunSelection& selection) {
  std::sort(ranges.begin(), ranges.end());
  const uint64_t last_run = selection.last_run == 0 ? UINT64_MAX : selection.last_run;
  std::vector<RunPick::Range> result;
  for (auto [first, last] : ranges) {
    first = std::max(first, selection.first_run);
    last = std::min(last, last_run);
    if (!result.empty()) first = std::max(first, result.back().second == UINT64_MAX ? UINT64_MAX : result.back().second + 1);
    if (first <= last && (result.empty() || result.back().second != UINT64_MAX)) result.emplace_back(first, last);
  }
  return result;
}

bool starts_with(capnp::Data::Reader sha256, std::string_view prefix) { return view(sha256).starts_with(prefix); }

/// A support file may be named by its hash.
bool is_hash(std::string_view text) {
  return text.size() >= 8 && text.size() <= 64 && text.find_first_not_of("0123456789abcdefABCDEF") == text.npos;
}

}  // namespace

/// What a pick asks of the job whose result the run has.
class RunPicker::Made {
 public:
  Made(const RowReader& rows, const RunPick& pick) : rows_(rows), pick_(pick), stale_(rows) {
    support_hash_ = is_hash(pick.support_file) ? base::ascii_lower(pick.support_file) : std::string();
  }

  bool matches(schema::RunRow::Reader run) {
    if (asks_of_job()) {
      const auto job = find_job(rows_, run.getResult() != 0 ? run.getResult() : run.getJob());
      if (!job || !matches(job->get().getQueued())) return false;
    }
    return !pick_.stale || stale_.look(run).is_stale();
  }

 private:
  bool asks_of_job() const { return !pick_.script.empty() || !pick_.variables.empty() || !pick_.support_file.empty(); }

  bool matches(schema::JobQueued::Reader job) {
    return (pick_.script.empty() || has_script(job)) && (pick_.support_file.empty() || has_support_file(job)) &&
           (pick_.variables.empty() || has_values(view(job.getVariables())));
  }
  bool has_script(schema::JobQueued::Reader job) const {
    if (starts_with(job.getScriptSha256(), pick_.script)) return true;
    for (auto sibling : job.getSiblings()) {
      if (starts_with(sibling.getSha256(), pick_.script)) return true;
    }
    return false;
  }
  bool has_support_file(schema::JobQueued::Reader job) const {
    for (auto file : job.getSupportFiles()) {
      if (view(file.getPath()) == pick_.support_file) return true;
      if (!support_hash_.empty() && base::hex(view(file.getSha256())).starts_with(support_hash_)) return true;
    }
    return false;
  }
  /// Few documents serve many runs.
  bool has_values(std::string_view sha256) {
    if (const auto known = documents_.find(std::string(sha256)); known != documents_.end()) return known->second;
    if (documents_.size() == kDocumentsKept) documents_.clear();
    const auto bytes = sha256.empty() ? std::nullopt : rows_.blob(sha256);
    return documents_[std::string(sha256)] = bytes && has_values(Row<schema::VariableSet>(*bytes).get());
  }
  bool has_values(schema::VariableSet::Reader set) const {
    return std::all_of(pick_.variables.begin(), pick_.variables.end(), [&](const RunPick::Value& wanted) {
      for (auto variable : set.getVariables()) {
        if (view(variable.getName()) == wanted.name && same_json(view(variable.getValue()), wanted.json)) return true;
      }
      return false;
    });
  }

  const RowReader& rows_;
  const RunPick& pick_;
  StaleLook stale_;
  std::string support_hash_;
  std::unordered_map<std::string, bool> documents_;
};

RunPicker::RunPicker(const RowReader& rows, RunPick pick)
    : rows_(rows), pick_(std::move(pick)), made_(std::make_unique<Made>(rows_, pick_)) {
  if (pick_.ranges.empty()) pick_.ranges.emplace_back(0, UINT64_MAX);
  pick_.ranges = tidied(std::move(pick_.ranges), pick_.runs);
}
RunPicker::~RunPicker() = default;

std::string RunPicker::key(schema::RunRow::Reader run) { return run_key(view(run.getRun().getInstrument()), run.getRun().getRunNumber()); }

void RunPicker::visit(const VisitRun& visit, std::string_view after) const {
  if (pick_.ranges.empty()) return;
  RunSelection selection = pick_.runs;
  const auto visit_between = [&](uint64_t first, uint64_t last, std::string_view from) {
    selection.first_run = first;
    selection.last_run = last == UINT64_MAX ? 0 : last;
    bool goes_on = true;
    visit_runs(rows_, selection, [&](schema::RunRow::Reader run) { return goes_on = visit(run); }, from);
    return goes_on;
  };
  if (selection.instrument.empty()) {  // the same numbers come again with each instrument
    visit_between(pick_.ranges.front().first, pick_.ranges.back().second, after);
    return;
  }
  for (const auto& [first, last] : pick_.ranges) {
    if (!after.empty() && run_key(selection.instrument, last) < after) continue;
    const std::string from = run_key(selection.instrument, first);
    if (!visit_between(first, last, std::max(after, std::string_view(from)))) return;
  }
}

bool RunPicker::matches_row(schema::RunRow::Reader run) const {
  const uint64_t number = run.getRun().getRunNumber();
  const auto behind = std::upper_bound(pick_.ranges.begin(), pick_.ranges.end(), number,
                                       [](uint64_t value, const RunPick::Range& range) { return value < range.first; });
  if (behind == pick_.ranges.begin() || std::prev(behind)->second < number) return false;
  if (!pick_.reason.empty() && view(run.getReason().getCode()) != pick_.reason) return false;
  return run.getDetectedAt() >= pick_.detected_from && (pick_.detected_to == 0 || run.getDetectedAt() <= pick_.detected_to);
}

bool RunPicker::matches(schema::RunRow::Reader run) { return matches_row(run) && made_->matches(run); }

PickedRuns pick_runs(const RowReader& rows, const RunPick& pick, size_t limit, uint64_t most_considered, std::string_view after) {
  PickedRuns picked;
  RunPicker picker(rows, pick);
  picker.visit(
      [&](schema::RunRow::Reader run) {
        if (picked.rows.size() == limit || picked.considered == most_considered) {
          picked.next = RunPicker::key(run);
          return false;
        }
        ++picked.considered;
        if (picker.matches(run)) picked.rows.emplace_back(canonical_bytes(run));
        return true;
      },
      after);
  return picked;
}

}  // namespace ledger
