// A script with the files captured beside it, wherever they are on record, and how two of them differ.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/records.h"

namespace tools {

struct ScriptFiles {
  std::string name;  // whose: "MARI 28001 v2", "MARI"
  std::string path;  // where the script was read from
  std::map<std::string, std::string> files;  // name -> SHA-256 in bytes; "" is the script itself
};
ScriptFiles script_files(std::string name, schema::JobQueued::Reader queued);
ScriptFiles script_files(std::string name, schema::ScriptRegistered::Reader registered);

/// A file of another text on each side; a side without it counts as empty.
struct ScriptDifference {
  std::string name;  // "" = the script
  std::string a, b;  // SHA-256; empty = there is none
  std::string diff;  // unified
};
/// Of every file that is not the same; `only` not nullptr: of the file of that name alone.
base::Result<std::vector<ScriptDifference>> script_differences(Client& client, const ScriptFiles& a, const ScriptFiles& b, const std::string* only = nullptr);

}  // namespace tools
