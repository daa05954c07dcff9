// What a caller sees of campaigns, and of what stages made.
#pragma once

#include <string_view>

#include "ledger/view_rows.h"
#include "rpc/access/policy.h"

namespace rpc {

/// One of its instruments (the first that `caller` may do `action` with, else the first), and whose it is.
Resource resource_of(const Caller& caller, Action action, schema::CampaignRow::Reader campaign);
/// Its owner, and who sees one of its instruments whole.
bool sees(const Caller& caller, schema::CampaignRow::Reader campaign);
/// Its plan, which names every run: its owner, and who sees all of its instruments whole.
bool sees_plan(const Caller& caller, schema::CampaignStarted::Reader started, std::string_view owner);
bool sees(const ledger::RowReader& rows, const Sight& sight, schema::CampaignRunRow::Reader run);

/// Pages as ledger::list_... answer them, of what is seen.
ledger::Page<schema::CampaignRow> seen_campaigns(const ledger::RowReader& rows, const Caller& caller, size_t limit, std::string_view after);
ledger::Page<schema::CampaignRunRow> seen_campaign_runs(const ledger::RowReader& rows, const Sight& sight, uint64_t campaign, size_t limit, std::string_view after);
ledger::Page<schema::StageResultRow> seen_stage_results(const ledger::RowReader& rows, const Sight& sight, std::string_view instrument, std::string_view stage,
                                                        size_t limit, std::string_view after);

}  // namespace rpc
