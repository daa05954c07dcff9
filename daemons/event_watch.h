// Following the ledger's events as a daemon does it: from now on, and never without noticing that nothing comes any more.
#pragma once

#include <kj/async.h>

#include <functional>
#include <memory>
#include <vector>

#include "schema/api.capnp.h"

namespace daemons {

/// A subscription to the events of some kinds.
///
/// Owns:    the subscription and the handler; dropping this ends both at once, whatever the ledger still has under way.
/// Threads: loop thread.
/// Errors:  start() rejects when the ledger refuses; ended() rejects (DISCONNECTED) when it lets go of the subscription later, or
///          the connection breaks. It is never fulfilled.
class EventWatch {
 public:
  using Kind = schema::Event::Body::Which;
  using Handler = std::function<void(schema::Event::Reader)>;

  /// `handler` is called once for each event recorded from now on, in order.
  static kj::Promise<EventWatch> start(schema::Runs::Client runs, const std::vector<Kind>& kinds, Handler handler);
  /// Once.
  kj::Promise<void> ended() { return kj::mv(ended_); }

 private:
  class Sink;
  EventWatch(std::shared_ptr<Handler> handler, schema::Subscription::Client subscription, kj::Promise<void> ended)
      : handler_(std::move(handler)), subscription_(kj::mv(subscription)), ended_(kj::mv(ended)) {}

  std::shared_ptr<Handler> handler_;  // the sink holds it weakly
  schema::Subscription::Client subscription_;
  kj::Promise<void> ended_;
};

}  // namespace daemons
