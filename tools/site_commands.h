// init and up: the commands that act on a site folder rather than on a ledger that answers.
#pragma once

#include "tools/commands/commands.h"

namespace tools {

void add_init(CLI::App& app, Context& context);
void add_up(CLI::App& app, Context& context);

}  // namespace tools
