// The documents and texts an event names by their SHA-256. Hashes of raw files, of outputs and of support files that
// are not kept are no names: their bytes lie elsewhere.
#pragma once

#include <string>
#include <vector>

#include "schema/event.capnp.h"

namespace ledger {

struct NamedBlob {
  std::string sha256;   // 32 bytes
  bool is_log = false;  // what a script printed
};

/// In the order the event has them. Events of a later release name none.
std::vector<NamedBlob> named_blobs(schema::Event::Reader event);

}  // namespace ledger
