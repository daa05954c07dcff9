// Where this program's companions are: the same layout in the build tree and when installed.
#pragma once

#include <filesystem>
#include <string_view>

namespace base {

/// A program beside this one: PREFIX/bin/NAME.
std::filesystem::path companion_program(std::string_view name);
/// A data file of ours: PREFIX/share/runledger/NAME.
std::filesystem::path shared_file(std::string_view name);

}  // namespace base
