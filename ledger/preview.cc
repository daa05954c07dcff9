#include "ledger/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "ledger/decide.h"
#include "ledger/memory_rows.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"
#include "ledger/views/variables.h"

namespace ledger {
namespace {

using Name = std::pair<schema::Variable::Group, std::string>;
using Values = std::map<Name, std::string>;
constexpr size_t kRunsAPage = 500;

/// The rules and defaults of a few names: all it takes to resolve those.
class Resolver {
 public:
  Resolver(const std::set<Name>& names, schema::VariableSet::Reader defaults, const std::optional<Row<schema::VariableRules>>& all) {
    std::vector<schema::ResolvedVariable::Reader> own;
    for (auto variable : defaults.getVariables()) {
      if (names.contains({variable.getGroup(), std::string(view(variable.getName()))})) own.push_back(variable);
    }
    auto variables = defaults_.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(own.size()));
    for (uint32_t i = 0; i < own.size(); ++i) variables.setWithCaveats(i, own[i]);
    std::vector<schema::VariableRule::Reader> theirs;
    if (all) {
      for (auto rule : all->get().getRules()) {
        if (names.contains({rule.getVariable().getGroup(), std::string(view(rule.getVariable().getName()))})) theirs.push_back(rule);
      }
    }
    auto rules = rules_.initRoot<schema::VariableRules>().initRules(static_cast<uint32_t>(theirs.size()));
    for (uint32_t i = 0; i < theirs.size(); ++i) rules.setWithCaveats(i, theirs[i]);
  }

  capnp::List<schema::VariableRule>::Reader rules() { return rules_.getRoot<schema::VariableRules>().asReader().getRules(); }

  Values values(std::string_view experiment, uint64_t run_number) {
    const Row<schema::VariableSet> set(
        resolve(defaults_.getRoot<schema::VariableSet>().asReader(), rules(), experiment, run_number).document);
    Values values;
    for (auto variable : set.get().getVariables()) {
      values[{variable.getGroup(), std::string(view(variable.getName()))}] = view(variable.getValue());
    }
    return values;
  }

 private:
  capnp::MallocMessageBuilder defaults_, rules_;
};

RunSelection runs_of(std::string_view instrument, schema::Scope::Reader scope) {
  RunSelection selection{.instrument = std::string(instrument)};
  if (scope.isExperiment()) selection.experiment = view(scope.getExperiment());
  if (scope.isFromRun()) {
    selection.first_run = scope.getFromRun();
    selection.last_run = scope.getToRun();
  }
  return selection;
}

uint64_t first_of(schema::Scope::Reader scope) { return scope.isFromRun() ? scope.getFromRun() : 0; }
uint64_t last_of(schema::Scope::Reader scope) { return scope.isFromRun() && scope.getToRun() != 0 ? scope.getToRun() : UINT64_MAX; }

/// Does a setting for `one` win over one for `other`, where both apply? As resolve() ranks them.
bool more_particular(schema::Scope::Reader one, schema::Scope::Reader other) {
  const auto rank = [](schema::Scope::Reader scope) {
    return std::tuple(scope.which(), first_of(scope), UINT64_MAX - last_of(scope));
  };
  static_assert(schema::Scope::DEFAULT < schema::Scope::FROM_RUN && schema::Scope::FROM_RUN < schema::Scope::EXPERIMENT);
  return rank(one) > rank(other);
}

/// Which runs after `last_run` get the value, and which of them a more particular setting keeps from it.
std::string coming_words(schema::Variable::Reader variable, schema::Scope::Reader scope,
                         capnp::List<schema::VariableRule>::Reader rules, uint64_t last_run) {
  const std::string value = fmt::format("{} = {}", view(variable.getName()), view(variable.getValue()));
  if (last_of(scope) <= last_run) {
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
  for (auto rule : rules) {
    const bool same = rule.getVariable().getGroup() == variable.getGroup() && rule.getVariable().getName() == variable.getName();
    if (!same || !more_particular(rule.getScope(), scope)) continue;
    if (scope.isExperiment() && rule.getScope().isExperiment()) continue;  // another experiment's
    if (last_of(rule.getScope()) < first || first_of(rule.getScope()) > last_of(scope)) continue;
    others += fmt::format("{}{} {} is set", others.empty() ? "" : ", ", scope_words(rule.getScope()), view(rule.getVariable().getValue()));
  }
  return others.empty() ? words : fmt::format("{}; but {}", words, others);
}

}  // namespace

VariablesPreview preview(const RowReader& rows, schema::VariablesSet::Reader change, size_t keep_changes) {
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

  std::set<Name> names;
  for (auto variable : set.getVariables()) names.emplace(variable.getGroup(), view(variable.getName()));
  std::optional<Row<schema::VariableSet>> defaults;
  if (auto row = find_instrument(rows, instrument)) {
    if (auto bytes = rows.blob(view(row->get().getScript().getDefaults()))) defaults.emplace(*bytes);
  }
  const auto own = defaults ? defaults->get() : schema::VariableSet::Reader();
  Resolver before(names, own, variable_rules(rows, instrument));
  Resolver after(names, own, variable_rules(changed, instrument));

  const RunSelection selection = runs_of(instrument, set.getScope());
  std::string next;
  do {
    auto page = list_runs(rows, selection, kRunsAPage, next);
    for (const auto& row : page.rows) {
      const auto run = row.get();
      if (run.getState() == schema::RunState::REFUSED) continue;
      ++result.considered;
      Values had = before.values(view(run.getExperiment()), run.getRun().getRunNumber());
      for (auto& [name, value] : after.values(view(run.getExperiment()), run.getRun().getRunNumber())) {
        if (had[name] == value) continue;
        if (++result.change_count <= keep_changes) {
          result.changes.push_back({run.getRun().getRunNumber(), name.second, had[name], value});
        }
      }
    }
    next = page.next;
  } while (!next.empty());

  const uint64_t last = last_run(rows, instrument);
  for (auto variable : set.getVariables()) result.coming.push_back(coming_words(variable, set.getScope(), after.rules(), last));
  return result;
}

}  // namespace ledger
