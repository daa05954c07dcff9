// Roles between the policy's values and the record's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/canonical.h"
#include "ledger/rows.h"
#include "rpc/access/caller.h"
#include "schema/row.capnp.h"

namespace rpc {

Grant read_grant(schema::Grant::Reader grant);
void write_grant(const Grant& grant, schema::Grant::Builder builder);
/// The roles an account has on record, sorted.
std::vector<Grant> grants_on_record(const ledger::RowReader& rows, std::string_view account);
/// What is in `these` and not in `those`; both sorted.
std::vector<Grant> without(const std::vector<Grant>& these, const std::vector<Grant>& those);
/// The same role of the same thing, whatever gives it.
bool is_same_role(const Grant& one, const Grant& other);

}  // namespace rpc
