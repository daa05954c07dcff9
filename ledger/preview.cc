#include "ledger/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ledger/decide.h"
#include "ledger/memory_rows.h"
#include "ledger/rule_index.h"
#include "ledger/run_marks.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "ledger/views/variables.h"

namespace ledger {
namespace {

using Settings = std::optional<Row<schema::VariableRules>>;

RuleIndex index_of(schema::VariableSet::Reader own, const Settings& settings) {
  return {own, settings ? settings->get().getRules() : RuleIndex::Settings()};
}

/// What becomes of the variables of a change, run by run.
class Effect {
 public:
  Effect(capnp::List<schema::Variable>::Reader variables, const RuleIndex& before, const RuleIndex& after) : before_(before), after_(after) {
    for (auto variable : variables) {
      const std::string_view name = view(variable.getName());
      const Both places{before.find(variable.getGroup(), name), after.find(variable.getGroup(), name)};
      if (after.names()[places.after].in_script) names_.push_back(places);  // no run has another one
    }
    std::sort(names_.begin(), names_.end(), [](const Both& one, const Both& other) { return one.after < other.after; });
  }

  struct Shift {
    std::string_view name, before, after;
  };
  /// Neighbours mostly lie at the same place, and so have the same answer.
  const std::vector<Shift>& of(std::string_view experiment, uint64_t run_number) {
    const std::pair places(before_.place(experiment, run_number), after_.place(experiment, run_number));
    if (places == last_) return shifts_;
    last_ = places;
    shifts_.clear();
    for (const Both& name : names_) {
      const std::string_view had = value(before_, name.before, places.first), gets = value(after_, name.after, places.second);
      if (had != gets) shifts_.push_back({after_.names()[name.after].name, had, gets});
    }
    return shifts_;
  }

 private:
  struct Both {
    size_t before, after;  // its place in each index
  };
  static std::string_view value(const RuleIndex& index, size_t name, RuleIndex::Place place) {
    return name == index.names().size() ? std::string_view() : index.value(name, index.setting(name, place));
  }

  const RuleIndex& before_;
  const RuleIndex& after_;
  std::vector<Both> names_;
  std::optional<std::pair<RuleIndex::Place, RuleIndex::Place>> last_;
  std::vector<Shift> shifts_;
};

void visit_runs_of(const RowReader& rows, std::string_view instrument, schema::Scope::Reader scope, const VisitMark& visit) {
  if (scope.isExperiment()) return visit_run_marks_of(rows, instrument, view(scope.getExperiment()), visit);
  visit_run_marks(rows, instrument, scope.isFromRun() ? scope.getFromRun() : 0, last_run_of(scope), visit);
}

uint64_t first_of(schema::Scope::Reader scope) { return scope.isFromRun() ? scope.getFromRun() : 0; }

/// The settings of each name; all of them are read once.
using SettingsByName = std::map<std::pair<schema::Variable::Group, std::string_view>, std::vector<schema::VariableRule::Reader>>;

/// Which runs after `last_run` get the value, and which of them a more particular setting keeps from it.
std::string coming_words(schema::Variable::Reader variable, schema::Scope::Reader scope, const std::vector<schema::VariableRule::Reader>& settings,
                         uint64_t last_run) {
  const std::string value = variable.getFollowsScript() ? fmt::format("{} as the script has it", view(variable.getName()))
                                                        : fmt::format("{} = {}", view(variable.getName()), view(variable.getValue()));
  if (last_run_of(scope) <= last_run) {
    return fmt::format("{}: for no coming run, as the last one was {}", value, last_run);
  }
  const uint64_t first = std::max(first_of(scope), last_run + 1);
  std::string words = value + ": for every coming run";
  if (scope.isExperiment()) words += fmt::format(" of experiment {}", view(scope.getExperiment()));
  if (scope.isFromRun() && (first_of(scope) > last_run + 1 || scope.getToRun() != 0)) {
    words = fmt::format("{}: for coming runs from {}", value, first);
    if (scope.getToRun() != 0) words += fmt::format(" to {}", scope.getToRun());
  }
  std::string others;
  for (auto setting : settings) {
    if (scope_rank(setting.getScope()) <= scope_rank(scope)) continue;
    if (last_run_of(setting.getScope()) < first || first_of(setting.getScope()) > last_run_of(scope)) continue;
    const auto other = setting.getVariable();
    others += fmt::format("{}{} {}", others.empty() ? "" : ", ", scope_words(setting.getScope()),
                          other.getFollowsScript() ? "it follows the script" : fmt::format("{} is set", view(other.getValue())));
  }
  return others.empty() ? words : fmt::format("{}; but {}", words, others);
}

}  // namespace

VariablesPreview preview(const RowReader& rows, schema::VariablesSet::Reader change, size_t keep_changes, const KeepGoing& keep_going) {
  VariablesPreview result;
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  command.setId("preview");
  command.getBody().setSetVariables(change);
  auto drafts = decide(rows, {0, 1, {}}, command.asReader());
  if (!drafts.is_ok()) {
    result.problems.push_back(drafts.status().message());
    return result;
  }
  const std::string instrument(view(change.getInstrument()));
  if (drafts->empty()) {
    result.coming.push_back(instrument + ": nothing would change, the values are set so already");
    return result;
  }

  const auto set = drafts->front().event().asReader().getBody().getVariablesSet();  // with the groups the script has them in
  MemoryRows changed([&](std::string_view sha256) { return rows.blob(sha256); });
  const std::string key = VariablesView::row_key(instrument);
  if (auto now = rows.get(ViewId::kVariables, key)) changed.put(ViewId::kVariables, key, *now);
  VariablesView().fold(drafts->front().event(), changed);

  std::optional<Row<schema::VariableSet>> defaults;
  if (auto row = find_instrument(rows, instrument)) {
    if (auto bytes = rows.blob(view(row->get().getScript().getDefaults()))) defaults.emplace(*bytes);
  }
  const auto own = defaults ? defaults->get() : schema::VariableSet::Reader();
  const Settings had = variable_rules(rows, instrument), gets = variable_rules(changed, instrument);
  const RuleIndex before = index_of(own, had), after = index_of(own, gets);

  Effect effect(set.getVariables(), before, after);
  Pace pace(keep_going);
  visit_runs_of(rows, instrument, set.getScope(), [&](uint64_t run_number, std::string_view experiment) {
    if (!pace.step()) return false;
    for (const Effect::Shift& shift : effect.of(experiment, run_number)) {
      if (++result.change_count > keep_changes) continue;
      result.changes.push_back({run_number, std::string(shift.name), std::string(shift.before), std::string(shift.after)});
    }
    return true;
  });
  result.considered = pace.considered();

  SettingsByName settings;
  if (gets) {
    for (auto setting : gets->get().getRules()) settings[{setting.getVariable().getGroup(), view(setting.getVariable().getName())}].push_back(setting);
  }
  const uint64_t last = last_run(rows, instrument);
  for (auto variable : set.getVariables()) {
    result.coming.push_back(coming_words(variable, set.getScope(), settings[{variable.getGroup(), view(variable.getName())}], last));
  }
  return result;
}

}  // namespace ledger
