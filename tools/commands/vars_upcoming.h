// Settings before they apply.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/context.h"

namespace tools {

void add_vars_upcoming(CLI::App& vars, Context& context);

}  // namespace tools
