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
/// The variables the instrument's script has, where they are known.
std::optional<Row<schema::VariableSet>> script_defaults(const Question& question, schema::InstrumentRow::Reader instrument);
base::Status check_script_files(const Question& question, capnp::List<schema::ScriptFile>::Reader files);

inline void set_reason(schema::Reason::Builder reason, const std::string& code, const std::string& text) {
  reason.setCode(code);
  reason.setText(text);
}
/// "MARI 28001 v2".
std::string version_words(schema::JobRow::Reader job);
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
// job.cc
Decided decide_queue(const Question&, schema::JobQueued::Reader);
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
/// Holds a job that goes into the queue of a paused instrument.
void hold_if_paused(const Question&, schema::RunKey::Reader run, uint64_t job, Proposal& proposal);
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
