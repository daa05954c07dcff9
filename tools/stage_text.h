// Stages and what they made, in words and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "schema/api.capnp.h"

namespace tools {

/// "MARI 28001", "MARI 28001-28004", "experiment 2010001": what the result is of.
std::string result_subject(schema::StageResultRow::Reader result);

nlohmann::ordered_json stage_json(schema::StageRow::Reader stage);
nlohmann::ordered_json stage_result_json(schema::StageResultRow::Reader result);

}  // namespace tools
