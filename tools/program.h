// The command `runledger`: options, subcommands, exit codes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/commands/commands.h"

namespace tools {

using AddCommand = void (*)(CLI::App&, Context&);

/// Runs one command line (without the program's name) and returns the exit code. `more` are commands of other files.
int run_program(std::vector<std::string> arguments, Context& context, std::span<const AddCommand> more = {});

}  // namespace tools
