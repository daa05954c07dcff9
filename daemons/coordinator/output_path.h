// Where a version's output goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace daemons {

/// The instrument's output pattern with {instrument}, {experiment} and {run} filled; {version} is left for the ledger, which counts.
/// Whatever a data file says of its experiment becomes one harmless path component: letters, digits, "._-"; unknown, or a
/// number that names none (-1, 0), becomes "unknown".
std::string output_directory(std::string_view pattern, std::string_view instrument, std::string_view experiment, uint64_t run_number);

}  // namespace daemons
