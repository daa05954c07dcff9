// One attempt at a job, as plain values: what workerd was given to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schema/api.capnp.h"

namespace daemons {

struct PlannedInput {
  std::string path;  // as in the record
  uint64_t size_bytes = 0;
  std::string sha256;
  int64_t modified_at = 0;
};

struct AttemptPlan {
  uint64_t job = 0;
  uint16_t attempt = 0;
  uint64_t fence = 0;
  std::string instrument;
  uint64_t run_number = 0;
  uint16_t version = 0;
  schema::Contract contract = schema::Contract::UNSET;
  std::string script_path, script_sha256;
  struct Sibling {
    std::string name, sha256;
  };
  std::vector<Sibling> siblings;
  std::string variables_sha256;  // empty = none
  std::vector<PlannedInput> inputs;
  std::string output_directory;  // without a slash at its end
  std::string interpreter;
  uint64_t time_limit_ms = 0, memory_limit_bytes = 0;  // 0 = none
  std::vector<std::string> lost_stagings;              // of earlier attempts at this job that were lost

  static AttemptPlan from(schema::JobRow::Reader job, uint16_t attempt, uint64_t fence);
  /// "MARI 28001 v2, attempt 1"
  std::string name() const;
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
