// Where a version's output goes.
#pragma once

#include <string>
#include <string_view>

namespace daemons {

/// What the places of a pattern are filled with.
struct OutputFields {
  std::string_view instrument;
  std::string_view experiment;
  std::string run = {};    // "28001", "28001-28004"
  std::string stage = {};
};

/// The pattern with {instrument}, {experiment}, {run} and {stage} filled; {version} is left for the ledger, which counts.
/// Whatever a data file says of its experiment becomes one harmless path component: letters, digits, "._-"; unknown, or a
/// number that names none (-1, 0), becomes "unknown".
std::string output_directory(std::string_view pattern, const OutputFields& fields);

}  // namespace daemons
