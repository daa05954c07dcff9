#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

class OperatorServer final : public schema::Operator::Server {
 public:
  OperatorServer(const Viewpoint& from, std::shared_ptr<Authority> authority) : from_(from), authority_(std::move(authority)), identity_(identity_of(authority_->caller(), {})) {}

  kj::Promise<void> queue(QueueContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto params, auto results) {
      const size_t limit = params.getLimit() == 0 ? 200 : std::min<size_t>(params.getLimit(), 1000);
      auto page = ledger::list_queue(snapshot, limit, view(params.getAfter()));
      auto waiting = results.initWaiting(page.rows.size());
      for (size_t i = 0; i < page.rows.size(); ++i) waiting.setWithCaveats(i, page.rows[i].get());
      results.setNext(ledger::data(page.next));
    });
  }

  kj::Promise<void> workers(WorkersContext context) override {
    return from_.answer(context, [](const ledger::Snapshot& snapshot, auto, auto results) {
      auto rows = ledger::list_workers(snapshot);
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
    CommandMessage command(view(params.getCommandId()));
    auto cancelled = command.get().getBody().initCancelJob();
    cancelled.setJob(params.getJob());
    cancelled.initReason().setText(params.getComment());
    return from_.service().submit(command.reader(), identity_).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

 private:
  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
  ledger::Identity identity_;
};

}  // namespace

schema::Operator::Client make_operator(const Viewpoint& from, std::shared_ptr<Authority> authority) {
  return kj::heap<OperatorServer>(from, std::move(authority));
}

}  // namespace rpc
