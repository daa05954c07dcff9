#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/dispatcher.h"
#include "rpc/service/gateway.h"
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
      return command == Body::REGISTER_SCRIPT || command == Body::QUEUE_JOB || command == Body::SKIP_RUN || command == Body::LOSE_ATTEMPT;
    case schema::DaemonRole::WORKER:
      return command == Body::JOIN_WORKER || command == Body::LEAVE_WORKER || command == Body::FAIL_ATTEMPT ||
             command == Body::SKIP_ATTEMPT || command == Body::SUCCEED_ATTEMPT || command == Body::PUBLISH_JOB;
  }
  return false;
}

class DaemonPortServer final : public schema::DaemonPort::Server {
 public:
  DaemonPortServer(LedgerService& service, ledger::Identity identity, schema::DaemonRole role)
      : service_(service), presence_(service.presence()), identity_(std::move(identity)), role_(role) {
    presence_->connected(identity_.name);
  }
  ~DaemonPortServer() noexcept(false) { presence_->disconnected(identity_.name); }

  kj::Promise<void> submit(SubmitContext context) override {
    auto commands = context.getParams().getCommands();
    for (auto command : commands) {
      if (may_send(role_, command.getBody().which())) continue;
      auto answers = context.getResults().initAnswers(commands.size());
      for (auto answer : answers) {
        write_refusal({base::Code::kPermissionDenied,
                       identity_.name + ": this kind of command is not this daemon's to send; none of the call's commands was taken"},
                      answer.initRefusal());
      }
      return kj::READY_NOW;
    }
    return service_.submit_all(commands, identity_).then([context](std::vector<ledger::Answer> answers) mutable {
      context.releaseParams();
      auto builder = context.getResults().initAnswers(answers.size());
      for (size_t i = 0; i < answers.size(); ++i) write_answer(answers[i], builder[i]);
    });
  }

  kj::Promise<void> position(PositionContext context) override {
    auto snapshot = service_.snapshot();
    context.getResults().setSeq(snapshot->position(identity_.name));
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> files(FilesContext context) override {
    auto snapshot = service_.snapshot();
    auto params = context.getParams();
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
    auto snapshot = service_.snapshot();
    uint64_t id = context.getParams().getJob();
    auto results = context.getResults();
    if (auto row = ledger::find_job(*snapshot, id)) {
      results.setJob(row->get());
    } else {
      write_refusal({base::Code::kNotFound, "job " + std::to_string(id) + ": no such job"}, results.initRefusal());
    }
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> nextJob(NextJobContext context) override {
    auto params = context.getParams();
    if (role_ != schema::DaemonRole::WORKER) {
      write_refusal({base::Code::kPermissionDenied, identity_.name + ": only workers are given jobs"}, context.getResults().initRefusal());
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
      auto row = lease.status.is_ok() ? ledger::find_job(*service_.snapshot(), lease.job) : std::nullopt;
      if (!row) {
        write_refusal(lease.status, results.initRefusal());
        return;
      }
      leased_[lease.job] = lease.fence;
      results.setJob(row->get());
      results.setAttempt(lease.attempt);
      results.setFence(lease.fence);
    });
  }

  kj::Promise<void> alive(AliveContext context) override {
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
  static size_t page_size(uint32_t asked, size_t usual, size_t most) { return asked == 0 ? usual : std::min<size_t>(asked, most); }

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
  ledger::Identity identity_;
  schema::DaemonRole role_;
  std::map<uint64_t, uint64_t> leased_;  // job -> fence
};

}  // namespace

schema::DaemonPort::Client make_daemon_port(LedgerService& service, std::shared_ptr<Authority>, ledger::Identity identity, schema::DaemonRole role) {
  return kj::heap<DaemonPortServer>(service, std::move(identity), role);
}

}  // namespace rpc
