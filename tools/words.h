// Schema enumerants as words: taken from the schema itself, so that a new one needs no code here.
#pragma once

#include <capnp/dynamic.h>

#include <optional>
#include <string>
#include <string_view>

#include "schema/document.capnp.h"
#include "schema/row.capnp.h"

namespace tools {

/// "scriptException" -> "script_exception".
std::string snake_case(std::string_view camel_case);

/// The enumerant's name in snake_case; its number when this release does not know it.
template <typename Enum>
std::string enum_word(Enum value) {
  KJ_IF_MAYBE (enumerant, capnp::DynamicEnum(capnp::Schema::from<Enum>(), static_cast<uint16_t>(value)).getEnumerant()) {
    return snake_case(enumerant->getProto().getName().cStr());
  }
  return std::to_string(static_cast<uint16_t>(value));
}

/// "script_default", "default", "from_run", "experiment", "given", "previous_version".
std::string rule_word(schema::ResolvedVariable::Rule rule);

/// The state a word names; nullopt when it names none.
std::optional<schema::RunState> parse_state(std::string_view word);
/// Every state, in schema order, for messages and completion.
std::string state_words(std::string_view separator);

/// True when nothing more happens to a run in this state unless somebody asks.
bool is_final(schema::RunState state);

}  // namespace tools
