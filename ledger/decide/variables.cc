// Variables: what is set for an instrument's runs, and what no longer is.
#include "ledger/variables.h"

#include <fmt/format.h>

#include <set>

#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;

/// Why the instrument's script has no variables, and what to do.
std::string_view no_variables_words(schema::Contract contract) {
  switch (contract) {
    case schema::Contract::SNS:
      return "it is no template; keep it as reduce_INST.py.template with ${name} where a value goes";
    case schema::Contract::FIA: return "it assigns none at its top level; assign the ones it uses there";
    default: return "there is no reduce_vars.py beside it; add one";
  }
}

/// The live setting of this very scope, group and name.
std::optional<schema::VariableRule::Reader> find_rule(schema::VariableRules::Reader rules, schema::Scope::Reader scope,
                                                      schema::Variable::Group group, std::string_view name) {
  std::string key = scope_key(scope);
  for (auto rule : rules.getRules()) {
    if (rule.getVariable().getGroup() == group && view(rule.getVariable().getName()) == name && scope_key(rule.getScope()) == key)
      return rule;
  }
  return std::nullopt;
}

}  // namespace

Decided decide_set_variables(const Question& question, schema::VariablesSet::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto row = known_instrument(question, name);
  if (!row.is_ok()) return row.status();
  if (std::string trouble = variables_trouble(row->get()); !trouble.empty()) return refuse(Code::kConflict, quoted(std::string_view(trouble), kMaxTextBytes));
  LEDGER_CHECK(check_scope(wanted.getScope()));
  if (wanted.getVariables().size() == 0) return invalid(name, ": no variable is given; say NAME=VALUE");
  LEDGER_CHECK(check_variables(wanted.getVariables(), Following::kTaken));

  Proposal proposal(question);
  auto set = proposal.add();
  set.setVariablesSet(wanted);
  auto defaults = script_defaults(question, row->get());
  if (!defaults && row->get().getScriptSeq() != 0) {
    return invalid(name, ": its script takes no variables, as ", no_variables_words(row->get().getScript().getContract()),
                   ", then `runledger rerun RUN --script current` reads it");
  }
  auto stored = variable_rules(question.rows, name);
  schema::VariableRules::Reader rules = stored ? stored->get() : schema::VariableRules::Reader();
  bool changes = wanted.getComment().size() > 0;
  size_t fresh = 0;
  for (auto variable : set.getVariablesSet().getVariables()) {
    if (defaults) {
      auto group = match_variable(variable.asReader(), defaults->get(), name);
      if (!group.is_ok()) return group.status();
      variable.setGroup(*group);
    }
    auto rule = find_rule(rules, wanted.getScope(), variable.getGroup(), view(variable.asReader().getName()));
    changes = changes || !rule || view(rule->getVariable().getValue()) != view(variable.asReader().getValue()) ||
              rule->getVariable().getFollowsScript() != variable.getFollowsScript();
    fresh += !rule;
  }
  if (!changes) return nothing();
  if (rules.getRules().size() + fresh > kMaxVariableRules) {
    return refuse(Code::kConflict, fmt::format("{} has {} settings, at most {} are kept; clear those of past experiments first",
                                               name, rules.getRules().size(), kMaxVariableRules));
  }
  return proposal.take();
}

Decided decide_clear_variables(const Question& question, schema::VariablesCleared::Reader wanted) {
  std::string_view name = view(wanted.getInstrument());
  auto row = known_instrument(question, name);
  if (!row.is_ok()) return row.status();
  LEDGER_CHECK(check_scope(wanted.getScope()));
  std::string scope = scope_key(wanted.getScope());
  std::string where = fmt::format("{} {}", name, quoted(std::string_view(scope_words(wanted.getScope()))));
  std::set<std::string, std::less<>> there;
  if (auto rules = variable_rules(question.rows, name)) {
    for (auto rule : rules->get().getRules()) {
      if (scope_key(rule.getScope()) == scope) there.emplace(view(rule.getVariable().getName()));
    }
  }
  if (there.empty())
    return refuse(Code::kNotFound, "nothing is set for ", where, "; `runledger vars show ", name, "` lists what is");
  for (auto variable : wanted.getNames()) {
    if (there.contains(view(variable))) continue;
    return refuse(Code::kNotFound, "variable ", quoted(variable), " is not set for ", where, "; `runledger vars show ", name,
                  "` lists what is");
  }
  Proposal proposal(question);
  proposal.add().setVariablesCleared(wanted);
  return proposal.take();
}

}  // namespace ledger
