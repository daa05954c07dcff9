// The script runner, in a folder of the worker's own: what jobs run does not change under them, and Python keeps it compiled there.
#pragma once

#include <string>

#include "base/status.h"

namespace daemons {

/// Copies `run_script` and the package beside it into `folder`, which is made; answers the path of the copy. Blocking: call it on
/// the pool. kUnavailable: a file cannot be read or written.
base::Result<std::string> copy_runner(const std::string& run_script, const std::string& folder);

/// The package's folder beside a run_script.py: what is worth compiling.
std::string runner_package(const std::string& run_script);

}  // namespace daemons
