// Runs: one row a run, with the state people see. Rows: schema/row.capnp, RunRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"
#include "schema/row.capnp.h"

namespace ledger {

/// How far apart views note how things stand, for looking back (docs/engine.md). Part of the rows: a change is a new version.
inline constexpr uint64_t kEventsAMoment = 1024;

/// Keys of ViewId::kRuns:
///   'r' instrument 00 run(8)              -> RunRow
///   's' state(1) instrument 00 run(8)     -> empty; runs of one state in the order they are listed
///   'c' instrument 00 state(1)            -> count(8); instrument empty = of the facility
///   'j' job(8)                            -> instrument 00 run(8) of the job's first run
///   'v' job(8)                            -> RunRow with what the run showed of an earlier version (version, job, state, reason, times): shown again
///                                            when the versions after it are cancelled before they start
///   't' event(8)                          -> instrument 00 run(8) of a trialRequested that has no job yet
///   'e' job(8)                            -> outcome.h
///   'l' instrument 00                     -> largest run number detected(8)
///   'm' event(8)                          -> RunMoment: the counts after every kEventsAMoment-th event
class RunsView final : public View {
 public:
  static std::string row_key(std::string_view run_key) { return std::string("r").append(run_key); }
  static std::string state_key(schema::RunState state, std::string_view run_key) {
    return std::string("s").append(1, static_cast<char>(state)).append(run_key);
  }
  static std::string count_key(std::string_view instrument, schema::RunState state);
  static std::string last_run_key(std::string_view instrument);
  static std::string moment_key(uint64_t seq) { return std::string("m").append(u64_key(seq)); }
  static std::string job_key(uint64_t job) { return std::string("j").append(u64_key(job)); }
  static std::string earlier_key(uint64_t job) { return std::string("v").append(u64_key(job)); }
  static std::string trial_key(uint64_t event) { return std::string("t").append(u64_key(event)); }

  ViewId id() const override { return ViewId::kRuns; }
  const char* name() const override { return "runs"; }
  uint32_t version() const override { return 3; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

/// "NAME: WHY", whether or not the sentence names the file itself.
std::string about_file(std::string_view path, std::string_view why);
/// How a refused file is put on record at a run that has a better one.
std::string not_used(std::string_view path, std::string_view why);
/// The last part of a path.
std::string_view file_name(std::string_view path);
/// The experiment a file names; empty = unknown.
std::string_view experiment_of(schema::RunMetadata::Reader metadata);

}  // namespace ledger
