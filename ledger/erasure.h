// Whether a document that is not there was erased on purpose.
#pragma once

#include <cstdint>
#include <string_view>

#include "ledger/ledger.h"

namespace ledger {

/// The last event that erased the document; 0 = none did. Ask when it is not there: it may have been stored anew since.
uint64_t erased_by(const Snapshot& snapshot, std::string_view sha256);
/// That it is not in this ledger. kNotFound.
base::Status blob_unknown(std::string_view sha256);
/// "document 12ab...: erased by event 17 (alice, 2026-11-01T12:00:00Z): holds a name"; or that it is not in this ledger. kNotFound.
base::Status blob_missing(const Snapshot& snapshot, std::string_view sha256);

}  // namespace ledger
