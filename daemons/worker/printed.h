// What a script printed: for the record, and as files in its output where the systems before put theirs.
#pragma once

#include <string>
#include <vector>

#include "daemons/worker/log_capture.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// Owns: at most three bounded logs. Threads: one at a time.
struct Printed {
  LogCapture all;             // in the order in which it was read
  LogCapture output, errors;  // each by itself, where the two are kept apart
};

/// Whether standard output and error are read from pipes of their own. Where nobody asks which is which they share one, which keeps
/// their order exactly.
bool keeps_streams_apart(const AttemptPlan& plan);

/// Writes the log files of the contract into `directory`/reduction_log, never over what is there. The value is remarks. Blocking.
std::vector<std::string> write_log_files(const AttemptPlan& plan, const Printed& printed, const std::string& directory);

}  // namespace daemons
