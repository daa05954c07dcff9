// What kind of file it is, by its bytes alone, before any library is let near it.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "nexus/input_file.h"

namespace nexus {

/// Offset of the HDF5 signature: 0, or 512, 1024, 2048, ... behind a user block. Otherwise what the file is instead.
std::variant<uint64_t, Verdict> find_hdf5(const InputFile& file);

/// truncated, unclosed_writer or unsupported_version, if the superblock at `offset` says so.
std::optional<Verdict> check_superblock(const InputFile& file, uint64_t offset);

}  // namespace nexus
