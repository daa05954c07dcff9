#include "rpc/service/seen_campaigns.h"

#include <fmt/format.h>

#include "rpc/service/seen_page.h"
#include "rpc/service/seen_rows.h"

namespace rpc {

using ledger::view;

Resource resource_of(const Caller& caller, Action action, schema::CampaignRow::Reader campaign) {
  Resource resource{.account = std::string(view(campaign.getOwner().getName())), .what = fmt::format("campaign {}", campaign.getCampaign())};
  for (auto instrument : campaign.getStarted().getInstruments()) {
    Resource of_one = resource;
    of_one.instrument = view(instrument);
    if (decide(caller, action, of_one).allowed) return of_one;
    if (resource.instrument.empty()) resource.instrument = view(instrument);
  }
  return resource;
}

bool sees(const Caller& caller, schema::CampaignRow::Reader campaign) {
  return decide(caller, Action::kSeeCampaign, resource_of(caller, Action::kSeeCampaign, campaign)).allowed;
}

bool sees_plan(const Caller& caller, schema::CampaignStarted::Reader started, std::string_view owner) {
  for (auto instrument : started.getInstruments()) {
    if (!decide(caller, Action::kSeeCampaign, {.instrument = std::string(view(instrument)), .account = std::string(owner)}).allowed) return false;
  }
  return true;
}

bool sees(const ledger::RowReader& rows, const Sight& sight, schema::CampaignRunRow::Reader row) {
  const std::string_view instrument = view(row.getRun().getInstrument());
  if (sight.sees_all_of(instrument)) return true;
  if (sight.experiments().empty() || !sight.is_within_scope(instrument)) return false;
  const auto run = ledger::find_run(rows, instrument, row.getRun().getRunNumber());
  return run && sees(sight, run->get());
}

ledger::Page<schema::CampaignRow> seen_campaigns(const ledger::RowReader& rows, const Caller& caller, size_t limit, std::string_view after) {
  if (Sight::of(caller).is_everything()) return ledger::list_campaigns(rows, limit, after);
  const auto list = [&](size_t most, std::string_view from) { return ledger::list_campaigns(rows, most, from); };
  return seen_page<schema::CampaignRow>(list, [&](schema::CampaignRow::Reader row) { return sees(caller, row); }, limit, after);
}

ledger::Page<schema::CampaignRunRow> seen_campaign_runs(const ledger::RowReader& rows, const Sight& sight, uint64_t campaign, size_t limit, std::string_view after) {
  if (sight.is_everything()) return ledger::campaign_runs(rows, campaign, limit, after);
  const auto list = [&](size_t most, std::string_view from) { return ledger::campaign_runs(rows, campaign, most, from); };
  return seen_page<schema::CampaignRunRow>(list, [&](schema::CampaignRunRow::Reader row) { return sees(rows, sight, row); }, limit, after);
}

ledger::Page<schema::StageResultRow> seen_stage_results(const ledger::RowReader& rows, const Sight& sight, std::string_view instrument, std::string_view stage,
                                                        size_t limit, std::string_view after) {
  if (sight.sees_all_of(instrument)) return ledger::list_stage_results(rows, instrument, stage, limit, after);
  const auto list = [&](size_t most, std::string_view from) { return ledger::list_stage_results(rows, instrument, stage, most, from); };
  const auto sees_result = [&](schema::StageResultRow::Reader row) {
    if (sight.sees(instrument, view(row.getExperiment()))) return true;
    if (sight.experiments().empty()) return false;
    for (const uint64_t number : row.getRuns()) {
      const auto run = ledger::find_run(rows, instrument, number);
      if (run && sees(sight, run->get())) return true;
    }
    return false;
  };
  return seen_page<schema::StageResultRow>(list, sees_result, limit, after);
}

}  // namespace rpc
