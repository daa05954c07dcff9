// What a job's documents name in their turn.
#pragma once

#include <string>
#include <vector>

#include "ledger/rows.h"
#include "schema/row.capnp.h"

namespace rpc {

/// The manifests of the results it takes: SHA-256 of each. None where it takes raw files.
std::vector<std::string> source_manifests(const ledger::RowReader& rows, schema::JobRow::Reader job);

}  // namespace rpc
