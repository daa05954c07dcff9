// What the deciding functions share: the question asked, and the events proposed in answer.
#pragma once

#include <string>
#include <string_view>

#include "ledger/decide.h"
#include "ledger/decide/checks.h"
#include "ledger/view_rows.h"

namespace ledger {

/// A command and what it is decided by. Borrows all of it.
struct Question {
  const RowReader& rows;
  const DecideContext& context;
  schema::Command::Reader command;

  /// Stored, or coming with this command.
  bool has_blob(capnp::Data::Reader sha256) const;
  std::optional<std::string> blob(capnp::Data::Reader sha256) const;
  /// kInvalidArgument unless empty or there.
  base::Status check_blob(capnp::Data::Reader sha256, std::string_view what) const;
  /// The same, and not empty.
  base::Status need_blob(capnp::Data::Reader sha256, std::string_view what) const;
  /// "alice", or "somebody unknown".
  std::string actor_words() const;
};

/// The events of a decision, in order.
class Proposal {
 public:
  explicit Proposal(const Question& question) : next_seq_(question.context.next_seq) {}
  /// Appends an event; cause 0 = the command's own.
  schema::Event::Body::Builder add(uint64_t cause = 0) {
    drafts_.emplace_back();
    if (cause != 0) drafts_.back().event().setCause(cause);
    return drafts_.back().body();
  }
  /// Seq of the event added last.
  uint64_t last_seq() const { return next_seq_ + drafts_.size() - 1; }
  EventDrafts take() { return std::move(drafts_); }

 private:
  const uint64_t next_seq_;
  EventDrafts drafts_;
};

using Decided = base::Result<EventDrafts>;
inline Decided nothing() { return EventDrafts(); }

base::Result<Row<schema::InstrumentRow>> known_instrument(const Question& question, std::string_view name);
base::Result<Row<schema::RunRow>> known_run(const Question& question, schema::RunKey::Reader run);
base::Result<Row<schema::JobRow>> known_job(const Question& question, uint64_t job);
base::Result<Row<schema::WorkerRow>> known_worker(const Question& question, std::string_view worker);
base::Result<Row<schema::CampaignRow>> known_campaign(const Question& question, uint64_t campaign);
base::Result<Row<schema::StageRow>> known_stage(const Question& question, std::string_view instrument, std::string_view stage);
/// The variables the instrument's script has, where they are known.
std::optional<Row<schema::VariableSet>> script_defaults(const Question& question, schema::InstrumentRow::Reader instrument);
/// Paths below the script's folder, stored, each once.
base::Status check_script_files(const Question& question, capnp::List<schema::ScriptFile>::Reader files);
/// Empty, "instrument", or one of the instrument's own.
base::Status check_interpreter_name(schema::InstrumentConfigured::Reader config, capnp::Text::Reader name);
/// The run's file can be reduced.
base::Status check_not_refused(schema::RunRow::Reader run);
/// A version of the run waits or runs, or is about to be queued.
bool is_busy(schema::RunRow::Reader run);
/// "MARI 28001 v2 is still queued": of a busy run.
std::string busy_words(schema::RunRow::Reader run);
/// The scripts' contracts, as messages offer them.
inline constexpr std::string_view kContracts = "isis, sns or fia";

inline void set_reason(schema::Reason::Builder reason, const std::string& code, const std::string& text) {
  reason.setCode(code);
  reason.setText(text);
}
/// "alice paused MARI: vanadium first".
std::string reason_text(const Question& question, schema::Reason::Reader reason, std::string_view did, std::string_view subject);
/// "MARI 28001 v2"; "MARI 28001 peaks v2" of a stage; "the trial on MARI 28001 (job 17)".
std::string version_words(schema::JobRow::Reader job);
/// "MARI 28001", or "MARI 28001 to 28010 (10 runs)".
std::string runs_words(capnp::List<schema::RunKey>::Reader runs);
/// "queued", "running", ...
std::string_view state_words(schema::RunState state);

// instrument.cc
Decided decide_configure(const Question&, schema::InstrumentConfigured::Reader);
Decided decide_pause(const Question&, schema::InstrumentPaused::Reader);
Decided decide_resume(const Question&, schema::InstrumentResumed::Reader);
Decided decide_script(const Question&, schema::ScriptRegistered::Reader);
// variables.cc
Decided decide_set_variables(const Question&, schema::VariablesSet::Reader);
Decided decide_clear_variables(const Question&, schema::VariablesCleared::Reader);
// run.cc
Decided decide_detect(const Question&, schema::RunDetected::Reader);
Decided decide_refuse_file(const Question&, schema::RawFileRefused::Reader);
Decided decide_skip_run(const Question&, schema::RunSkipped::Reader);
Decided decide_request(const Question&, schema::ReductionRequested::Reader);
// support.cc
Decided decide_see_support_file(const Question&, schema::SupportFileSeen::Reader);
// stage.cc
Decided decide_set_stage(const Question&, schema::StageRule::Reader);
Decided decide_remove_stage(const Question&, schema::StageRemoved::Reader);
Decided decide_combination(const Question&, schema::CombinationRequested::Reader);
// trial.cc
Decided decide_trial(const Question&, schema::TrialRequested::Reader);
// campaign.cc
Decided decide_start_campaign(const Question&, schema::CampaignStarted::Reader);
Decided decide_pause_campaign(const Question&, schema::CampaignPaused::Reader);
Decided decide_resume_campaign(const Question&, schema::CampaignResumed::Reader);
Decided decide_stop_campaign(const Question&, schema::CampaignStopped::Reader);
Decided decide_pass_campaign_run(const Question&, schema::CampaignRunPassed::Reader);
Decided decide_finish_campaign(const Question&, schema::CampaignFinished::Reader);
/// Holds what it has in the queue.
bool is_paused(const Question&, uint64_t campaign);
/// A job that was held for its instrument stays held for its campaign.
void hold_for_campaign(const Question&, schema::QueueRow::Reader held, Proposal& proposal);
/// A reduction for a campaign: it runs, has the run in its plan and no job for it yet, and the run is free.
base::Status check_campaign_takes(const Question&, uint64_t campaign, schema::RunRow::Reader run);
// queue.cc
Decided decide_queue(const Question&, schema::JobQueued::Reader);
// stage_job.cc
Decided queue_stage(const Question&, schema::JobQueued::Reader);
// job.cc
/// Everything the script will see is stored before it starts (promise P6).
base::Status check_content(const Question&, schema::JobQueued::Reader wanted, const std::string& words);
/// The job's inputs are the files its runs have now, in order.
base::Status check_inputs(const Question&, schema::JobQueued::Reader wanted);
/// `directory` with `place` filled, wherever it stands.
std::string with_place(std::string directory, std::string_view place, std::string_view value);
Decided decide_cancel(const Question&, schema::JobCancelled::Reader);
// attempt.cc
Decided decide_start(const Question&, schema::AttemptStarted::Reader);
Decided decide_fail(const Question&, schema::AttemptFailed::Reader);
Decided decide_skip(const Question&, schema::SkipAttempt::Reader);
Decided decide_succeed(const Question&, schema::AttemptSucceeded::Reader);
Decided decide_publish(const Question&, schema::PublishJob::Reader);
Decided decide_lose(const Question&, schema::LoseAttempt::Reader);
/// Loses every attempt the worker has running (one whose result is accepted stays), for `reason`.
base::Status lose_running(const Question&, schema::WorkerRow::Reader worker, const std::string& code, const std::string& text,
                          uint64_t cause, Proposal& proposal);
/// Holds a job that goes into the queue while its instrument, or its campaign, is paused. True: it did.
bool hold_if_paused(const Question&, schema::JobQueued::Reader queued, uint64_t job, Proposal& proposal);
// worker.cc
Decided decide_join(const Question&, schema::WorkerJoined::Reader);
Decided decide_leave(const Question&, schema::WorkerLeft::Reader);
// access.cc
Decided decide_open_session(const Question&, schema::SessionOpened::Reader);
Decided decide_deny(const Question&, schema::AccessDenied::Reader);
Decided decide_change_roles(const Question&, schema::ChangeRoles::Reader);
Decided decide_issue_token(const Question&, schema::TokenIssued::Reader);
Decided decide_revoke_token(const Question&, schema::TokenRevoked::Reader);
// ledger.cc
Decided decide_accept_loss(const Question&, schema::LossAccepted::Reader);
Decided decide_erase_blobs(const Question&, schema::BlobsErased::Reader);
Decided decide_forget_commands(const Question&, schema::CommandsForgotten::Reader);

}  // namespace ledger
