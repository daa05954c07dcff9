// Campaigns: how far each is, and what became of its runs. Rows: schema/row.capnp, CampaignRow and CampaignRunRow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kCampaigns:
///   'c' 2^64-1-campaign(8)                -> CampaignRow; the newest is listed first
///   'o' campaign(8)                       -> empty; it has not finished
///   'r' campaign(8) instrument 00 run(8)  -> CampaignRunRow
///   'w' campaign(8) job(8)                -> empty; a job of it that waits or is held
///   'j' job(8)                            -> campaign(8), start of its last attempt(8), instrument 00 run(8); gone once the job has ended
///   'e' job(8)                            -> outcome.h
class CampaignsView final : public View {
 public:
  static std::string row_key(uint64_t campaign) { return std::string("c").append(u64_key(UINT64_MAX - campaign)); }
  static std::string open_key(uint64_t campaign) { return std::string("o").append(u64_key(campaign)); }
  static std::string runs_prefix(uint64_t campaign) { return std::string("r").append(u64_key(campaign)); }
  static std::string run_row_key(uint64_t campaign, std::string_view run_key) { return runs_prefix(campaign).append(run_key); }
  static std::string waiting_prefix(uint64_t campaign) { return std::string("w").append(u64_key(campaign)); }
  static std::string job_key(uint64_t job) { return std::string("j").append(u64_key(job)); }

  ViewId id() const override { return ViewId::kCampaigns; }
  const char* name() const override { return "campaigns"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
