#include <spdlog/spdlog.h>

#include <algorithm>

#include "ledger/event_bytes.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/catch_up.h"
#include "rpc/service/event_feed.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

/// Reads what there is of a watcher's events, then waits for new ones with the feed. One push is in flight: what comes meanwhile is only
/// noted, and read again from the log when the sink has answered. So a stalled sink costs one push.
class SubscriptionServer final : public schema::Subscription::Server, private EventFeed::Watcher {
 public:
  SubscriptionServer(LedgerService& service, std::shared_ptr<Authority> authority, uint64_t from, EventFilter filter, schema::EventSink::Client sink,
                     std::shared_ptr<void> use)
      : use_(std::move(use)),
        authority_(std::move(authority)),
        service_(service),
        feed_(service.feed()),
        next_(from),
        filter_(std::make_shared<const EventFilter>(std::move(filter))),
        sink_(kj::mv(sink)) {
    task_ = go_on().exclusiveJoin(authority_->on_end()).eagerlyEvaluate([this](kj::Exception&& problem) {
      feed_->leave(*this);
      sink_ = schema::EventSink::Client(nullptr);  // lets the watcher know
      if (problem.getType() != kj::Exception::Type::DISCONNECTED) spdlog::warn("a subscription ended: {}", problem.getDescription().cStr());
    });
  }
  ~SubscriptionServer() noexcept(false) { feed_->leave(*this); }

 private:
  kj::Promise<void> go_on() {
    kj::Promise<void> one = next_ < feed_->next() ? catch_up() : live();
    return one.then([this] { return go_on(); });
  }

  kj::Promise<void> catch_up() {
    std::shared_ptr<const ledger::Snapshot> snapshot = service_.snapshot();
    auto read = [snapshot, filter = filter_, sight = authority_->event_sight(), from = next_, to = feed_->next() - 1] {
      return read_round(*snapshot, *filter, *sight, from, to);
    };
    return service_.loop().on_pool(std::move(read)).then([this](Round round) -> kj::Promise<void> {
      if (!round.status.is_ok()) return fault(round.status);
      next_ = round.next;
      if (round.events.empty()) return kj::READY_NOW;
      EventFeed::Events events(round.events.begin(), round.events.end());
      return push(events, next_ - 1);
    });
  }

  /// Until it has fallen behind.
  kj::Promise<void> live() {
    auto paf = kj::newPromiseAndFulfiller<void>();
    fallen_behind_ = kj::mv(paf.fulfiller);
    feed_->join(*this, *filter_, next_);
    return kj::mv(paf.promise);
  }
  const EventSight& sight() const override { return *authority_->event_sight(); }
  void wanted(uint64_t first, const EventFeed::Events& events, uint64_t to) override {
    if (pushing_) {
      missed_ = std::min(missed_, first);
      return;
    }
    pushing_ = true;
    missed_ = UINT64_MAX;
    push_ = push(events, to)
                .then([this] {
                  pushing_ = false;
                  if (missed_ == UINT64_MAX) return;
                  feed_->leave(*this);
                  behind(missed_);
                })
                .eagerlyEvaluate([this](kj::Exception&& problem) { fallen_behind_->reject(kj::mv(problem)); });
  }
  void behind(uint64_t from) override {
    if (pushing_) {
      missed_ = std::min(missed_, from);
      return;
    }
    next_ = from;
    fallen_behind_->fulfill();
  }

  kj::Promise<void> push(const EventFeed::Events& events, uint64_t to) {
    auto request = sink_.pushRequest();
    auto list = request.initEvents(events.size());
    for (size_t i = 0; i < events.size(); ++i) {
      list.set(i, events[i].asBytes());
      authority_->hand_out_event(ledger::StoredEvent(events[i]).get());
    }
    request.setHead(to);
    return request.send().ignoreResult();
  }

  const std::shared_ptr<void> use_;
  const std::shared_ptr<Authority> authority_;
  LedgerService& service_;
  const std::shared_ptr<EventFeed> feed_;
  uint64_t next_;
  const std::shared_ptr<const EventFilter> filter_;  // with whatever the pool still reads
  schema::EventSink::Client sink_;
  bool pushing_ = false;  // what the feed gave
  uint64_t missed_ = UINT64_MAX;
  kj::Own<kj::PromiseFulfiller<void>> fallen_behind_;
  kj::Promise<void> push_ = nullptr;
  kj::Promise<void> task_ = nullptr;
};

}  // namespace

schema::Subscription::Client make_subscription(LedgerService& service, std::shared_ptr<Authority> authority, uint64_t from, EventFilter filter,
                                               schema::EventSink::Client sink, std::shared_ptr<void> use) {
  return kj::heap<SubscriptionServer>(service, std::move(authority), from, std::move(filter), kj::mv(sink), std::move(use));
}

}  // namespace rpc
