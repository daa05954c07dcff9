// What became of the script, from how its process ended and what run_script.py wrote down.
#pragma once

#include <optional>
#include <string>

#include "daemons/worker/log_capture.h"
#include "daemons/worker/plan.h"
#include "daemons/worker/supervised.h"

namespace daemons {

inline constexpr size_t kResultFileBytes = 4u << 20;

/// `result` is the content of result.json where there is one; it was written by the script's own process and is not believed
/// further than its form. `timed_out`: we killed it for its time limit.
AttemptVerdict judge(const AttemptPlan& plan, const SupervisedEnd& end, bool timed_out, const std::optional<std::string>& result,
              const LogCapture& log);

}  // namespace daemons
