// A ledger without a store: commands go through decide(), their events through every view. Tests read like what happened.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/decide.h"
#include "ledger/view_rows.h"
#include "schema/command.capnp.h"
#include "schema/document.capnp.h"
#include "tests/support/memory_rows.h"

namespace rules_test {

inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr std::string_view kScript = "def main(input_file, output_dir):\n    pass\n";

/// Bytes of a test file's content, hashed.
std::string hash_of(std::string_view content);

struct Told {
  base::Status status;
  std::vector<uint64_t> events;
  bool ok() const { return status.is_ok(); }
  uint64_t first() const { return events.empty() ? 0 : events.front(); }
};

/// A refusal with this code whose sentence holds `part`.
::testing::AssertionResult refused(const Told& told, base::Code code, std::string_view part);

class Story {
 public:
  using Fill = std::function<void(schema::Command::Builder)>;

  Told tell(const Fill& fill, uint64_t cause = 0);
  /// Who speaks from here on.
  Story& as(schema::Actor::Kind kind, std::string name);
  Story& as_person(std::string name) { return as(schema::Actor::Kind::PERSON, std::move(name)); }
  void wait(int64_t seconds) { now_ns_ += seconds * kSecond; }

  // What usually happens, in one line each.
  Told configure(std::string_view instrument = "MARI", schema::Contract contract = schema::Contract::ISIS);
  Told detect(uint64_t run, std::string_view content = "raw", std::string_view path = {}, std::string_view experiment = "2010001",
              std::string_view instrument = "MARI", std::vector<std::string> problems = {});
  Told refuse_file(uint64_t run, std::string_view path, std::string_view code = "isis_raw",
                   std::string_view text = "ISIS RAW is not read", std::string_view content = "old", int64_t modified_at = 1);
  Told skip_run(uint64_t run, std::string_view code = "calibration", std::string_view text = "a calibration run",
                uint64_t cause = 0);
  Told request(uint64_t run, const std::function<void(schema::ReductionRequested::Builder)>& fill = {});
  /// Queues the run for what it waits for: its request, else its file.
  Told queue(uint64_t run, const std::function<void(schema::JobQueued::Builder)>& fill = {}, uint64_t cause = 0,
             std::string_view instrument = "MARI");
  Told pause(std::string_view instrument = "MARI", std::string_view text = "vanadium first");
  Told resume(std::string_view instrument = "MARI");
  Told join(std::string_view worker = "w1", uint32_t process = 1);
  Told leave(std::string_view worker = "w1");
  /// job 0 = the next one waiting. The fence is first().
  Told start(uint64_t job = 0, std::string_view worker = "w1");
  Told succeed(uint64_t job, uint16_t attempt, uint64_t fence,
               const std::function<void(schema::AttemptSucceeded::Builder)>& fill = {});
  Told publish(uint64_t job, uint16_t attempt, uint64_t fence);
  Told fail(uint64_t job, uint16_t attempt, uint64_t fence, schema::FailureKind kind = schema::FailureKind::SCRIPT_EXCEPTION,
            std::string_view message = "ValueError: no monitor");
  Told skip(uint64_t job, uint16_t attempt, uint64_t fence, std::string_view text = "Skip: too short");
  Told lose(uint64_t job, uint16_t attempt, uint64_t fence);
  Told cancel(uint64_t job, std::string_view text = "");
  /// Name, JSON value pairs in the standard group.
  using Values = std::vector<std::pair<std::string, std::string>>;
  Told register_script(std::string_view script, const Values& defaults, std::string_view instrument = "MARI");
  Told set(const Values& values, const std::function<void(schema::Scope::Builder)>& scope = {},
           std::string_view instrument = "MARI");
  Told clear(const std::vector<std::string>& names, const std::function<void(schema::Scope::Builder)>& scope = {});

  // Stages, trials, support files and campaigns: story_reducing.cc.
  Told see_file(std::string_view path, std::string_view content, std::string_view problem = {});
  /// Over a run, after reduction, unless `fill` says otherwise.
  Told set_stage(std::string_view name, const std::function<void(schema::StageRule::Builder)>& fill = {});
  Told remove_stage(std::string_view name);
  Told combine(std::string_view stage, const std::vector<uint64_t>& runs);
  /// Queues a stage for what there is of the runs. cause 0 = what asked for it, else the newest success among its sources.
  Told queue_stage(std::string_view stage, const std::vector<uint64_t>& runs,
                   const std::function<void(schema::JobQueued::Builder)>& fill = {}, uint64_t cause = 0);
  Told try_script(uint64_t run, const std::function<void(schema::TrialRequested::Builder)>& fill = {});
  Told queue_trial(uint64_t run, uint64_t cause, const std::function<void(schema::JobQueued::Builder)>& fill = {});
  Told start_campaign(const std::vector<uint64_t>& runs, const std::function<void(schema::CampaignStarted::Builder)>& fill = {});
  Told queue_for(uint64_t campaign, uint64_t run);
  Told pass(uint64_t campaign, uint64_t run, std::string_view code = "raw_file_gone");
  Told pause_campaign(uint64_t campaign, std::string_view text = "beam time first");
  Told resume_campaign(uint64_t campaign);
  Told stop_campaign(uint64_t campaign, bool keep_queued = false);
  Told finish_campaign(uint64_t campaign);
  ledger::Row<schema::CampaignRow> campaign(uint64_t id) const;
  ledger::Row<schema::StageResultRow> stage_result(std::string_view stage, const std::vector<uint64_t>& runs,
                                                   std::string_view experiment = "2010001") const;

  /// Runs one attempt of a waiting job to its published end.
  void complete(uint64_t job);
  /// A VariableSet document, stored.
  std::string store_variables(const Values& values);

  ledger::Row<schema::RunRow> run(uint64_t number, std::string_view instrument = "MARI") const;
  ledger::Row<schema::JobRow> job(uint64_t id) const;
  std::string run_state(uint64_t number) const;
  std::string job_state(uint64_t id) const;
  std::string reason_code(uint64_t run_number) const;
  std::vector<std::string> problems(uint64_t run_number) const;
  /// Names of the body members, as in the schema.
  std::vector<std::string> kinds(const Told& told) const;
  schema::Event::Reader event(uint64_t seq) const { return events_.at(seq - 1).get(); }
  uint64_t head() const { return events_.size(); }
  support::MemoryRows& rows() { return rows_; }
  const support::MemoryRows& rows() const { return rows_; }

 private:
  void fold(schema::Event::Reader event, support::MemoryRows& rows) const;

  support::MemoryRows rows_;
  std::vector<ledger::Row<schema::Event>> events_;
  int64_t now_ns_ = 1'800'000'000 * kSecond;
  schema::Actor::Kind kind_ = schema::Actor::Kind::DAEMON;
  std::string actor_ = "coordinatord";

 public:
  /// Every event folded again into fresh rows.
  support::MemoryRows refold() const;
};

}  // namespace rules_test
