// runs --missing: run numbers of which there is no run.
#pragma once

#include <string>

#include "tools/context.h"

namespace tools {

/// The holes between the first and last run of an instrument, or of each; `instrument` empty = all.
base::Result<int> list_missing(Context& context, const std::string& instrument);

}  // namespace tools
