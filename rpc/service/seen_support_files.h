// What a caller sees of an instrument's support files.
#pragma once

#include <string_view>

#include "ledger/view_rows.h"
#include "rpc/access/policy.h"

namespace rpc {

/// All, of who sees the instrument whole. Of others those that the script's own values name, or a setting they see: a path that was set for an
/// experiment is that experiment's.
ledger::Page<schema::SupportFileRow> seen_support_files(const ledger::RowReader& rows, const Sight& sight, std::string_view instrument, size_t limit,
                                                        std::string_view after);
/// The setting's scope is no experiment, or one that is seen.
bool sees_scope(const Sight& sight, std::string_view instrument, schema::Scope::Reader scope);

}  // namespace rpc
