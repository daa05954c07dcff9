// The JSON that programs may rely on: fields only ever get added. Fields and meanings: docs/formats/json_output.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "schema/api.capnp.h"
#include "tools/event_text.h"
#include "tools/records.h"
#include "tools/script_files.h"

namespace tools {

using Json = nlohmann::ordered_json;

/// Unknown is null, never 0 or "". Times are ISO 8601 with nine digits, UTC with Z; a file's clock without a zone is shown without
/// Z. Every string is valid UTF-8.
Json run_json(schema::RunRow::Reader run);
/// What the file says of the run; `raw_text` has the text of fields that could not be understood.
Json metadata_json(schema::RunMetadata::Reader metadata);
Json version_json(const VersionDetail& detail);
/// A stage's result or a trial, as a run lists it.
Json other_job_json(schema::JobRow::Reader job);
Json environment_json(schema::Environment::Reader environment);
Json raw_files_json(capnp::List<schema::RawFile>::Reader files);
Json variables_json(schema::VariableSet::Reader set);
Json rule_json(schema::VariableRule::Reader rule);
Json script_json(schema::ScriptRow::Reader script);
/// {name (null: the script), a_sha256, b_sha256, diff}
Json difference_json(const ScriptDifference& difference);
Json status_json(schema::Status::Reader status);
/// {configured, refreshed_at, problem}
Json directory_json(schema::AccessStatus::Reader status);
Json queue_json(schema::QueueRow::Reader row);
/// {seq, time, kind, actor, code, text, cause, right}
Json event_json(const EventLine& line);
/// The same with instrument, run_number, version, job, stage and campaign: a line of `watch`.
Json watch_json(const EventLine& line);
Json scope_json(schema::Scope::Reader scope);
/// A variable's value, kept as JSON text; text that is none stays text.
Json json_value(std::string_view value);
/// A setting's; null where it follows the script.
Json setting_value(schema::Variable::Reader variable);

/// Valid UTF-8 of any bytes; null when empty.
Json text_or_null(std::string_view text);
/// exact_time(); null for 0.
Json time_or_null(int64_t time_ns);
/// 64 hex digits; null when there is no hash.
Json hash_or_null(std::string_view sha256);

}  // namespace tools
