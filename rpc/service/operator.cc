#include <fmt/format.h>

#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/gateway.h"
#include "rpc/service/seen_rows.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

class OperatorServer final : public schema::Operator::Server {
 public:
  OperatorServer(const Viewpoint& from, std::shared_ptr<Authority> authority) : from_(from), authority_(std::move(authority)) {}

  kj::Promise<void> queue(QueueContext context) override {
    const auto sight = authority_->sight();
    const auto read = [sight](const ledger::Snapshot& snapshot, auto params, auto results) {
      auto page = seen_queue(snapshot, *sight, page_size(params.getLimit(), 200, 1000), view(params.getAfter()));
      auto waiting = results.initWaiting(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) waiting.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    };
    return sight->is_everything() ? from_.answer(context, read) : from_.answer_on_pool(context, read);
  }

  kj::Promise<void> workers(WorkersContext context) override {
    // A worker with a credential of its own learns of nobody else's jobs.
    const Caller& caller = authority_->caller();
    std::string only;
    if (caller.kind == Caller::Kind::kDaemon && caller.daemon == schema::DaemonRole::WORKER) {
      only = worker_of(caller.name);
    } else {
      const base::Status status = authority_->require(Action::kSeeWorkers);
      if (!status.is_ok()) kj::throwFatalException(fault(status));
    }
    return from_.answer(context, [only](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rows = ledger::list_workers(snapshot);
      if (!only.empty()) std::erase_if(rows, [&](const auto& row) { return view(row.get().getWorker().getWorker()) != only; });
      auto workers = results.initWorkers(rows.size());
      for (size_t i = 0; i < rows.size(); ++i) workers.setWithCaveats(i, rows[i].get());
    });
  }

  kj::Promise<void> cancel(CancelContext context) override {
    if (base::Status status = from_.may("cancel"); !status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    auto identity = may_cancel(params.getJob());
    if (!identity.is_ok()) {
      write_refusal(identity.status(), context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    CommandMessage command(view(params.getCommandId()));
    auto cancelled = command.get().getBody().initCancelJob();
    cancelled.setJob(params.getJob());
    cancelled.initReason().setText(params.getComment());
    return from_.service().submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

 private:
  base::Result<ledger::Identity> may_cancel(uint64_t id) {
    const auto snapshot = from_.snapshot();
    const auto job = ledger::find_job(*snapshot, id);
    require_read(*snapshot);
    if (job && sees(*snapshot, *authority_->sight(), job->get())) return authority_->may(Action::kCancelJob, resource_of(*snapshot, job->get()));
    if (job) authority_->hide(Action::kCancelJob, resource_of(*snapshot, job->get()));
    return base::Status(base::Code::kNotFound, fmt::format("job {}: there is no such job; `runledger queue` lists those that wait", id));
  }

  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
};

}  // namespace

schema::Operator::Client make_operator(const Viewpoint& from, std::shared_ptr<Authority> authority) {
  return kj::heap<OperatorServer>(from, std::move(authority));
}

}  // namespace rpc
