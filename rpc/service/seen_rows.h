// What a caller sees of the views' rows.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ledger/recorded_subjects.h"
#include "ledger/view_rows.h"
#include "rpc/access/policy.h"
#include "rpc/service/event_sight.h"

namespace rpc {

/// For ledger::list_runs; nullopt = everything.
std::optional<std::vector<ledger::RunArea>> areas_of(const Sight& sight);
Resource resource_of(schema::RunRow::Reader run);
/// The first of the job's runs, and who asked for it.
Resource resource_of(const ledger::RowReader& rows, schema::JobRow::Reader job);
bool sees(const Sight& sight, schema::RunRow::Reader run);
/// Any of the job's runs.
bool sees(const ledger::RowReader& rows, const Sight& sight, schema::JobRow::Reader job);

/// The event, if `sight` has it. Who does not see everything is not told whether one is there: `hidden` says that to us.
base::Result<kj::Array<capnp::word>> seen_event(const ledger::Snapshot& snapshot, const EventSight& sight, uint64_t seq, ledger::RecordedSubjects& subjects,
                                                bool& hidden);

struct SeenCounts {
  struct Part {  // of an instrument
    uint64_t runs = 0;
    uint64_t last_run = 0;
    uint64_t waiting = 0;
  };
  ledger::StateCounts by_state{};
  std::map<std::string, Part, std::less<>> parts;  // of instruments that are not seen as a whole
};
/// Counted by reading every run that is seen through an experiment, and the queue.
SeenCounts seen_counts(const ledger::RowReader& rows, const Sight& sight);
bool counts_by_reading(const Sight& sight);
/// The experiment's row as far as its runs are seen; nullopt = none is.
std::optional<ledger::Row<schema::ExperimentRow>> seen_experiment(const ledger::RowReader& rows, const Sight& sight, schema::ExperimentRow::Reader row);
ledger::Page<schema::ExperimentRow> seen_experiments(const ledger::RowReader& rows, const Sight& sight, size_t limit, std::string_view after);
ledger::Page<schema::QueueRow> seen_queue(const ledger::RowReader& rows, const Sight& sight, size_t limit, std::string_view after);

}  // namespace rpc
