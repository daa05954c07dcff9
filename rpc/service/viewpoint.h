// From where a session reads: the ledger as it is, or as it stood after an earlier event.
#pragma once

#include <capnp/capability.h>
#include <capnp/message.h>

#include <memory>

#include "base/status.h"
#include "rpc/loop.h"
#include "rpc/service/answers.h"
#include "rpc/service/service.h"

namespace rpc {

/// Where every capability of a session takes its snapshots from.
///
/// Owns:    nothing; borrows the service. Copied into each capability.
/// Threads: loop thread; what may cost much is read on the pool, on a snapshot of its own, from and into messages of its own.
/// Errors:  a snapshot that cannot be read is a fault of the call.
class Viewpoint {
 public:
  /// seq 0 = now.
  explicit Viewpoint(LedgerService& service, uint64_t seq = 0) : service_(service), seq_(seq) {}
  LedgerService& service() const { return service_; }
  bool is_past() const { return seq_ != 0; }
  std::unique_ptr<ledger::Snapshot> snapshot() const;
  /// kOk, or in the past kPermissionDenied: `what` is what was asked for.
  base::Status may(std::string_view what) const;

  /// Answers a call by `read(snapshot, params, results)`: now at once, of the past on the pool. `read` borrows nothing.
  /// `told(results)` is called on the loop before the answer goes out.
  template <typename Params, typename Results, typename Read, typename Told>
  kj::Promise<void> answer(capnp::CallContext<Params, Results> context, Read read, Told told) const {
    if (is_past()) return answer_on_pool(context, std::move(read), std::move(told));
    const auto now = snapshot();
    read(*now, context.getParams(), context.getResults());
    require_read(*now);
    told(context.getResults().asReader());
    return kj::READY_NOW;
  }
  template <typename Params, typename Results, typename Read>
  kj::Promise<void> answer(capnp::CallContext<Params, Results> context, Read read) const {
    return answer(context, std::move(read), [](typename Results::Reader) {});
  }

  /// The same, always on the pool.
  template <typename Params, typename Results, typename Read>
  kj::Promise<void> answer_on_pool(capnp::CallContext<Params, Results> context, Read read) const {
    return answer_on_pool(context, std::move(read), [](typename Results::Reader) {});
  }
  template <typename Params, typename Results, typename Read, typename Told>
  kj::Promise<void> answer_on_pool(capnp::CallContext<Params, Results> context, Read read, Told told) const {
    auto work = [from = snapshot(), params = capnp::clone(context.getParams()), read = std::move(read)]() mutable {
      auto message = kj::heap<capnp::MallocMessageBuilder>();
      read(*from, *params, message->template initRoot<Results>());
      require_read(*from);
      return message;
    };
    return service_.loop().on_pool(std::move(work)).then([context, told = std::move(told)](kj::Own<capnp::MallocMessageBuilder>&& message) mutable {
      typename Results::Reader results = message->template getRoot<Results>().asReader();
      told(results);
      context.setResults(results);
    });
  }

 private:
  LedgerService& service_;
  const uint64_t seq_;
};

}  // namespace rpc
