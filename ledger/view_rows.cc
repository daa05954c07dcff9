#include "ledger/view_rows.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <set>

#include "ledger/keys.h"
#include "ledger/views/access.h"
#include "ledger/views/campaigns.h"
#include "ledger/views/edit.h"
#include "ledger/views/experiments.h"
#include "ledger/views/files.h"
#include "ledger/views/instruments.h"
#include "ledger/views/jobs.h"
#include "ledger/views/queue.h"
#include "ledger/views/runs.h"
#include "ledger/views/stages.h"
#include "ledger/views/support_files.h"
#include "ledger/views/variables.h"
#include "ledger/views/workers.h"

namespace ledger {
namespace {

template <typename T>
std::optional<Row<T>> find(const RowReader& rows, ViewId view, std::string_view key) {
  auto bytes = rows.get(view, key);
  if (!bytes) return std::nullopt;
  return Row<T>(*bytes);
}

/// Rows whose key starts with `prefix`, from `from` (or the first), until `visit` returns false.
void scan_prefix(const RowReader& rows, ViewId view, std::string_view prefix, std::string_view from,
                 const RowReader::Visit& visit) {
  rows.scan(view, std::max(prefix, from),
            [&](std::string_view key, std::string_view row) { return key.starts_with(prefix) && visit(key, row); });
}

template <typename T>
Page<T> page(const RowReader& rows, ViewId view, std::string_view prefix, size_t limit, std::string_view after) {
  Page<T> result;
  scan_prefix(rows, view, prefix, after, [&](std::string_view key, std::string_view row) {
    if (result.rows.size() == limit) {
      result.next = key;
      return false;
    }
    result.rows.emplace_back(row);
    return true;
  });
  return result;
}

template <typename T>
std::vector<Row<T>> all(const RowReader& rows, ViewId view, std::string_view prefix) {
  return page<T>(rows, view, prefix, SIZE_MAX, {}).rows;
}

void visit_queue(const RowReader& rows, QueueView::Place place, const VisitQueue& visit) {
  scan_prefix(rows, ViewId::kQueue, std::string(1, static_cast<char>(place)), {},
              [&](std::string_view, std::string_view row) { return visit(Row<schema::QueueRow>(row).get()); });
}

/// Where run keys (instrument 00 run) come from: a table of them, sorted, under a prefix; those of one instrument, or all.
struct KeySource {
  ViewId view;
  std::string prefix;
  std::string instrument;  // as keys have it; empty = all
};

/// What both name, of which either may be empty; nullopt = they differ.
std::optional<std::string> common(const std::string& one, const std::string& other) {
  if (one.empty() || one == other) return other;
  return other.empty() ? std::optional(one) : std::nullopt;
}

void add_sources(const RunSelection& selection, const RunArea& area, std::vector<KeySource>& sources) {
  const auto instrument = common(area.instrument, selection.instrument);
  const auto experiment = common(area.experiment, selection.experiment);
  if (!instrument || !experiment) return;
  const std::string key = instrument->empty() ? std::string() : text_key(*instrument);
  if (!experiment->empty()) {
    sources.push_back({ViewId::kExperiments, ExperimentsView::run_mark(*experiment, {}), key});
  } else if (selection.states.empty()) {
    sources.push_back({ViewId::kRuns, RunsView::row_key({}), key});
  } else {
    for (auto state : std::set(selection.states.begin(), selection.states.end())) {
      sources.push_back({ViewId::kRuns, RunsView::state_key(state, {}), key});
    }
  }
}

std::vector<KeySource> sources_of(const RunSelection& selection) {
  std::vector<KeySource> sources;
  for (const RunArea& area : selection.within.value_or(std::vector<RunArea>(1))) add_sources(selection, area, sources);
  return sources;
}

bool state_matches(const RunSelection& selection, schema::RunState state) {
  return selection.states.empty() || std::find(selection.states.begin(), selection.states.end(), state) != selection.states.end();
}

/// Run keys of one source at or after `from` that fit the selection, each with what stands under it, until `visit` returns false.
void scan_source(const RowReader& rows, const RunSelection& selection, const KeySource& source, std::string_view from, const RowReader::Visit& visit) {
  const std::string& instrument = source.instrument;
  std::string start = source.prefix + std::string(std::max<std::string_view>(from, instrument));
  if (!instrument.empty() && from.empty()) append_u64(start, selection.first_run);
  scan_prefix(rows, source.view, source.prefix, start, [&](std::string_view key, std::string_view value) {
    key.remove_prefix(source.prefix.size());
    if (!key.starts_with(instrument)) return false;
    const uint64_t run_number = read_u64(key, key.size() - 8);
    if (selection.last_run != 0 && run_number > selection.last_run) return instrument.empty();
    return run_number < selection.first_run || visit(key, value);
  });
}

/// The run keys of one source that fit the selection, in order; read some at a time, more each time.
class KeyStream {
 public:
  KeyStream(const RowReader& rows, const RunSelection& selection, KeySource source, std::string_view from, size_t first_read, size_t most)
      : rows_(rows), selection_(selection), source_(std::move(source)), from_(from), wanted_(first_read), most_(most) {}
  /// False: there are no more.
  bool has_key() {
    if (next_ == keys_.size() && !ended_) read();
    return next_ < keys_.size();
  }
  std::string& key() { return keys_[next_]; }
  void pass() { ++next_; }

 private:
  void read() {
    keys_.clear();
    next_ = 0;
    scan_source(rows_, selection_, source_, from_, [&](std::string_view key, std::string_view) {
      keys_.emplace_back(key);
      return keys_.size() < wanted_;
    });
    ended_ = keys_.size() < wanted_;
    if (!keys_.empty()) from_ = keys_.back() + '\0';
    wanted_ = std::min(most_, 2 * wanted_);
  }

  const RowReader& rows_;
  const RunSelection& selection_;
  const KeySource source_;
  std::string from_;
  size_t wanted_;
  const size_t most_;
  std::vector<std::string> keys_;
  size_t next_ = 0;
  bool ended_ = false;
};

constexpr size_t kKeysAtOnce = 1000;
constexpr size_t kFewKeys = 8;  // of one of many sources: most of them have nothing on a page

/// Every run of the selection at or after `from`, once, in order, until `take(key, row)` returns false; about `expected` of them.
template <typename Take>
void merge_runs(const RowReader& rows, const RunSelection& selection, std::string_view from, size_t expected, const Take& take) {
  std::vector<KeyStream> streams;
  auto sources = sources_of(selection);
  if (sources.size() == 1 && sources[0].view == ViewId::kRuns && selection.states.empty()) {  // the rows themselves
    return scan_source(rows, selection, sources[0], from, [&](std::string_view key, std::string_view bytes) {
      std::string name(key);
      Row<schema::RunRow> row(bytes);
      return take(name, row);
    });
  }
  const size_t first_read = sources.size() == 1 ? expected : std::min(expected, expected / std::max<size_t>(sources.size(), 1) + kFewKeys);
  streams.reserve(sources.size());
  for (auto& source : sources) streams.emplace_back(rows, selection, std::move(source), from, first_read, expected);
  const auto later = [](KeyStream* one, KeyStream* other) { return one->key() > other->key(); };
  std::priority_queue<KeyStream*, std::vector<KeyStream*>, decltype(later)> waiting(later);
  for (KeyStream& stream : streams) {
    if (stream.has_key()) waiting.push(&stream);
  }
  std::string last;
  while (!waiting.empty()) {
    KeyStream& first = *waiting.top();
    waiting.pop();
    if (first.key() != last) {  // else it is of two sources
      last = first.key();
      auto row = find<schema::RunRow>(rows, ViewId::kRuns, RunsView::row_key(last));
      if (row && state_matches(selection, row->get().getState()) && !take(first.key(), *row)) return;
    }
    first.pass();
    if (first.has_key()) waiting.push(&first);
  }
}

}  // namespace

std::optional<Row<schema::RunRow>> find_run(const RowReader& rows, std::string_view instrument, uint64_t run_number) {
  return find<schema::RunRow>(rows, ViewId::kRuns, RunsView::row_key(run_key(instrument, run_number)));
}
std::optional<Row<schema::JobRow>> find_job(const RowReader& rows, uint64_t job) {
  return find<schema::JobRow>(rows, ViewId::kJobs, JobsView::row_key(job));
}
std::optional<Row<schema::InstrumentRow>> find_instrument(const RowReader& rows, std::string_view instrument) {
  return find<schema::InstrumentRow>(rows, ViewId::kInstruments, InstrumentsView::row_key(instrument));
}
std::optional<Row<schema::FileRow>> find_file(const RowReader& rows, std::string_view instrument, std::string_view path) {
  return find<schema::FileRow>(rows, ViewId::kFiles, FilesView::row_key(instrument, path));
}
std::optional<Row<schema::WorkerRow>> find_worker(const RowReader& rows, std::string_view worker) {
  return find<schema::WorkerRow>(rows, ViewId::kWorkers, WorkersView::row_key(worker));
}
std::optional<Row<schema::ExperimentRow>> find_experiment(const RowReader& rows, std::string_view experiment) {
  return find<schema::ExperimentRow>(rows, ViewId::kExperiments, ExperimentsView::row_key(experiment));
}
std::optional<Row<schema::VariableRules>> variable_rules(const RowReader& rows, std::string_view instrument) {
  return find<schema::VariableRules>(rows, ViewId::kVariables, VariablesView::row_key(instrument));
}
std::optional<Row<schema::TokenRow>> find_token(const RowReader& rows, std::string_view token) {
  return find<schema::TokenRow>(rows, ViewId::kAccess, AccessView::token_key(token));
}
bool find_grant(const RowReader& rows, std::string_view account, schema::Grant::Reader grant) {
  return rows.get(ViewId::kAccess, AccessView::grant_key(account, grant)).has_value();
}
uint64_t job_for_cause(const RowReader& rows, uint64_t event) {
  return read_count(rows, ViewId::kJobs, JobsView::answer_key(event));
}

bool is_pending_trial(const RowReader& rows, uint64_t event, schema::RunKey::Reader run) {
  return rows.get(ViewId::kRuns, RunsView::trial_key(event)) == run_key(view(run.getInstrument()), run.getRunNumber());
}
std::optional<Row<schema::SupportFileRow>> find_support_file(const RowReader& rows, std::string_view instrument, std::string_view path) {
  return find<schema::SupportFileRow>(rows, ViewId::kSupportFiles, SupportFilesView::row_key(instrument, path));
}
std::optional<Row<schema::StageRow>> find_stage(const RowReader& rows, std::string_view instrument, std::string_view stage) {
  return find<schema::StageRow>(rows, ViewId::kStages, StagesView::rule_key(instrument, stage));
}
std::optional<Row<schema::StageResultRow>> find_stage_result(const RowReader& rows, std::string_view instrument, std::string_view stage,
                                                             std::string_view group) {
  return find<schema::StageResultRow>(rows, ViewId::kStages, StagesView::result_key(instrument, stage, group));
}
std::optional<Row<schema::StageResultRow>> stage_result_of_job(const RowReader& rows, uint64_t job) {
  const auto name = rows.get(ViewId::kStages, StagesView::job_key(job));
  return name ? find<schema::StageResultRow>(rows, ViewId::kStages, kind_key('r', *name)) : std::nullopt;
}
uint64_t stage_job_in(const RowReader& rows, std::string_view directory) {
  return read_count(rows, ViewId::kStages, StagesView::directory_key(directory));
}
std::optional<Row<schema::CampaignRow>> find_campaign(const RowReader& rows, uint64_t campaign) {
  return find<schema::CampaignRow>(rows, ViewId::kCampaigns, CampaignsView::row_key(campaign));
}
std::optional<Row<schema::CampaignRunRow>> find_campaign_run(const RowReader& rows, uint64_t campaign, std::string_view instrument,
                                                             uint64_t run_number) {
  return find<schema::CampaignRunRow>(rows, ViewId::kCampaigns, CampaignsView::run_row_key(campaign, run_key(instrument, run_number)));
}
uint64_t campaign_of_job(const RowReader& rows, uint64_t job) {
  const auto row = find_job(rows, job);
  return row ? row->get().getQueued().getCampaign() : 0;
}

void visit_runs(const RowReader& rows, const RunSelection& selection, const VisitRun& visit, std::string_view after) {
  merge_runs(rows, selection, after, kKeysAtOnce, [&](std::string&, Row<schema::RunRow>& row) { return visit(row.get()); });
}

Page<schema::RunRow> list_runs(const RowReader& rows, const RunSelection& selection, size_t limit, std::string_view after) {
  Page<schema::RunRow> result;
  merge_runs(rows, selection, after, limit + 1, [&](std::string& key, Row<schema::RunRow>& row) {  // one more tells where the next page starts
    if (result.rows.size() == limit) {
      result.next = std::move(key);
      return false;
    }
    result.rows.push_back(std::move(row));
    return true;
  });
  return result;
}

Page<schema::FileRow> list_files(const RowReader& rows, std::string_view instrument, size_t limit, std::string_view after) {
  return page<schema::FileRow>(rows, ViewId::kFiles, text_key(instrument), limit, after);
}
std::string experiment_key(std::string_view experiment) { return ExperimentsView::row_key(experiment); }
Page<schema::ExperimentRow> list_experiments(const RowReader& rows, size_t limit, std::string_view after) {
  return page<schema::ExperimentRow>(rows, ViewId::kExperiments, "e", limit, after);
}

Page<schema::QueueRow> list_queue(const RowReader& rows, size_t limit, std::string_view after) {
  Page<schema::QueueRow> result;
  if (after.empty() || after[0] == static_cast<char>(QueueView::Place::kWaiting)) {
    result = page<schema::QueueRow>(rows, ViewId::kQueue, "w", limit, after);
    if (!result.next.empty()) return result;
    after = {};
  }
  auto held = page<schema::QueueRow>(rows, ViewId::kQueue, "h", limit - result.rows.size(), after);
  for (auto& row : held.rows) result.rows.push_back(std::move(row));
  result.next = std::move(held.next);
  return result;
}

Page<schema::SupportFileRow> list_support_files(const RowReader& rows, std::string_view instrument, size_t limit, std::string_view after) {
  return page<schema::SupportFileRow>(rows, ViewId::kSupportFiles, SupportFilesView::prefix(instrument), limit, after);
}
std::vector<Row<schema::StageRow>> stage_rules(const RowReader& rows, std::string_view instrument) {
  return all<schema::StageRow>(rows, ViewId::kStages, kind_key('s', text_key(instrument)));
}
Page<schema::StageResultRow> list_stage_results(const RowReader& rows, std::string_view instrument, std::string_view stage, size_t limit,
                                                std::string_view after) {
  return page<schema::StageResultRow>(rows, ViewId::kStages, StagesView::results_prefix(instrument, stage), limit, after);
}
std::vector<Row<schema::StageResultRow>> pending_combinations(const RowReader& rows, std::string_view instrument) {
  std::vector<Row<schema::StageResultRow>> pending;
  scan_prefix(rows, ViewId::kStages, StagesView::pending_prefix(instrument), {}, [&](std::string_view key, std::string_view) {
    if (auto row = find<schema::StageResultRow>(rows, ViewId::kStages, kind_key('r', key.substr(1)))) pending.push_back(std::move(*row));
    return true;
  });
  return pending;
}
Page<schema::CampaignRow> list_campaigns(const RowReader& rows, size_t limit, std::string_view after) {
  return page<schema::CampaignRow>(rows, ViewId::kCampaigns, "c", limit, after);
}
std::vector<uint64_t> open_campaigns(const RowReader& rows) {
  std::vector<uint64_t> campaigns;
  scan_prefix(rows, ViewId::kCampaigns, "o", {}, [&](std::string_view key, std::string_view) {
    campaigns.push_back(read_u64(key, 1));
    return true;
  });
  return campaigns;
}
Page<schema::CampaignRunRow> campaign_runs(const RowReader& rows, uint64_t campaign, size_t limit, std::string_view after) {
  return page<schema::CampaignRunRow>(rows, ViewId::kCampaigns, CampaignsView::runs_prefix(campaign), limit, after);
}
std::vector<uint64_t> waiting_campaign_jobs(const RowReader& rows, uint64_t campaign) {
  std::vector<uint64_t> jobs;
  const std::string prefix = CampaignsView::waiting_prefix(campaign);
  scan_prefix(rows, ViewId::kCampaigns, prefix, {}, [&](std::string_view key, std::string_view) {
    jobs.push_back(read_u64(key, prefix.size()));
    return true;
  });
  return jobs;
}

std::vector<Row<schema::InstrumentRow>> list_instruments(const RowReader& rows) {
  return all<schema::InstrumentRow>(rows, ViewId::kInstruments, "i");
}
std::vector<Row<schema::WorkerRow>> list_workers(const RowReader& rows) {
  return all<schema::WorkerRow>(rows, ViewId::kWorkers, "w");
}
std::vector<Row<schema::ScriptRow>> scripts(const RowReader& rows, std::string_view instrument) {
  return all<schema::ScriptRow>(rows, ViewId::kInstruments, kind_key('s', text_key(instrument)));
}

std::vector<Row<schema::GrantRow>> grants(const RowReader& rows, std::string_view account) {
  return all<schema::GrantRow>(rows, ViewId::kAccess, AccessView::grants_prefix(account));
}
std::vector<Row<schema::GrantRow>> all_grants(const RowReader& rows) { return all<schema::GrantRow>(rows, ViewId::kAccess, "g"); }
std::vector<Row<schema::TokenRow>> tokens(const RowReader& rows, std::string_view account) {
  std::vector<Row<schema::TokenRow>> found;
  const std::string prefix = AccessView::tokens_prefix(account);
  scan_prefix(rows, ViewId::kAccess, prefix, {}, [&](std::string_view key, std::string_view) {
    size_t at = prefix.size();
    if (auto row = find_token(rows, read_text(key, at))) found.push_back(std::move(*row));
    return true;
  });
  return found;
}
std::vector<Row<schema::TokenRow>> all_tokens(const RowReader& rows) { return all<schema::TokenRow>(rows, ViewId::kAccess, "t"); }

void list_waiting(const RowReader& rows, const VisitQueue& visit) { visit_queue(rows, QueueView::Place::kWaiting, visit); }
void list_held(const RowReader& rows, const VisitQueue& visit) { visit_queue(rows, QueueView::Place::kHeld, visit); }

uint64_t next_waiting_job(const RowReader& rows) {
  uint64_t job = 0;
  list_waiting(rows, [&](schema::QueueRow::Reader row) {
    job = row.getJob();
    return false;
  });
  return job;
}

uint64_t waiting_jobs(const RowReader& rows, std::string_view instrument) {
  return read_count(rows, ViewId::kQueue, QueueView::count_key(instrument));
}

uint64_t total_runs(const RowReader& rows, std::string_view instrument) {
  const StateCounts counts = run_counts(rows, instrument);
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

uint64_t last_run(const RowReader& rows, std::string_view instrument) {
  return read_count(rows, ViewId::kRuns, RunsView::last_run_key(instrument));
}

StateCounts run_counts(const RowReader& rows, std::string_view instrument) {
  StateCounts counts{};
  for (size_t state = 0; state < kRunStates; ++state) {
    counts[state] = read_count(rows, ViewId::kRuns, RunsView::count_key(instrument, static_cast<schema::RunState>(state)));
  }
  return counts;
}

}  // namespace ledger
