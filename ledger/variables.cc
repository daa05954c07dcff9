#include "ledger/variables.h"

#include <map>
#include <set>
#include <tuple>

#include "base/experiment.h"
#include "ledger/canonical.h"
#include "ledger/keys.h"

namespace ledger {
namespace {

using Rule = schema::ResolvedVariable::Rule;
using Group = schema::Variable::Group;
using Name = std::pair<Group, std::string>;

/// A VariableSet in the making, in the order it is written.
class SetBuilder {
 public:
  explicit SetBuilder(schema::VariableSet::Reader set) {
    list_ = message_.initRoot<schema::VariableSet>().initVariables(set.getVariables().size());
    std::map<Name, schema::ResolvedVariable::Reader> sorted;
    for (auto variable : set.getVariables()) sorted.emplace(Name(variable.getGroup(), view(variable.getName())), variable);
    if (sorted.size() < list_.size())
      list_ = message_.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(sorted.size()));
    uint32_t i = 0;
    for (const auto& [name, variable] : sorted) {
      list_.setWithCaveats(i, variable);
      places_.emplace(name, i++);
    }
  }
  capnp::List<schema::ResolvedVariable>::Builder variables() { return list_; }

  /// Where `name` is: in `group`, else, when `any_group`, in the other one.
  std::optional<schema::ResolvedVariable::Builder> find(Group group, std::string_view name, bool any_group) {
    auto place = places_.find(Name(group, name));
    if (place == places_.end() && any_group) {
      place = places_.find(Name(group == Group::STANDARD ? Group::ADVANCED : Group::STANDARD, name));
    }
    if (place == places_.end()) return std::nullopt;
    return list_[place->second];
  }
  void unknown(std::string_view name) { unknown_.emplace(name); }

  ResolvedVariables finish() {
    auto set = message_.getRoot<schema::VariableSet>();
    return {canonical_bytes(set.asReader()), {unknown_.begin(), unknown_.end()}};
  }

 private:
  capnp::MallocMessageBuilder message_;
  capnp::List<schema::ResolvedVariable>::Builder list_;
  std::map<Name, uint32_t> places_;
  std::set<std::string> unknown_;
};

/// How particular a setting is: the larger the more. Its seq only decides between settings equal in everything else.
using Rank = std::tuple<Rule, uint64_t, uint64_t, uint64_t>;

std::optional<Rank> rank(schema::VariableRule::Reader rule, std::string_view experiment, uint64_t run_number) {
  auto scope = rule.getScope();
  switch (scope.which()) {
    case schema::Scope::DEFAULT: return Rank(Rule::DEFAULT_SCOPE, 0, 0, rule.getSeq());
    case schema::Scope::EXPERIMENT:
      if (!base::names_experiment(experiment) || view(scope.getExperiment()) != experiment) return std::nullopt;
      return Rank(Rule::EXPERIMENT, 0, 0, rule.getSeq());
    case schema::Scope::FROM_RUN: {
      uint64_t last = scope.getToRun() == 0 ? UINT64_MAX : scope.getToRun();
      if (run_number < scope.getFromRun() || run_number > last) return std::nullopt;
      return Rank(Rule::FROM_RUN, scope.getFromRun(), UINT64_MAX - last, rule.getSeq());
    }
  }
  return std::nullopt;
}

}  // namespace

ResolvedVariables resolve(schema::VariableSet::Reader defaults, capnp::List<schema::VariableRule>::Reader rules,
                          std::string_view experiment, uint64_t run_number, uint64_t script_seq) {
  SetBuilder set(defaults);
  for (auto variable : set.variables()) {
    variable.setRule(Rule::SCRIPT_DEFAULT);
    variable.setSetBy("");
    variable.setSetAt(0);
    variable.setSetSeq(script_seq);
  }
  std::map<Name, std::pair<Rank, schema::VariableRule::Reader>> best;
  for (auto rule : rules) {
    auto ranked = rank(rule, experiment, run_number);
    if (!ranked) continue;
    auto [place, fresh] =
        best.emplace(Name(rule.getVariable().getGroup(), view(rule.getVariable().getName())), std::pair(*ranked, rule));
    if (!fresh && place->second.first < *ranked) place->second = {*ranked, rule};
  }
  for (const auto& [name, choice] : best) {
    auto variable = set.find(name.first, name.second, false);
    if (!variable) {
      set.unknown(name.second);
      continue;
    }
    auto rule = choice.second;
    variable->setValue(rule.getVariable().getValue());
    variable->setRule(std::get<0>(choice.first));
    variable->setSetBy(rule.getSetBy());
    variable->setSetAt(rule.getSetAt());
    variable->setSetSeq(rule.getSeq());
  }
  return set.finish();
}

ResolvedVariables with_previous(schema::VariableSet::Reader current, schema::VariableSet::Reader previous) {
  SetBuilder set(current);
  for (auto old : previous.getVariables()) {
    auto variable = set.find(old.getGroup(), view(old.getName()), false);
    if (!variable) {
      if (old.getRule() != Rule::SCRIPT_DEFAULT) set.unknown(view(old.getName()));
      continue;
    }
    variable->setValue(old.getValue());
    variable->setRule(old.getRule());
    variable->setSetBy(old.getSetBy());
    variable->setSetAt(old.getSetAt());
    variable->setSetSeq(old.getSetSeq());
  }
  return set.finish();
}

ResolvedVariables with_given(schema::VariableSet::Reader current, capnp::List<schema::Variable>::Reader given, std::string_view by,
                             int64_t at, uint64_t seq) {
  SetBuilder set(current);
  std::string account(by);
  for (auto value : given) {
    auto variable = set.find(value.getGroup(), view(value.getName()), true);
    if (!variable) {
      set.unknown(view(value.getName()));
      continue;
    }
    variable->setValue(value.getValue());
    variable->setRule(Rule::GIVEN);
    variable->setSetBy(account);
    variable->setSetAt(at);
    variable->setSetSeq(seq);
  }
  return set.finish();
}

std::string variables_trouble(schema::InstrumentRow::Reader instrument) {
  auto script = instrument.getScript();
  if (script.getProblem().size() == 0) return {};
  return "the variables of " + std::string(view(instrument.getConfig().getInstrument())) + "'s script are not known: " +
         std::string(view(script.getProblem())) +
         "; mend that, and the next run, or `runledger rerun RUN --script current`, reads them again";
}

std::string scope_key(schema::Scope::Reader scope) {
  std::string key;
  switch (scope.which()) {
    case schema::Scope::DEFAULT: key += '\0'; break;
    case schema::Scope::FROM_RUN:
      key += '\1';
      append_u64(key, scope.getFromRun());
      append_u64(key, scope.getToRun() == 0 ? UINT64_MAX : scope.getToRun());
      break;
    case schema::Scope::EXPERIMENT:
      key += '\2';
      append_text(key, view(scope.getExperiment()));
      break;
  }
  return key;
}

std::string scope_words(schema::Scope::Reader scope) {
  switch (scope.which()) {
    case schema::Scope::DEFAULT: return "by default";
    case schema::Scope::FROM_RUN: {
      std::string words = "from run " + std::to_string(scope.getFromRun());
      return scope.getToRun() == 0 ? words : words + " to " + std::to_string(scope.getToRun());
    }
    case schema::Scope::EXPERIMENT: return "for experiment " + std::string(view(scope.getExperiment()));
  }
  return "for a scope this release does not know";
}

}  // namespace ledger
