// Waiting for a campaign: how far it is, until it is over.
#pragma once

#include "tools/context.h"

namespace tools {

/// Shows on a terminal how far the campaign is, elsewhere a line every tenth of its runs, and what becomes of it. Prints at the end what it
/// came to, in JSON as `campaign show`. kDone when it finished and no run failed, else kError.
base::Result<int> follow_campaign(Context& context, Client& client, uint64_t campaign);

}  // namespace tools
