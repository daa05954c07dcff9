#include <algorithm>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

class OperatorServer final : public schema::Operator::Server {
 public:
  OperatorServer(LedgerService& service, ledger::Identity identity) : service_(service), identity_(std::move(identity)) {}

  kj::Promise<void> queue(QueueContext context) override {
    auto snapshot = service_.snapshot();
    auto params = context.getParams();
    size_t limit = params.getLimit() == 0 ? 200 : std::min<size_t>(params.getLimit(), 1000);
    auto page = ledger::list_queue(*snapshot, limit, view(params.getAfter()));
    auto results = context.getResults();
    auto waiting = results.initWaiting(page.rows.size());
    for (size_t i = 0; i < page.rows.size(); ++i) waiting.setWithCaveats(i, page.rows[i].get());
    results.setNext(ledger::data(page.next));
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> workers(WorkersContext context) override {
    auto snapshot = service_.snapshot();
    auto rows = ledger::list_workers(*snapshot);
    auto workers = context.getResults().initWorkers(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) workers.setWithCaveats(i, rows[i].get());
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> cancel(CancelContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto cancelled = command.get().getBody().initCancelJob();
    cancelled.setJob(params.getJob());
    cancelled.initReason().setText(params.getComment());
    return service_.submit(command.reader(), identity_).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

 private:
  LedgerService& service_;
  ledger::Identity identity_;
};

}  // namespace

schema::Operator::Client make_operator(LedgerService& service, ledger::Identity identity) {
  return kj::heap<OperatorServer>(service, std::move(identity));
}

}  // namespace rpc
