// Which texts name an experiment.
#pragma once

#include <string_view>

namespace base {

/// False for what is written where there is no proposal: nothing, 0, and negative numbers (-1 at ISIS). Runs of different people have
/// these in common; no facility numbers its experiments so.
bool names_experiment(std::string_view text);

}  // namespace base
