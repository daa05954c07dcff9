// init, up and verify: the commands that act on a site folder rather than, or as well as, on a ledger that answers.
#pragma once

#include "tools/commands/commands.h"

namespace tools {

void add_init(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
void add_up(CLI::App& app, Context& context);

}  // namespace tools
