#include "ledger/views/experiments.h"

#include <algorithm>
#include <optional>

#include "base/experiment.h"
#include "ledger/views/edit.h"
#include "ledger/views/runs.h"

namespace ledger {
namespace {

bool has_runs(const Rows& rows, std::string_view experiment, std::string_view instrument) {
  std::string prefix = ExperimentsView::run_mark(experiment, text_key(instrument));
  bool found = false;
  rows.scan(ViewId::kExperiments, prefix, [&](std::string_view key, std::string_view) {
    found = key.starts_with(prefix);
    return false;
  });
  return found;
}

void leave(Rows& rows, std::string_view experiment, std::string_view instrument, std::string_view run) {
  rows.erase(ViewId::kExperiments, ExperimentsView::run_mark(experiment, run));
  rows.erase(ViewId::kExperiments, ExperimentsView::experiment_key(run));
  RowEdit<schema::ExperimentRow> row(rows, ViewId::kExperiments, ExperimentsView::row_key(experiment));
  if (row->getRuns() <= 1) return rows.erase(ViewId::kExperiments, ExperimentsView::row_key(experiment));
  row->setRuns(row->getRuns() - 1);
  if (!has_runs(rows, experiment, instrument)) {
    auto instruments = texts(row->asReader().getInstruments());
    std::erase(instruments, instrument);
    set_texts(row->initInstruments(static_cast<uint32_t>(instruments.size())), instruments);
  }
  row.save();
}

void join(Rows& rows, const std::string& experiment, std::string_view instrument, std::string_view run, int64_t time) {
  rows.put(ViewId::kExperiments, ExperimentsView::run_mark(experiment, run), "");
  rows.put(ViewId::kExperiments, ExperimentsView::experiment_key(run), experiment);
  RowEdit<schema::ExperimentRow> row(rows, ViewId::kExperiments, ExperimentsView::row_key(experiment));
  if (!row.found()) {
    row->setExperiment(experiment);
    row->setFirstSeenAt(time);
  }
  row->setRuns(row->getRuns() + 1);
  row->setLastSeenAt(time);
  auto instruments = texts(row->asReader().getInstruments());
  auto place = std::lower_bound(instruments.begin(), instruments.end(), instrument);
  if (place == instruments.end() || *place != instrument) {
    instruments.emplace(place, instrument);
    set_texts(row->initInstruments(static_cast<uint32_t>(instruments.size())), instruments);
  }
  row.save();
}

void fold_reading(schema::Event::Reader event, schema::RunDetected::Reader reading, bool again, Rows& rows) {
  const auto key = reading.getRun();
  std::string_view instrument = view(key.getInstrument());
  std::string run = run_key(instrument, key.getRunNumber());
  std::string experiment(experiment_of(reading.getMetadata()));
  if (!base::names_experiment(experiment)) experiment.clear();
  std::optional<std::string> before;
  if (again) before = rows.get(ViewId::kExperiments, ExperimentsView::experiment_key(run));  // a run is detected once: it is in none yet
  if (before && *before == experiment) {
    RowEdit<schema::ExperimentRow> row(rows, ViewId::kExperiments, ExperimentsView::row_key(experiment));
    row->setLastSeenAt(event.getTime());
    return row.save();
  }
  if (before) leave(rows, *before, instrument, run);
  if (!experiment.empty()) join(rows, experiment, instrument, run, event.getTime());
}

}  // namespace

std::string ExperimentsView::row_key(std::string_view experiment) { return kind_key('e', text_key(experiment)); }
std::string ExperimentsView::run_mark(std::string_view experiment, std::string_view run_key) {
  return kind_key('r', text_key(experiment)).append(run_key);
}

void ExperimentsView::fold(schema::Event::Reader event, Rows& rows) const {
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::RUN_DETECTED: return fold_reading(event, body.getRunDetected(), false, rows);
    case schema::Event::Body::RUN_REVISED: return fold_reading(event, body.getRunRevised(), true, rows);
    default: return;
  }
}

}  // namespace ledger
