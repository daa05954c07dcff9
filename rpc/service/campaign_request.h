// A campaign that somebody asks for: which runs it would have, and why it cannot be started.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/campaign_plan.h"
#include "ledger/ledger.h"
#include "rpc/access/policy.h"
#include "rpc/service/access_settings.h"
#include "schema/api.capnp.h"

namespace rpc {

struct PlannedRequest {
  ledger::PlannedCampaign plan;
  std::vector<std::string> problems;   // why it cannot be started; empty = it can
  std::optional<Resource> allowed;     // the first run that is the caller's to reduce
  std::optional<Resource> refused;     // the first he sees that is not
};

/// The action a run of such a campaign takes.
Action action_of(schema::CampaignStarted::Kind kind);

/// Chooses among the runs that `caller` sees, and asks of each whether it is his to reduce: for the pool. The problems are those of the rights and
/// limits first, then what deciding would refuse.
PlannedRequest plan_request(const ledger::RowReader& rows, const Caller& caller, const AccessSettings& settings, schema::CampaignRequest::Reader request,
                            const ledger::KeepGoing& keep_going = {});

/// What starts it, with its plan.
void write_start(schema::CampaignRequest::Reader request, const ledger::PlannedCampaign& plan, schema::Command::Builder command);

void write_estimate(const PlannedRequest& planned, schema::CampaignEstimate::Builder estimate);

}  // namespace rpc
