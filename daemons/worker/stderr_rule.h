// The rule of instruments for which whatever is printed to standard error is a failure.
#pragma once

#include <string>
#include <vector>

#include "daemons/worker/plan.h"

namespace daemons {

/// Applies the rule to a success: text on standard error in whose lines none of the regular expressions `allowed` is found makes it a
/// failure; a line in which one is found goes into the message. Other verdicts stay as they are.
void apply_stderr_rule(AttemptVerdict& verdict, const std::string& errors, const std::vector<std::string>& allowed);

}  // namespace daemons
