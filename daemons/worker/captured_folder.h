// The captured script as it lies for a job: copies of what is on record, and links to whatever else the script's folder holds.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "daemons/worker/plan.h"

namespace daemons {

/// What the ledger's blobs hold for an attempt.
struct CapturedFiles {
  std::string script;
  std::vector<std::string> siblings;  // as in the plan
  std::string variables;              // VariableSet document; empty = none
};

inline constexpr size_t kMaxNeighbourLinks = 1000;

/// What came of linking the rest of the script's folder.
struct NeighbourLinks {
  size_t made = 0;
  bool readable = false;  // the folder could be listed; one that is away is no failure
  bool cut = false;       // it holds more names than are linked
};

// The functions below block: run them on the pool. `folder` is the captured folder, which is there.

/// Writes script and siblings; one whose name holds slashes lies in folders below.
base::Status write_captured(const std::string& folder, const AttemptPlan& plan, const CapturedFiles& files);
/// Links the other entries of the script's own folder, and of those below it that hold captured files. Never over a captured name.
NeighbourLinks link_neighbours(const std::string& folder, const AttemptPlan& plan);
/// Why the written copies of script and siblings are not the bytes recorded; empty = they are.
std::string script_problem(const std::string& folder, const AttemptPlan& plan);

}  // namespace daemons
