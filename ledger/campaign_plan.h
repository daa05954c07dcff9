// Which runs a campaign would reduce again, which not and why, and how long that may take.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ledger/decide/limits.h"
#include "ledger/keep_going.h"
#include "ledger/run_selection.h"

namespace ledger {

struct CampaignAsked {
  RunPick pick = {};  // only runs that the caller sees: what it leaves out is named nowhere
  schema::CampaignStarted::Kind kind = schema::CampaignStarted::Kind::REPROCESS;
  schema::ReductionRequested::ScriptChoice script = schema::ReductionRequested::ScriptChoice::STORED;
  /// Whether the caller may have this run reduced again; the sentence says why not.
  std::function<base::Status(schema::RunRow::Reader run)> may = {};
  size_t most_runs = kMaxCampaignRuns;
  size_t most_passed = 1000;
};

struct PlannedCampaign {
  struct Planned {
    std::string instrument;
    uint64_t run_number;
    uint16_t basis;    // its version now; 0 = none
    uint64_t last_ms;  // how long its result took, else its last job; 0 = unknown
  };
  struct Passed {
    std::string instrument;
    uint64_t run_number;
    std::string code, text;  // docs/reasons.md
  };
  std::vector<Planned> runs;  // by instrument and run number, no more than most_runs
  uint64_t run_count = 0;     // all of them
  std::vector<Passed> passed;  // chosen, but not to be had; no more than most_passed
  uint64_t passed_count = 0;
  uint64_t considered = 0;
  uint64_t estimate_ms = 0;        // sum of past durations; of runs without one the average of their instrument's others
  uint64_t unknown_durations = 0;  // runs whose instrument has none, either
  std::string document;            // a CampaignPlan; empty = there are no runs, or more than most_runs
};

/// A replay is over what went wrong: of the runs meant those that failed, or that no job was made for; others are not among those passed, unless
/// their script skipped them. Reads the row of each run and few jobs: for the pool. Ended early, it says what it had by then, without a document.
PlannedCampaign plan_campaign(const RowReader& rows, const CampaignAsked& asked, const KeepGoing& keep_going = {});

}  // namespace ledger
