// What became of a variable: every value it had, and which versions were reduced with each.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ledger/canonical.h"
#include "ledger/ledger.h"
#include "schema/row.capnp.h"

namespace ledger {

struct ReducedVersion {
  uint64_t run_number;
  uint16_t version;
  uint64_t job;
};

/// One value of a variable, from the event that brought it to the one that ended it.
struct ValueHistory {
  Row<schema::VariableRule> rule;  // as given then; a script's default: seq and time of its registration, set by nobody
  bool from_script = false;
  uint64_t ended_seq = 0;                // 0 = it holds
  std::vector<ReducedVersion> versions;  // oldest first, no more than were to be kept
  uint64_t version_count = 0;            // all of them
};

/// Every value variables called `name` were set to or had by default, oldest first. A default that stays the same from one
/// script to the next is one value. Values given with a request are of that version alone and not among them.
/// Reads the instrument's settings and every version of its runs: not for the loop.
base::Result<std::vector<ValueHistory>> blame(const Snapshot& snapshot, std::string_view instrument, std::string_view name,
                                              size_t keep_versions = 1000);

}  // namespace ledger
