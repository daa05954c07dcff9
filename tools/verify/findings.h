// What runledger-verify found, as it is printed: sentences for people, fields for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "ledger/proof/checkpoint.h"

namespace tools {

/// Owns: values. Threads: a value.
struct Findings {
  std::string text;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();

  void describe(const ledger::Checkpoint& checkpoint) {
    json["origin"] = checkpoint.origin;
    json["size"] = checkpoint.size;
    json["root"] = base::hex(checkpoint.root);
  }
};

}  // namespace tools
