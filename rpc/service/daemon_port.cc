#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/dispatcher.h"
#include "rpc/service/gateway.h"
#include "rpc/service/job_documents.h"
#include "rpc/service/presence.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

using Body = schema::Command::Body;

/// The commands a role may send. startAttempt goes through nextJob alone.
bool may_send(schema::DaemonRole role, Body::Which command) {
  switch (role) {
    case schema::DaemonRole::MONITOR:
      return command == Body::DETECT_RUN || command == Body::REFUSE_FILE;
    case schema::DaemonRole::COORDINATOR:
      return command == Body::REGISTER_SCRIPT || command == Body::QUEUE_JOB || command == Body::SKIP_RUN || command == Body::LOSE_ATTEMPT ||
             command == Body::SEE_SUPPORT_FILE || command == Body::PASS_CAMPAIGN_RUN || command == Body::FINISH_CAMPAIGN;
    case schema::DaemonRole::WORKER:
      return command == Body::JOIN_WORKER || command == Body::LEAVE_WORKER || command == Body::FAIL_ATTEMPT ||
             command == Body::SKIP_ATTEMPT || command == Body::SUCCEED_ATTEMPT || command == Body::PUBLISH_JOB;
  }
  return false;
}

/// The attempt a worker's command is about: job and fence; nullopt = it is about none.
struct NamedAttempt {
  uint64_t job = 0;
  uint64_t fence = 0;
};
std::optional<NamedAttempt> attempt_of(Body::Reader body) {
  switch (body.which()) {
    case Body::FAIL_ATTEMPT: return NamedAttempt{body.getFailAttempt().getJob(), body.getFailAttempt().getFence()};
    case Body::SKIP_ATTEMPT: return NamedAttempt{body.getSkipAttempt().getJob(), body.getSkipAttempt().getFence()};
    case Body::SUCCEED_ATTEMPT: return NamedAttempt{body.getSucceedAttempt().getJob(), body.getSucceedAttempt().getFence()};
    case Body::PUBLISH_JOB: return NamedAttempt{body.getPublishJob().getJob(), body.getPublishJob().getFence()};
    default: return std::nullopt;
  }
}

bool has_attempt(schema::JobRow::Reader job, uint64_t fence, std::string_view worker) {
  for (auto attempt : job.getAttempts()) {
    if (attempt.getFence() == fence) return view(attempt.getWorker()) == worker;
  }
  return false;
}

/// What a daemon may ask. One with a credential of its own (not the account that runs the ledger) is held to its name besides: a worker
/// to the jobs that were leased under it.
class DaemonPortServer final : public schema::DaemonPort::Server {
 public:
  DaemonPortServer(LedgerService& service, std::shared_ptr<Authority> authority, ledger::Identity identity, schema::DaemonRole role)
      : service_(service), presence_(service.presence()), authority_(std::move(authority)), identity_(std::move(identity)), role_(role) {
    presence_->connected(identity_.name);
  }
  ~DaemonPortServer() noexcept(false) { presence_->disconnected(identity_.name); }

  kj::Promise<void> submit(SubmitContext context) override {
    auto commands = context.getParams().getCommands();
    require_role();
    for (auto command : commands) {
      if (may_send(role_, command.getBody().which()) && is_own(command)) continue;
      const base::Status status =
          refuse("command " + std::string(view(command.getId())), ": a command is not this daemon's to send; none of the call's commands was taken");
      auto answers = context.getResults().initAnswers(commands.size());
      for (auto answer : answers) write_refusal(status, answer.initRefusal());
      return kj::READY_NOW;
    }
    return service_.submit_all(commands, identity_).then([context](std::vector<ledger::Answer> answers) mutable {
      context.releaseParams();
      auto builder = context.getResults().initAnswers(answers.size());
      for (size_t i = 0; i < answers.size(); ++i) write_answer(answers[i], builder[i]);
    });
  }

  kj::Promise<void> position(PositionContext context) override {
    require_role();
    auto snapshot = service_.snapshot();
    context.getResults().setSeq(snapshot->position(identity_.name));
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> files(FilesContext context) override {
    require_role();
    auto snapshot = service_.snapshot();
    auto params = context.getParams();
    if (is_held_to_its_name() && role_ != schema::DaemonRole::MONITOR) {
      write_refusal(refuse("files", ": only the monitor asks for files"), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto page = ledger::list_files(*snapshot, view(params.getInstrument()), page_size(params.getLimit(), 1000, 5000),
                                   view(params.getAfter()));
    auto results = context.getResults();
    auto files = results.initFiles(page.rows.size());
    for (size_t i = 0; i < page.rows.size(); ++i) files.setWithCaveats(i, page.rows[i].get());
    results.setNext(ledger::data(page.next));
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> job(JobContext context) override {
    require_role();
    auto snapshot = service_.snapshot();
    uint64_t id = context.getParams().getJob();
    auto results = context.getResults();
    auto row = ledger::find_job(*snapshot, id);
    if (row && may_see(row->get())) {
      results.setJob(row->get());
      hand_out(*snapshot, row->get());
    } else {
      if (row) refuse("job " + std::to_string(id), ": the job was never leased to it").ignore();
      write_refusal({base::Code::kNotFound, "job " + std::to_string(id) + ": no such job"}, results.initRefusal());
    }
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> nextJob(NextJobContext context) override {
    require_role();
    auto params = context.getParams();
    if (role_ != schema::DaemonRole::WORKER) {
      write_refusal(refuse("a job", ": only workers are given jobs"), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    if (is_held_to_its_name() && view(params.getWorker()) != worker_of(identity_.name)) {
      write_refusal(refuse("jobs of worker " + std::string(view(params.getWorker())), ": takes jobs under its own name only"), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    context.allowCancellation();
    Dispatcher::Request request;
    request.command_id = view(params.getCommandId());
    request.worker = view(params.getWorker());
    request.host = view(params.getHost());
    request.lease_ms = params.getLeaseMs();
    request.identity = identity_;
    for (auto environment : params.getEnvironments()) {
      request.environments.emplace(view(environment.getInterpreter()), view(environment.getDocument()));
    }
    context.releaseParams();
    return service_.dispatcher().next(std::move(request)).then([this, context](Dispatcher::Lease lease) mutable {
      auto results = context.getResults();
      const auto snapshot = service_.snapshot();
      auto row = lease.status.is_ok() ? ledger::find_job(*snapshot, lease.job) : std::nullopt;
      if (!row) {
        write_refusal(lease.status, results.initRefusal());
        return;
      }
      leased_[lease.job] = lease.fence;
      hand_out(*snapshot, row->get());
      results.setJob(row->get());
      results.setAttempt(lease.attempt);
      results.setFence(lease.fence);
    });
  }

  kj::Promise<void> alive(AliveContext context) override {
    require_role();
    presence_->alive(identity_.name, std::string(view(context.getParams().getDetail())));
    context.releaseParams();
    auto snapshot = service_.snapshot();
    std::vector<uint64_t> gone;
    for (auto lease = leased_.begin(); lease != leased_.end();) {
      switch (standing(*snapshot, lease->first, lease->second)) {
        case Standing::kOurs: ++lease; break;
        case Standing::kDone: lease = leased_.erase(lease); break;
        case Standing::kTakenAway:
          gone.push_back(lease->first);
          lease = leased_.erase(lease);
          break;
      }
    }
    auto cancelled = context.getResults().initCancelled(gone.size());
    for (size_t i = 0; i < gone.size(); ++i) cancelled.set(i, gone[i]);
    require_read(*snapshot);
    return kj::READY_NOW;
  }

 private:
  /// A worker reads what its job takes.
  void hand_out(const ledger::RowReader& rows, schema::JobRow::Reader job) const {
    authority_->hand_out(job);
    for (const std::string& manifest : source_manifests(rows, job)) authority_->hand_out_document(manifest);
  }
  bool is_held_to_its_name() const { return authority_->caller().kind == Caller::Kind::kDaemon; }
  /// Goes on record.
  base::Status refuse(const std::string& what, const std::string& why) const {
    authority_->note_denied(action_of(role_), what, "not_a_daemons", identity_.name + why);
    return {base::Code::kPermissionDenied, identity_.name + why};
  }
  /// Throws once its session is over.
  void require_role() const {
    if (base::Status status = authority_->require(action_of(role_)); !status.is_ok()) kj::throwFatalException(fault(status));
  }

  /// A position is its sender's own; a worker's command is about itself, or an attempt of its own.
  bool is_own(schema::Command::Reader command) const {
    const std::string_view position = view(command.getPosition().getDaemon());
    if (!position.empty() && position != identity_.name) return false;
    const auto body = command.getBody();
    if (!is_held_to_its_name() || role_ != schema::DaemonRole::WORKER) return true;
    const std::string_view own = worker_of(identity_.name);
    if (body.isJoinWorker()) return view(body.getJoinWorker().getWorker()) == own;
    if (body.isLeaveWorker()) return view(body.getLeaveWorker().getWorker()) == own;
    const auto named = attempt_of(body);
    if (!named) return false;
    const auto job = ledger::find_job(*service_.snapshot(), named->job);
    return job && has_attempt(job->get(), named->fence, own);
  }

  bool may_see(schema::JobRow::Reader job) const {
    if (!is_held_to_its_name() || role_ == schema::DaemonRole::COORDINATOR) return true;
    if (role_ != schema::DaemonRole::WORKER) return false;
    for (auto attempt : job.getAttempts()) {
      if (view(attempt.getWorker()) == worker_of(identity_.name)) return true;
    }
    return false;
  }

  enum class Standing { kOurs, kDone, kTakenAway };
  /// What became of the attempt leased under `fence`.
  static Standing standing(const ledger::RowReader& rows, uint64_t job, uint64_t fence) {
    auto row = ledger::find_job(rows, job);
    if (!row) return Standing::kTakenAway;
    for (auto attempt : row->get().getAttempts()) {
      if (attempt.getFence() != fence) continue;
      switch (attempt.getOutcome()) {
        case schema::AttemptRow::Outcome::RUNNING:
        case schema::AttemptRow::Outcome::PUBLISHING:
          return row->get().getState() == schema::RunState::RUNNING ? Standing::kOurs : Standing::kTakenAway;
        case schema::AttemptRow::Outcome::LOST: return Standing::kTakenAway;
        default: return row->get().getState() == schema::RunState::CANCELLED ? Standing::kTakenAway : Standing::kDone;
      }
    }
    return Standing::kTakenAway;
  }

  LedgerService& service_;
  std::shared_ptr<Presence> presence_;
  const std::shared_ptr<Authority> authority_;
  ledger::Identity identity_;
  schema::DaemonRole role_;
  std::map<uint64_t, uint64_t> leased_;  // job -> fence
};

}  // namespace

schema::DaemonPort::Client make_daemon_port(LedgerService& service, std::shared_ptr<Authority> authority, ledger::Identity identity, schema::DaemonRole role) {
  return kj::heap<DaemonPortServer>(service, std::move(authority), std::move(identity), role);
}

}  // namespace rpc
