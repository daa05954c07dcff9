// Names for changes: sent again with the same one, a change is carried out once (promise P4).
#pragma once

#include <string>

namespace tools {

/// 32 random hex digits: another one each time.
std::string new_command_id();

}  // namespace tools
