// JSON as text that every reader takes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace base {

/// Valid UTF-8 whatever bytes the strings hold, with each that is none as to_utf8() writes it. `indent` -1: one line.
std::string json_text(nlohmann::ordered_json json, int indent = 2);

}  // namespace base
