// One attempt at a job, as plain values: what workerd was given to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schema/api.capnp.h"

namespace daemons {

struct PlannedInput {
  std::string path;  // as in the record
  uint64_t size_bytes = 0;
  std::string sha256;
  int64_t modified_at = 0;  // 0 = not on record
  std::string_view noun = "raw file";
};

/// A file that a variable's value names.
struct PlannedSupportFile {
  schema::Variable::Group group = schema::Variable::Group::STANDARD;
  std::string name;  // of the variable
  std::string path;  // absolute, or a url
  std::string sha256;
  uint64_t size_bytes = 0;
  bool kept = false;  // the ledger has its bytes, and the script gets these
};

struct AttemptPlan {
  uint64_t job = 0;
  uint16_t attempt = 0;
  uint64_t fence = 0;
  std::string instrument, experiment;
  std::vector<uint64_t> runs;  // their numbers
  schema::JobKind kind = schema::JobKind::REDUCTION;
  std::string stage;  // of a stage's job
  uint16_t version = 0;
  schema::Contract contract = schema::Contract::UNSET;
  std::string script_path, script_sha256;
  struct Sibling {
    std::string name, sha256;
  };
  std::vector<Sibling> siblings;
  std::string variables_sha256;  // empty = none
  std::vector<PlannedInput> inputs;         // the raw files; where there are sources, what is taken from these
  std::string sources_sha256;               // JobSources document; empty = the job takes the raw files
  std::vector<std::string> input_patterns;  // which files of the sources
  std::vector<PlannedSupportFile> support_files;
  std::string output_directory;  // without a slash at its end
  std::string interpreter;
  uint64_t time_limit_ms = 0, memory_limit_bytes = 0;  // 0 = none
  std::string flat_folder;  // where links to the output's files are kept; empty = nowhere
  bool stderr_fails = false;
  std::vector<std::string> stderr_allowed;
  std::vector<std::string> lost_stagings;  // of earlier attempts at this job that were lost

  static AttemptPlan from(schema::JobRow::Reader job, uint16_t attempt, uint64_t fence);
  /// "MARI 28001 v2, attempt 1", "MARI 28001 plots v1, attempt 1", "MARI 28001 trial 4711".
  std::string name() const;
  /// "28001", or "28001-28004" for several.
  std::string run_words() const;
  uint64_t run_number() const { return runs.empty() ? 0 : runs.front(); }
  std::string staging() const;
};

/// What came of the script, before anybody accepted it.
struct AttemptVerdict {
  enum class Outcome { kSucceeded, kFailed, kSkipped };
  Outcome outcome = Outcome::kFailed;
  schema::FailureKind kind = schema::FailureKind::UNSET;
  std::string message;
  std::string traceback;
  int wait_status = 0;

  static AttemptVerdict failed(schema::FailureKind kind, std::string message) {
    return {Outcome::kFailed, kind, std::move(message), {}, 0};
  }
};

}  // namespace daemons
