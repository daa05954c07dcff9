// Who had which role at a moment, from the events that granted and revoked them.
#pragma once

#include <string_view>
#include <vector>

#include "ledger/canonical.h"
#include "ledger/ledger.h"
#include "schema/row.capnp.h"

namespace ledger {

/// Every grant that let an account see something of the experiment when the log ended where `snapshot` does: its members, the scientists of
/// the instruments it had runs on, and who sees everything. Sorted by account. kNotFound: there was no such experiment, and no grant for it.
base::Result<std::vector<Row<schema::GrantRow>>> who_could_see(const Snapshot& snapshot, std::string_view experiment);

}  // namespace ledger
