// A run and its versions as text for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/records.h"
#include "tools/table.h"

namespace tools {

using Labelled = std::vector<std::pair<std::string, std::string>>;

Labelled run_lines(schema::RunRow::Reader run);
Labelled version_lines(const VersionDetail& detail);
/// A setting's value in JSON, or "follows the script".
std::string setting_text(schema::Variable::Reader variable);
/// The variables, one a line; empty when there are none.
std::string variable_table_text(schema::VariableSet::Reader set, const Terminal& terminal);
/// PATH  (1.2 MiB, sha256 0123...)
std::string files_text(capnp::List<schema::RawFile>::Reader files);
std::string attempt_text(schema::AttemptRow::Reader attempt);
std::string decision_text(schema::Decision::Reader decision);
/// A stage's result or a trial in a line: "MARI 28001 sum v1 succeeded, job 913, in /out".
std::string other_job_text(schema::JobRow::Reader job);

}  // namespace tools
