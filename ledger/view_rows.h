// Typed reading of the views: what deciding, the RPC service and the tests ask of the rows. Keys: ledger/views/*.h.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/canonical.h"
#include "ledger/rows.h"
#include "schema/row.capnp.h"

namespace ledger {

inline constexpr size_t kRunStates = 9;  // enumerants of schema::RunState
using StateCounts = std::array<uint64_t, kRunStates>;

/// One row each; nullopt = there is none.
std::optional<Row<schema::RunRow>> find_run(const RowReader& rows, std::string_view instrument, uint64_t run_number);
std::optional<Row<schema::JobRow>> find_job(const RowReader& rows, uint64_t job);
std::optional<Row<schema::InstrumentRow>> find_instrument(const RowReader& rows, std::string_view instrument);
std::optional<Row<schema::FileRow>> find_file(const RowReader& rows, std::string_view instrument, std::string_view path);
std::optional<Row<schema::WorkerRow>> find_worker(const RowReader& rows, std::string_view worker);
std::optional<Row<schema::ExperimentRow>> find_experiment(const RowReader& rows, std::string_view experiment);
/// The instrument's live settings; nullopt = none.
std::optional<Row<schema::VariableRules>> variable_rules(const RowReader& rows, std::string_view instrument);
std::optional<Row<schema::TokenRow>> find_token(const RowReader& rows, std::string_view token);
/// True when the account has exactly this.
bool find_grant(const RowReader& rows, std::string_view account, schema::Grant::Reader grant);
/// The job that answered a runDetected, runRevised, reductionRequested or trialRequested event; 0 = none.
uint64_t job_for_cause(const RowReader& rows, uint64_t event);

/// Whether `event` is a trialRequested about this run that was not answered yet.
bool is_pending_trial(const RowReader& rows, uint64_t event, schema::RunKey::Reader run);
std::optional<Row<schema::SupportFileRow>> find_support_file(const RowReader& rows, std::string_view instrument, std::string_view path);

/// Stages. `group` as stage_group() of ledger/views/stages.h makes it.
std::optional<Row<schema::StageRow>> find_stage(const RowReader& rows, std::string_view instrument, std::string_view stage);
std::optional<Row<schema::StageResultRow>> find_stage_result(const RowReader& rows, std::string_view instrument, std::string_view stage,
                                                             std::string_view group);
/// The result that this job of a stage makes; nullopt also for a job of another kind.
std::optional<Row<schema::StageResultRow>> stage_result_of_job(const RowReader& rows, uint64_t job);
/// The stage's job whose output belongs into `directory`; 0 = none.
uint64_t stage_job_in(const RowReader& rows, std::string_view directory);

std::optional<Row<schema::CampaignRow>> find_campaign(const RowReader& rows, uint64_t campaign);
/// A run of the campaign that has a job or was passed.
std::optional<Row<schema::CampaignRunRow>> find_campaign_run(const RowReader& rows, uint64_t campaign, std::string_view instrument,
                                                             uint64_t run_number);
/// The campaign a job belongs to; 0 = none.
uint64_t campaign_of_job(const RowReader& rows, uint64_t job);

/// Some rows of a list, and where the next page starts; `next` empty = that was the end. `after` takes a `next` as it is.
template <typename T>
struct Page {
  std::vector<Row<T>> rows;
  std::string next;
};

/// Runs of an instrument, of an experiment, or of an experiment on an instrument; both empty = all.
struct RunArea {
  std::string instrument = {};
  std::string experiment = {};
};
/// Fields that are set must all match.
struct RunSelection {
  std::string instrument = {};  // empty = all
  std::string experiment = {};  // empty = all
  uint64_t first_run = 0;
  uint64_t last_run = 0;                      // 0 = no end
  std::vector<schema::RunState> states = {};  // empty = all
  std::optional<std::vector<RunArea>> within = {};  // only runs of these; nullopt = of all
};
/// Sorted by instrument, run number. Reads no more rows than it answers, but for runs outside first_run .. last_run and, in an experiment, of
/// other states. Nothing outside of `within` is read.
Page<schema::RunRow> list_runs(const RowReader& rows, const RunSelection& selection, size_t limit, std::string_view after = {});
/// The same until `visit` returns false.
using VisitRun = std::function<bool(schema::RunRow::Reader run)>;
void visit_runs(const RowReader& rows, const RunSelection& selection, const VisitRun& visit, std::string_view after = {});
Page<schema::FileRow> list_files(const RowReader& rows, std::string_view instrument, size_t limit, std::string_view after = {});
/// What list_experiments takes as `after` to begin with this one.
std::string experiment_key(std::string_view experiment);
Page<schema::ExperimentRow> list_experiments(const RowReader& rows, size_t limit, std::string_view after = {});
/// Waiting jobs, the next one first, then the held ones.
Page<schema::QueueRow> list_queue(const RowReader& rows, size_t limit, std::string_view after = {});

/// Sorted by path.
Page<schema::SupportFileRow> list_support_files(const RowReader& rows, std::string_view instrument, size_t limit, std::string_view after = {});
/// The instrument's rules, by name.
std::vector<Row<schema::StageRow>> stage_rules(const RowReader& rows, std::string_view instrument);
/// By stage, then group; stage empty = of all.
Page<schema::StageResultRow> list_stage_results(const RowReader& rows, std::string_view instrument, std::string_view stage, size_t limit,
                                                std::string_view after = {});
/// Combinations somebody asked for that have no job yet.
std::vector<Row<schema::StageResultRow>> pending_combinations(const RowReader& rows, std::string_view instrument);
/// Newest first.
Page<schema::CampaignRow> list_campaigns(const RowReader& rows, size_t limit, std::string_view after = {});
/// Campaigns that have not finished, oldest first.
std::vector<uint64_t> open_campaigns(const RowReader& rows);
/// Its runs that have a job or were passed, by instrument and number.
Page<schema::CampaignRunRow> campaign_runs(const RowReader& rows, uint64_t campaign, size_t limit, std::string_view after = {});
/// Its jobs that wait or are held, oldest first.
std::vector<uint64_t> waiting_campaign_jobs(const RowReader& rows, uint64_t campaign);

std::vector<Row<schema::InstrumentRow>> list_instruments(const RowReader& rows);
std::vector<Row<schema::WorkerRow>> list_workers(const RowReader& rows);
/// The roles of an account, or of all (sorted by account).
std::vector<Row<schema::GrantRow>> grants(const RowReader& rows, std::string_view account);
std::vector<Row<schema::GrantRow>> all_grants(const RowReader& rows);
/// The tokens of an account, or of all; revoked and expired ones too.
std::vector<Row<schema::TokenRow>> tokens(const RowReader& rows, std::string_view account);
std::vector<Row<schema::TokenRow>> all_tokens(const RowReader& rows);
/// Every script seen at the instrument, oldest first.
std::vector<Row<schema::ScriptRow>> scripts(const RowReader& rows, std::string_view instrument);

/// Waiting (or held) jobs by priority, then job, until `visit` returns false.
using VisitQueue = std::function<bool(schema::QueueRow::Reader row)>;
void list_waiting(const RowReader& rows, const VisitQueue& visit);
void list_held(const RowReader& rows, const VisitQueue& visit);
/// The job to be taken next; 0 = none waits.
uint64_t next_waiting_job(const RowReader& rows);
/// Jobs of an instrument that wait or are held.
uint64_t waiting_jobs(const RowReader& rows, std::string_view instrument);

/// Runs by state, kept by the view; instrument empty = of the facility.
StateCounts run_counts(const RowReader& rows, std::string_view instrument = {});
/// Runs of all states.
uint64_t total_runs(const RowReader& rows, std::string_view instrument = {});
/// Largest run number detected; 0 = none.
uint64_t last_run(const RowReader& rows, std::string_view instrument);

}  // namespace ledger
