#include "daemons/event_watch.h"

#include "daemons/refusal.h"
#include "ledger/canonical.h"
#include "ledger/event_bytes.h"

namespace daemons {

/// The ledger may hold it longer than its watch lives: then it hands on nothing any more.
class EventWatch::Sink final : public schema::EventSink::Server {
 public:
  Sink(std::weak_ptr<Handler> handler, kj::Own<kj::PromiseFulfiller<void>> ended) : handler_(std::move(handler)), ended_(kj::mv(ended)) {}
  ~Sink() noexcept(false) {
    ended_->reject(KJ_EXCEPTION(DISCONNECTED, "the ledger ended the watch of its events; a new one is needed"));
  }

  kj::Promise<void> push(PushContext context) override {
    for (capnp::Data::Reader bytes : context.getParams().getEvents()) {
      auto handler = handler_.lock();
      if (!handler) break;
      ledger::Row<schema::Event> event(ledger::view(bytes));
      (*handler)(event.get());
    }
    return kj::READY_NOW;
  }

 private:
  std::weak_ptr<Handler> handler_;
  kj::Own<kj::PromiseFulfiller<void>> ended_;
};

kj::Promise<EventWatch> EventWatch::start(schema::Runs::Client runs, const std::vector<Kind>& kinds, Handler handler) {
  auto shared = std::make_shared<Handler>(std::move(handler));
  auto pair = kj::newPromiseAndFulfiller<void>();
  auto request = runs.watchRequest();
  auto wanted = request.initFilter().initKinds(static_cast<unsigned>(kinds.size()));
  for (unsigned i = 0; i < wanted.size(); ++i) wanted.set(i, static_cast<uint16_t>(kinds[i]));
  request.setSink(kj::heap<Sink>(shared, kj::mv(pair.fulfiller)));
  return request.send().then([shared, ended = kj::mv(pair.promise)](auto&& answer) mutable {
    require_granted(answer.getRefusal(), "the ledger's events cannot be watched");
    return EventWatch(std::move(shared), answer.getSubscription(), kj::mv(ended));
  });
}

}  // namespace daemons
