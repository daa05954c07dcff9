// Where a password comes from: typed on the terminal without echo, or read from a descriptor. Never an argument, never the environment.
#pragma once

#include <string>

#include "base/status.h"
#include "tools/secret.h"

namespace tools {

/// Asks on the terminal this program was started from (/dev/tty), whatever its streams are. A signal that ends or stops the program
/// finds the terminal as it was; after a stop it asks again. kUnavailable: there is no terminal. kInvalidArgument: nothing was typed.
base::Result<Secret> ask_password(const std::string& prompt);
/// The same with echo, for what is no secret; `otherwise` when nothing is typed.
base::Result<std::string> ask_line(const std::string& prompt, const std::string& otherwise);
/// The first line of what `descriptor` gives. kInvalidArgument: it is empty, too long, or cannot be read.
base::Result<Secret> read_password(int descriptor);

/// From here on this process leaves no core dump, and other programs of the account cannot look into it.
void keep_out_of_core_dumps();

}  // namespace tools
