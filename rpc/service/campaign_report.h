// How the outputs of a campaign differ from those there were before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/view_rows.h"
#include "rpc/access/policy.h"
#include "schema/api.capnp.h"

namespace rpc {

/// Writes the versions it made of runs that `sight` has, compared with the newest result before, and answers where the next page begins; empty = that
/// was all. A page ends after `limit` runs, or sooner when many files had to be compared. Runs that were passed are left out. For the pool.
std::string write_report(const ledger::RowReader& rows, const Sight& sight, uint64_t campaign, size_t limit, std::string_view after,
                         schema::Campaigns::ReportResults::Builder results);

}  // namespace rpc
