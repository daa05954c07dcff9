#include "rpc/service/copy.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/log_copy.h"
#include "rpc/service/answers.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

/// Reads pieces on the pool and pushes them; one push in flight, so a stalled sink costs one piece.
class CopyServer final : public schema::Subscription::Server {
 public:
  CopyServer(LedgerService& service, uint64_t from, schema::CopySink::Client sink)
      : service_(service), copy_(std::make_shared<ledger::LogCopy>(from)), sink_(kj::mv(sink)) {
    task_ = go_on().eagerlyEvaluate([this](kj::Exception&& problem) {
      sink_ = schema::CopySink::Client(nullptr);  // lets the other side know
      if (problem.getType() != kj::Exception::Type::DISCONNECTED) spdlog::warn("a copy of the log ended: {}", problem.getDescription().cStr());
    });
  }

 private:
  kj::Promise<void> go_on() {
    return service_.when_committed(copy_->next()).then([this] { return piece(); }).then([this] { return go_on(); });
  }

  kj::Promise<void> piece() {
    std::shared_ptr<const ledger::Snapshot> snapshot = service_.snapshot();
    const uint64_t to = std::min(service_.head(), snapshot->head());
    return service_.loop()
        .on_pool([copy = copy_, snapshot, to] { return copy->read(*snapshot, to); })
        .then([this](base::Result<ledger::LogCopy::Piece> piece) -> kj::Promise<void> {
          if (!piece.is_ok()) return KJ_EXCEPTION(FAILED, piece.status().message().c_str());
          if (piece->empty()) return kj::evalLater([] {});
          auto request = sink_.pushRequest();
          auto events = request.initEvents(piece->events.size());
          for (size_t i = 0; i < piece->events.size(); ++i) events.set(i, piece->events[i].asBytes());
          auto blobs = request.initBlobs(piece->blobs.size());
          for (size_t i = 0; i < piece->blobs.size(); ++i) blobs.set(i, ledger::data(piece->blobs[i]));
          return request.send().ignoreResult();
        });
  }

  LedgerService& service_;
  const std::shared_ptr<ledger::LogCopy> copy_;  // with whatever the pool still reads
  schema::CopySink::Client sink_;
  kj::Promise<void> task_ = nullptr;
};

}  // namespace

kj::Promise<void> copy_log(LedgerService& service, capnp::CallContext<schema::Auditor::CopyParams, schema::Auditor::CopyResults> context) {
  auto params = context.getParams();
  const uint64_t from = std::max<uint64_t>(params.getFrom(), 1);
  context.getResults().setHead(service.head());
  context.getResults().setSubscription(kj::heap<CopyServer>(service, from, params.getSink()));
  return kj::READY_NOW;
}

}  // namespace rpc
