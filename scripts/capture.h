// A reduction script as it is on disk at this moment: its bytes, and those of the files beside it that it needs.
// What is taken and why: docs/reducing.md, "Capturing a script".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "schema/event.capnp.h"
#include "scripts/place.h"

namespace scripts {

inline constexpr size_t kMostSiblings = 128;
inline constexpr uint64_t kLargestFileBytes = 4 << 20;
inline constexpr uint64_t kLargestNamedFileBytes = 1 << 20;  // of a file that is named between quotes, or lies in a package and is no module
inline constexpr uint64_t kMostBytes = 16 << 20;             // of all files
inline constexpr size_t kMostPackageLevels = 8;
inline constexpr size_t kMostPackageNames = 1000;  // in one folder of a package
inline constexpr size_t kMostPlaces = 10'000;      // looked at for one script

struct CapturedFile {
  std::string name;  // below the script's folder: "reduce_vars.py", "mr_reduction/__init__.py"
  std::string bytes;
  base::Sha256 sha256;
};

/// Owns: values. Threads: any.
struct CapturedScript {
  CapturedFile script;
  std::vector<CapturedFile> siblings;  // sorted by name
  std::string conda_env;               // of an sns script that says CONDA_ENV = "..."; else empty
  std::vector<std::string> remarks;    // what was not taken, and why: one sentence each, in order

  uint64_t size_bytes() const;
};

/// Reads the script at `path` and what it needs. Blocking: call it on the pool. `places`, if given, gets whatever was looked at: while all of it
/// is as it was, so is the result.
/// kNotFound: no such script. kUnavailable: a file that is needed is there, but not readable now. kInvalidArgument: not a file a script can
/// be (a folder, a pipe), above one of the limits, or its CONDA_ENV names no environment. Each message names the file.
base::Result<CapturedScript> capture(const std::filesystem::path& path, schema::Contract contract, Places* places = nullptr);

/// The environment that the CONDA_ENV lines of an sns script name; empty where there is none. kInvalidArgument: two names, or one that is none;
/// the message begins with the path.
base::Result<std::string> conda_env_of(std::string_view text, const std::filesystem::path& path);

}  // namespace scripts
