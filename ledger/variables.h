// Which value of each reduction variable a run gets, and why. Pure: everything it needs is given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/rule_index.h"
#include "schema/document.capnp.h"
#include "schema/row.capnp.h"

namespace ledger {

/// A VariableSet document, and what was set but has no place in it.
struct ResolvedVariables {
  std::string document;              // canonical bytes, variables sorted by group, then name
  std::vector<std::string> unknown;  // names of settings the script has no variable for; sorted, each once
};

/// The values for run `run_number` of `experiment` (empty = unknown): of the settings that apply to it the most particular one
/// (ledger/rule_index.h says how they rank), else the script's own. A setting that follows the script leaves the script's value, and stands
/// as the rule that chose it. `script_seq`: the scriptRegistered event of the script's own.
ResolvedVariables resolve(const RuleIndex& index, std::string_view experiment, uint64_t run_number, uint64_t script_seq = 0);
/// The same for one run alone.
ResolvedVariables resolve(schema::VariableSet::Reader defaults, capnp::List<schema::VariableRule>::Reader rules,
                          std::string_view experiment, uint64_t run_number, uint64_t script_seq = 0);

/// `set` with the values of an earlier version put over it, by name and group; each keeps the rule that chose it then, who set it
/// and when. What the script itself had chosen then and has no longer is not called unknown.
ResolvedVariables with_previous(schema::VariableSet::Reader set, schema::VariableSet::Reader previous);

/// `set` with the values of a request put over it. They were given by account `by` at `at`, in event `seq`.
/// A name that `set` has in the other group only is meant all the same.
ResolvedVariables with_given(schema::VariableSet::Reader set, capnp::List<schema::Variable>::Reader given, std::string_view by,
                             int64_t at, uint64_t seq);

/// Why nobody can say which variables the instrument's script has, and what to do, as a sentence; empty = they are known, or no
/// script was registered yet.
std::string variables_trouble(schema::InstrumentRow::Reader instrument);
/// The same of a script whose own `problem` is known.
std::string variables_trouble(std::string_view instrument, std::string_view problem);

/// The bytes scopes sort and compare by: default, then from-run ones by fromRun and end, then experiments.
std::string scope_key(schema::Scope::Reader scope);

/// A scope as a sentence names it: "by default", "from run 28000 to 28010", "for experiment 2010001".
std::string scope_words(schema::Scope::Reader scope);

}  // namespace ledger
