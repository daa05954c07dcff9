// What a file of a watched folder is: a run with its metadata, not complete yet, or no run at all, and why.
// Outcome codes, completeness rules and the source of each field: docs/formats/nexus_inputs.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "schema/rawfile.capnp.h"

namespace nexus {

struct ExamineOptions {
  size_t objects_most = 500'000;  // looked at in one file; more is said in the problems
  size_t depth_most = 10'000;     // levels of groups
  std::chrono::milliseconds walk_time{30'000};
};

/// Examines the file at `path` (absolute; any bytes), which must lie inside `root` unless that is empty, and fills `report`.
///
/// Threads: one call at a time in a process, as libhdf5 has it. Silences libhdf5 and forbids its plugins in this process.
/// Errors:  every outcome is in the report; libhdf5 may crash on a hostile file, so run it in runledger-read-raw.
/// The bytes hashed are the bytes examined: both come through one descriptor, and a file that changed meanwhile is `growing`.
void examine(std::string_view path, std::string_view root, const ExamineOptions& options, schema::RawFileReport::Builder report);

}  // namespace nexus
