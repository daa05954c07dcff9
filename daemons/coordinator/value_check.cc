#include "daemons/coordinator/value_check.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ledger/canonical.h"
#include "ledger/decide/checks.h"
#include "ledger/variables.h"

namespace daemons {
namespace {

using ledger::view;
using Rule = schema::ResolvedVariable::Rule;

std::string_view rule_words(Rule rule) {
  switch (rule) {
    case Rule::DEFAULT_SCOPE: return "by default";
    case Rule::FROM_RUN: return "for runs from a number on";
    case Rule::EXPERIMENT: return "for its experiment";
    default: return "";
  }
}

std::string who_set(schema::ResolvedVariable::Reader variable) {
  if (variable.getRule() == Rule::GIVEN) return given_words(view(variable.getSetBy()), variable.getSetSeq());
  return fmt::format("set by {} {}, event {}", view(variable.getSetBy()), rule_words(variable.getRule()), variable.getSetSeq());
}

}  // namespace

std::vector<WrongValue> wrong_values(schema::VariableSet::Reader chosen, schema::VariableSet::Reader own, std::string_view instrument) {
  std::vector<WrongValue> wrong;
  for (auto variable : chosen.getVariables()) {
    if (variable.getRule() == Rule::SCRIPT_DEFAULT) continue;
    capnp::MallocMessageBuilder message;
    auto value = message.initRoot<schema::Variable>();
    value.setGroup(variable.getGroup());
    value.setName(variable.getName());
    value.setValue(variable.getValue());
    auto matched = ledger::match_variable(value.asReader(), own, instrument);
    if (matched.is_ok()) continue;
    wrong.push_back({fmt::format("{} ({})", matched.status().message(), who_set(variable)), variable.getRule() == Rule::GIVEN});
  }
  return wrong;
}

std::vector<std::string> without_value(schema::VariableSet::Reader chosen) {
  std::vector<std::string> names;
  for (auto variable : chosen.getVariables()) {
    if (variable.getValue().size() == 0) names.push_back(base::printable(view(variable.getName())));
  }
  return names;
}

std::optional<schema::VariableRule::Reader> setting_of_experiment(capnp::List<schema::VariableRule>::Reader rules, std::string_view experiment,
                                                                  std::string_view name) {
  for (auto rule : rules) {
    if (rule.getScope().isExperiment() && view(rule.getScope().getExperiment()) == experiment && view(rule.getVariable().getName()) == name) return rule;
  }
  return std::nullopt;
}

std::string no_such_variable(schema::VariableSet::Reader own, std::string_view name, std::string_view set_words) {
  std::string names;
  uint32_t left = 30;
  for (auto variable : own.getVariables()) {
    if (left-- == 0) {
      names += ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + base::printable(view(variable.getName()));
  }
  return fmt::format("the script has no variable {} ({}); it has {}", base::printable(name), set_words, names.empty() ? "none at all" : names);
}

std::string set_words(schema::VariableRule::Reader rule) {
  return fmt::format("set by {} {}, event {}", view(rule.getSetBy()), ledger::scope_words(rule.getScope()), rule.getSeq());
}

std::string given_words(std::string_view by, uint64_t seq) { return fmt::format("given by {}, event {}", by, seq); }

}  // namespace daemons
