// What a stage takes of its runs, and which of them do not have it yet.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ledger/rows.h"
#include "schema/event.capnp.h"

namespace ledger {

/// What every run gets by itself, as the stage that others come after.
inline constexpr std::string_view kReductionStage = "reduction";

/// The job whose output is the result of `stage` ("reduction", or a stage over single runs) for a run; 0 = there is none.
uint64_t result_for_run(const RowReader& rows, std::string_view instrument, std::string_view stage, uint64_t run_number);

/// Whether the stage makes one result of each run, as "reduction" does.
bool is_per_run(const RowReader& rows, std::string_view instrument, std::string_view stage);

/// What keeps a result of `rule` for `runs` waiting, naming the first runs without: "MARI 28001, 28003 and 4 more have no result of reduction
/// yet". Empty = nothing does.
std::string missing_inputs(const RowReader& rows, schema::StageRule::Reader rule, std::span<const uint64_t> runs,
                           std::string_view experiment);

}  // namespace ledger
