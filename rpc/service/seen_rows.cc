#include "rpc/service/seen_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "ledger/canonical.h"
#include "ledger/event_bytes.h"
#include "rpc/service/seen_page.h"

namespace rpc {
namespace {

using ledger::view;

constexpr size_t kRowsAPage = 1000;

}  // namespace

std::optional<std::vector<ledger::RunArea>> areas_of(const Sight& sight) {
  if (sight.is_everything()) return std::nullopt;
  std::vector<ledger::RunArea> areas;
  for (const std::string& instrument : sight.everything() ? sight.scope() : sight.instruments()) {
    if (sight.is_within_scope(instrument)) areas.push_back({instrument, {}});
  }
  for (const std::string& experiment : sight.experiments()) {
    if (sight.scope().empty()) areas.push_back({{}, experiment});
    for (const std::string& instrument : sight.scope()) {
      if (!sight.sees_all_of(instrument)) areas.push_back({instrument, experiment});
    }
  }
  return areas;
}

Resource resource_of(schema::RunRow::Reader run) {
  const std::string instrument(view(run.getRun().getInstrument()));
  return {.instrument = instrument, .experiment = std::string(view(run.getExperiment())), .what = fmt::format("{} {}", instrument, run.getRun().getRunNumber())};
}

Resource resource_of(const ledger::RowReader& rows, schema::JobRow::Reader job) {
  Resource resource;
  const auto runs = job.getQueued().getRuns();
  if (runs.size() > 0) {
    resource.instrument = view(runs[0].getInstrument());
    resource.experiment = view(job.getQueued().getExperiment());
    if (const auto run = ledger::find_run(rows, resource.instrument, runs[0].getRunNumber())) resource.experiment = view(run->get().getExperiment());
  }
  resource.account = view(job.getRequestedBy().getName());
  resource.what = fmt::format("job {}", job.getJob());
  return resource;
}

bool sees(const Sight& sight, schema::RunRow::Reader run) { return sight.sees(view(run.getRun().getInstrument()), view(run.getExperiment())); }

bool sees(const ledger::RowReader& rows, const Sight& sight, schema::JobRow::Reader job) {
  if (sight.is_everything()) return true;
  for (auto key : job.getQueued().getRuns()) {
    const auto run = ledger::find_run(rows, view(key.getInstrument()), key.getRunNumber());
    if (run && sees(sight, run->get())) return true;
  }
  return false;
}

base::Result<kj::Array<capnp::word>> seen_event(const ledger::Snapshot& snapshot, const EventSight& sight, uint64_t seq, ledger::RecordedSubjects& subjects,
                                               bool& hidden) {
  auto event = snapshot.event(seq);
  if (sight.is_everything()) return event;
  if (event.is_ok()) {
    ledger::StoredEvent stored(*event);
    const auto about = subjects.of(snapshot, stored.get());
    if (!about.is_ok()) return about.status();
    if (sight.sees(stored.get().getBody().which(), *about)) return event;
    hidden = true;
  } else if (event.status().code() != base::Code::kNotFound) {
    return event;
  }
  return base::Status(base::Code::kNotFound, fmt::format("event {}: there is no such event", seq));
}

bool counts_by_reading(const Sight& sight) { return !sight.is_everything() && !sight.experiments().empty(); }

SeenCounts::Part& part_of(SeenCounts& counts, std::string_view instrument) {
  const auto found = counts.parts.find(instrument);
  return found != counts.parts.end() ? found->second : counts.parts[std::string(instrument)];
}

SeenCounts seen_counts(const ledger::RowReader& rows, const Sight& sight) {
  if (sight.is_everything()) return {ledger::run_counts(rows), {}};
  SeenCounts counts;
  ledger::RunSelection rest;  // what is not counted by the view
  rest.within.emplace();
  std::vector<ledger::RunArea> areas = *areas_of(sight);
  for (ledger::RunArea& area : areas) {
    if (!area.experiment.empty()) {
      rest.within->push_back(std::move(area));
    } else {
      const ledger::StateCounts all = ledger::run_counts(rows, area.instrument);
      for (size_t i = 0; i < counts.by_state.size(); ++i) counts.by_state[i] += all[i];
    }
  }
  ledger::visit_runs(rows, rest, [&](schema::RunRow::Reader run) {
    const std::string_view instrument = view(run.getRun().getInstrument());
    if (sight.sees_all_of(instrument)) return true;  // counted already
    if (const auto state = static_cast<size_t>(run.getState()); state < counts.by_state.size()) ++counts.by_state[state];
    SeenCounts::Part& part = part_of(counts, instrument);
    ++part.runs;
    part.last_run = std::max<uint64_t>(part.last_run, run.getRun().getRunNumber());
    return true;
  });
  if (!counts_by_reading(sight)) return counts;
  const auto count_waiting = [&](schema::QueueRow::Reader job) {
    const std::string_view instrument = view(job.getRun().getInstrument());
    if (!sight.sees_all_of(instrument) && sight.sees(instrument, view(job.getExperiment()))) ++part_of(counts, instrument).waiting;
    return true;
  };
  ledger::list_waiting(rows, count_waiting);
  ledger::list_held(rows, count_waiting);
  return counts;
}

std::optional<ledger::Row<schema::ExperimentRow>> seen_experiment(const ledger::RowReader& rows, const Sight& sight, schema::ExperimentRow::Reader row) {
  const std::string_view experiment = view(row.getExperiment());
  std::vector<std::string> instruments;
  for (auto instrument : row.getInstruments()) {
    if (sight.sees(view(instrument), experiment)) instruments.emplace_back(view(instrument));
  }
  if (instruments.empty()) return std::nullopt;
  capnp::MallocMessageBuilder message;
  message.setRoot(row);
  auto seen = message.getRoot<schema::ExperimentRow>();
  if (instruments.size() < row.getInstruments().size()) {
    seen.setRuns(0);
    seen.setFirstSeenAt(0);
    seen.setLastSeenAt(0);
    auto list = seen.initInstruments(static_cast<uint32_t>(instruments.size()));
    ledger::RunSelection selection;
    selection.within.emplace();
    for (uint32_t i = 0; i < list.size(); ++i) {
      list.set(i, instruments[i]);
      selection.within->push_back({instruments[i], std::string(experiment)});
    }
    ledger::visit_runs(rows, selection, [&](schema::RunRow::Reader run) {
      seen.setRuns(seen.getRuns() + 1);
      if (seen.getFirstSeenAt() == 0 || run.getDetectedAt() < seen.getFirstSeenAt()) seen.setFirstSeenAt(run.getDetectedAt());
      seen.setLastSeenAt(std::max(seen.getLastSeenAt(), run.getDetectedAt()));
      return true;
    });
  }
  return ledger::Row<schema::ExperimentRow>(ledger::built_bytes(message));
}

ledger::Page<schema::ExperimentRow> seen_experiments(const ledger::RowReader& rows, const Sight& sight, size_t limit, std::string_view after) {
  if (sight.is_everything()) return ledger::list_experiments(rows, limit, after);
  ledger::Page<schema::ExperimentRow> seen;
  const auto take = [&](schema::ExperimentRow::Reader row) {
    auto shown = seen_experiment(rows, sight, row);
    if (shown && seen.rows.size() == limit) seen.next = ledger::experiment_key(view(row.getExperiment()));
    if (shown && seen.rows.size() < limit) seen.rows.push_back(std::move(*shown));
    return seen.next.empty();
  };
  if (!sight.everything() && sight.instruments().empty()) {  // a member: no other experiment is looked at
    for (const std::string& experiment : sight.experiments()) {
      if (ledger::experiment_key(experiment) < after) continue;
      const auto row = ledger::find_experiment(rows, experiment);
      if (row && !take(row->get())) break;
    }
    return seen;
  }
  for (std::string from(after);;) {
    const auto page = ledger::list_experiments(rows, kRowsAPage, from);
    for (const auto& row : page.rows) {
      if (!take(row.get())) return seen;
    }
    if (page.next.empty()) return seen;
    from = page.next;
  }
}

ledger::Page<schema::QueueRow> seen_queue(const ledger::RowReader& rows, const Sight& sight, size_t limit, std::string_view after) {
  if (sight.is_everything()) return ledger::list_queue(rows, limit, after);
  const auto list = [&](size_t most, std::string_view from) { return ledger::list_queue(rows, most, from); };
  const auto sees_waiting = [&](schema::QueueRow::Reader row) { return sight.sees(view(row.getRun().getInstrument()), view(row.getExperiment())); };
  return seen_page<schema::QueueRow>(list, sees_waiting, limit, after);
}

}  // namespace rpc
