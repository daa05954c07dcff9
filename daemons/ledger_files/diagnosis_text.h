// A diagnosis as people and programs read it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ledger/doctor.h"

namespace daemons {

/// What to do, in order; one sentence each.
std::vector<std::string> next_steps(const ledger::Diagnosis& found, const std::filesystem::path& folder);
std::string diagnosis_text(const ledger::Diagnosis& found, const std::filesystem::path& folder);
nlohmann::ordered_json diagnosis_json(const ledger::Diagnosis& found, const std::filesystem::path& folder);

}  // namespace daemons
