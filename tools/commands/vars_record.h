// vars history and vars blame: what the record says of variables.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/context.h"

namespace tools {

/// Below `vars`.
void add_vars_history(CLI::App& vars, Context& context);
void add_vars_blame(CLI::App& vars, Context& context);

}  // namespace tools
