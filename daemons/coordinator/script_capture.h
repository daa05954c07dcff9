// The script as it is on disk at this moment: its bytes, and those of the files it needs beside it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "schema/event.capnp.h"

namespace daemons {

struct CapturedFile {
  std::string name;
  std::string bytes;
  base::Sha256 sha256;
};

/// Owns: values. Threads: any.
struct CapturedScript {
  CapturedFile script;
  std::vector<CapturedFile> siblings;  // reduce_vars.py of the ISIS contract
};

/// Reads the script at `path`. Blocking: call it on the pool.
/// kNotFound: no such file. kUnavailable: there, but not readable now. kInvalidArgument: not a file a script can be (folder, over 4 MiB).
base::Result<CapturedScript> capture_script(const std::filesystem::path& path, schema::Contract contract);

}  // namespace daemons
