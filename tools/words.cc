#include "tools/words.h"

#include <cctype>

namespace tools {

std::string snake_case(std::string_view camel_case) {
  std::string words;
  for (char c : camel_case) {
    bool upper = c >= 'A' && c <= 'Z';
    if (upper) words += '_';
    words += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

std::string rule_word(schema::ResolvedVariable::Rule rule) {
  return rule == schema::ResolvedVariable::Rule::DEFAULT_SCOPE ? "default" : enum_word(rule);
}

std::optional<schema::RunState> parse_state(std::string_view word) {
  for (auto enumerant : capnp::Schema::from<schema::RunState>().getEnumerants()) {
    if (word == enumerant.getProto().getName().cStr()) return static_cast<schema::RunState>(enumerant.getOrdinal());
  }
  return std::nullopt;
}

std::string state_words(std::string_view separator) {
  std::string words;
  for (auto enumerant : capnp::Schema::from<schema::RunState>().getEnumerants()) {
    if (!words.empty()) words += separator;
    words += enumerant.getProto().getName().cStr();
  }
  return words;
}

bool is_final(schema::RunState state) {
  switch (state) {
    case schema::RunState::SUCCEEDED:
    case schema::RunState::FAILED:
    case schema::RunState::SKIPPED:
    case schema::RunState::CANCELLED:
    case schema::RunState::REFUSED: return true;
    default: return false;
  }
}

}  // namespace tools
