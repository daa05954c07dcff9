#include "ledger/variables.h"

#include <algorithm>
#include <map>
#include <set>

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

capnp::Text::Reader text(std::string_view view) { return {view.data(), view.size()}; }  // of a text that ends in 0

}  // namespace

ResolvedVariables resolve(const RuleIndex& index, std::string_view experiment, uint64_t run_number, uint64_t script_seq) {
  const std::vector<RuleIndex::Name>& names = index.names();
  const RuleIndex::Place place = index.place(experiment, run_number);
  const auto count = std::count_if(names.begin(), names.end(), [](const RuleIndex::Name& name) { return name.in_script; });
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::VariableSet>().initVariables(static_cast<uint32_t>(count));
  std::set<std::string_view> unknown;
  uint32_t next = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const RuleIndex::Setting* setting = index.setting(i, place);
    if (!names[i].in_script) {
      if (setting != nullptr && !setting->follows_script) unknown.insert(names[i].name);
      continue;
    }
    auto variable = list[next++];
    variable.setGroup(names[i].group);
    variable.setName(text(names[i].name));
    variable.setValue(text(index.value(i, setting)));
    if (!names[i].help.empty()) variable.setHelp(text(names[i].help));
    variable.setRule(setting == nullptr ? Rule::SCRIPT_DEFAULT : setting->rule);
    variable.setSetBy(setting == nullptr ? "" : text(setting->set_by));
    variable.setSetAt(setting == nullptr ? 0 : setting->set_at);
    variable.setSetSeq(setting == nullptr ? script_seq : setting->seq);
  }
  return {std::string(built_bytes(message)), {unknown.begin(), unknown.end()}};
}

ResolvedVariables resolve(schema::VariableSet::Reader defaults, capnp::List<schema::VariableRule>::Reader rules,
                          std::string_view experiment, uint64_t run_number, uint64_t script_seq) {
  const RuleIndex::OneRun only{experiment, run_number};
  return resolve(RuleIndex(defaults, rules, &only), experiment, run_number, script_seq);
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
  return variables_trouble(view(instrument.getConfig().getInstrument()), view(instrument.getScript().getProblem()));
}

std::string variables_trouble(std::string_view instrument, std::string_view problem) {
  if (problem.empty()) return {};
  return "the variables of " + std::string(instrument) + "'s script are not known: " + std::string(problem) +
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
