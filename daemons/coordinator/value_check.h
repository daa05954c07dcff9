// Whether the values chosen for a run fit the script they are for. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/document.capnp.h"
#include "schema/row.capnp.h"

namespace daemons {

struct WrongValue {
  std::string sentence;  // names the value, the type it should have, and who set it
  bool given;            // with a request
};
/// The values of `chosen` that are of another type than the script's own.
std::vector<WrongValue> wrong_values(schema::VariableSet::Reader chosen, schema::VariableSet::Reader own, std::string_view instrument);

/// The names of what has no value: places of a template that nobody set.
std::vector<std::string> without_value(schema::VariableSet::Reader chosen);

/// The live setting of `name` for this very experiment.
std::optional<schema::VariableRule::Reader> setting_of_experiment(capnp::List<schema::VariableRule>::Reader rules, std::string_view experiment,
                                                                  std::string_view name);

/// "the script has no variable mask (set by alice for experiment 2010001, event 12); it has mon, ..."
std::string no_such_variable(schema::VariableSet::Reader own, std::string_view name, std::string_view set_words);
/// "set by alice for experiment 2010001, event 12"
std::string set_words(schema::VariableRule::Reader rule);
/// "given by alice, event 12"
std::string given_words(std::string_view by, uint64_t seq);

}  // namespace daemons
