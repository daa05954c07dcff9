// What there is to know of campaigns: the commands below `campaign` that change nothing.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/context.h"

namespace tools {

void add_campaign_list(CLI::App& campaign, Context& context);
void add_campaign_show(CLI::App& campaign, Context& context);
void add_campaign_runs(CLI::App& campaign, Context& context);
void add_campaign_report(CLI::App& campaign, Context& context);

}  // namespace tools
