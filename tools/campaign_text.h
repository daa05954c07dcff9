// A campaign, its plan and its report in words and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/api.capnp.h"

namespace tools {

/// Runs that have a job which ended, or get none.
uint64_t done_runs(schema::CampaignRow::Reader campaign);
/// Nothing more happens to it.
bool is_over(schema::CampaignRow::Reader campaign);
/// Time until its last job ends, from what its jobs took so far (while none has ended, from what its runs took before) and how many of
/// them run now. nullopt: nothing is known of that, or none runs.
std::optional<int64_t> left_ns(schema::CampaignRow::Reader campaign);

/// "1204 of 2000 done: 1190 succeeded, 14 failed; 100 wait, 4 run; about 2 h 05 min left".
std::string progress_text(schema::CampaignRow::Reader campaign);
/// "MARI, SANS2D".
std::string instruments_text(schema::CampaignRow::Reader campaign);
std::vector<std::pair<std::string, std::string>> campaign_lines(schema::CampaignRow::Reader campaign);

nlohmann::ordered_json campaign_json(schema::CampaignRow::Reader campaign);
nlohmann::ordered_json campaign_run_json(schema::CampaignRunRow::Reader run);
nlohmann::ordered_json compared_json(schema::ComparedRun::Reader run);
nlohmann::ordered_json estimate_json(schema::CampaignEstimate::Reader estimate);

/// How many runs came to what, as a report counts them.
class Comparison {
 public:
  void add(schema::ComparedRun::Outcome outcome);
  /// "1987 the same, 12 differ, 1 failed"; "no run yet".
  std::string text() const;
  /// {same, differs, only_after, failed, unfinished}
  nlohmann::ordered_json json() const;

 private:
  uint64_t same_ = 0, differs_ = 0, only_after_ = 0, failed_ = 0, unfinished_ = 0;
};

}  // namespace tools
