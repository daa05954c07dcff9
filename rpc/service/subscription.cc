#include <spdlog/spdlog.h>

#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

constexpr uint64_t kEventsARound = 256;
constexpr size_t kBytesARound = 256u << 10;

/// Reads on from one seq and pushes what passes the filter; one push in flight, so what a stalled sink costs is one round.
class SubscriptionServer final : public schema::Subscription::Server {
 public:
  SubscriptionServer(LedgerService& service, uint64_t from, EventFilter filter, schema::EventSink::Client sink)
      : service_(service), next_(from), filter_(std::move(filter)), sink_(kj::mv(sink)) {
    task_ = go_on().eagerlyEvaluate([this](kj::Exception&& problem) {
      sink_ = schema::EventSink::Client(nullptr);  // lets the watcher know
      if (problem.getType() != kj::Exception::Type::DISCONNECTED) spdlog::warn("a subscription ended: {}", problem.getDescription().cStr());
    });
  }

 private:
  kj::Promise<void> go_on() {
    return service_.when_committed(next_).then([this] { return round(); }).then([this] { return go_on(); });
  }

  kj::Promise<void> round() {
    auto snapshot = service_.snapshot();
    uint64_t head = std::min(service_.head(), snapshot->head());
    std::vector<kj::Array<capnp::word>> batch;
    size_t bytes = 0;
    for (uint64_t seen = 0; next_ <= head && seen < kEventsARound && bytes < kBytesARound; ++seen, ++next_) {
      auto event = snapshot->event(next_);
      if (!event.is_ok()) {
        return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str("event ", next_, ": ", event.status().message().c_str()));
      }
      if (!filter_.passes(*snapshot, event->asPtr())) continue;
      bytes += event->size() * sizeof(capnp::word);
      batch.push_back(std::move(*event));
    }
    if (batch.empty()) return kj::evalLater([] {});
    auto request = sink_.pushRequest();
    auto events = request.initEvents(batch.size());
    for (size_t i = 0; i < batch.size(); ++i) events.set(i, batch[i].asBytes());
    request.setHead(head);
    return request.send().ignoreResult();
  }

  LedgerService& service_;
  uint64_t next_;
  EventFilter filter_;
  schema::EventSink::Client sink_;
  kj::Promise<void> task_ = nullptr;
};

}  // namespace

schema::Subscription::Client make_subscription(LedgerService& service, uint64_t from, schema::EventFilter::Reader filter,
                                               schema::EventSink::Client sink) {
  return kj::heap<SubscriptionServer>(service, from, EventFilter(filter), kj::mv(sink));
}

}  // namespace rpc
