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
  template <typename Params, typename Results, typename Read>
  kj::Promise<void> answer(capnp::CallContext<Params, Results> context, Read read) const {
    if (is_past()) return answer_on_pool(context, std::move(read));
    const auto now = snapshot();
    read(*now, context.getParams(), context.getResults());
    require_read(*now);
    return kj::READY_NOW;
  }

  /// The same, always on the pool.
  template <typename Params, typename Results, typename Read>
  kj::Promise<void> answer_on_pool(capnp::CallContext<Params, Results> context, Read read) const {
    auto work = [from = snapshot(), params = capnp::clone(context.getParams()), read = std::move(read)]() mutable {
      auto message = kj::heap<capnp::MallocMessageBuilder>();
      read(*from, *params, message->template initRoot<Results>());
      require_read(*from);
      return message;
    };
    return service_.loop().on_pool(std::move(work)).then([context](kj::Own<capnp::MallocMessageBuilder>&& message) mutable {
      context.setResults(message->template getRoot<Results>().asReader());
    });
  }

 private:
  LedgerService& service_;
  const uint64_t seq_;
};

}  // namespace rpc
