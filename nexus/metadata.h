// What an open file says of its run. The paths tried for each field: docs/formats/nexus_inputs.md. For the .cc files of this folder
// only.
#pragma once

#include <string>
#include <variant>

#include "nexus/fields.h"
#include "nexus/problems.h"
#include "nexus/verdict.h"
#include "nexus/walk.h"
#include "schema/event.capnp.h"

namespace nexus {

/// The NXentry that is read.
struct Entry {
  Hid group;
  std::string path;  // bytes as in the file
  uint32_t count = 0;
};

/// The entry the root attribute `default` names, else the first by name; no_entry if there is none.
std::variant<Entry, Verdict> choose_entry(hid_t file, Problems& problems);

/// Fills `run`; what cannot be told stays unknown, with the reason in `problems`. `arrived_ns`: no run ends later than its file
/// came.
void read_metadata(hid_t file, const Entry& entry, const WalkResult& found, int64_t arrived_ns, Problems& problems,
                   schema::RunMetadata::Builder run);

}  // namespace nexus
