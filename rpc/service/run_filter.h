// Which runs a caller asks for.
#pragma once

#include "base/status.h"
#include "ledger/run_selection.h"
#include "rpc/access/policy.h"
#include "schema/api.capnp.h"

namespace rpc {

/// As the ledger picks runs, of those that `sight` has. kInvalidArgument: it asks for what there cannot be.
base::Result<ledger::RunPick> read_filter(schema::RunFilter::Reader filter, const Sight& sight);
/// It asks no more than ledger::list_runs answers from an index.
bool is_simple(const ledger::RunPick& pick);

}  // namespace rpc
