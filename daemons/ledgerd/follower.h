// Copying another ledger into this one, for as long as that one is to be trusted. Why and how: docs/engine.md.
#pragma once

#include <kj/async.h>

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "ledger/follow.h"
#include "rpc/loop.h"
#include "rpc/service/service.h"
#include "schema/api.capnp.h"

namespace daemons {

/// Owns:    the connection's capabilities, and how it all stands. Borrows loop, service and clock.
/// Threads: loop thread.
/// Errors:  what goes wrong with the source is in the state, and in the daemon log once for each change. A source that cannot be had is
///          tried again; one that contradicts what is held is not.
class Follower {
 public:
  using Connect = std::function<kj::Promise<schema::Gateway::Client>()>;
  struct Pauses {
    kj::Duration first = 100 * kj::MILLISECONDS;
    kj::Duration longest = 30 * kj::SECONDS;
  };

  /// `address` and `key` are the source's; `connect` opens a connection and keeps it until it is called again.
  Follower(rpc::Loop& loop, rpc::LedgerService& service, const base::Clock& clock, std::string address, ledger::NoteKey key, Connect connect);
  Follower(rpc::Loop& loop, rpc::LedgerService& service, const base::Clock& clock, std::string address, ledger::NoteKey key, Connect connect,
           Pauses pauses);

  /// Follows until the promise is dropped.
  kj::Promise<void> run();
  std::shared_ptr<const rpc::Following> state() const { return state_; }

 private:
  class Sink;
  struct Delivered;
  kj::Promise<void> attempt(kj::Duration pause);
  kj::Promise<void> once();
  kj::Promise<void> look_at_source(schema::Auditor::Client auditor);
  kj::Promise<void> prove_continuation(schema::Auditor::Client auditor, std::string note);
  kj::Promise<void> copy(schema::Auditor::Client auditor);
  kj::Promise<void> take(schema::CopySink::PushParams::Reader piece);
  kj::Promise<void> write(std::shared_ptr<Delivered> delivered);

  void verified(const ledger::Checkpoint& checkpoint);
  void enter(schema::FollowState state, std::string detail = {});
  void stop(const base::Status& why);
  /// Ends what is under way: for good,
  void require(const base::Status& status);
  /// or until the next attempt.
  void require_now(const base::Status& status);
  uint64_t held() const { return service_.ledger().head(); }

  rpc::Loop& loop_;
  rpc::LedgerService& service_;
  const base::Clock& clock_;
  const ledger::NoteKey key_;
  const Connect connect_;
  const Pauses pauses_;
  const std::shared_ptr<rpc::Following> state_ = std::make_shared<rpc::Following>();
  bool stopped_ = false;
  bool taken_ = false;  // something, since the last attempt began
  kj::Maybe<schema::Subscription::Client> subscription_;
  kj::ForkedPromise<void> taking_;           // the piece at hand: the next attempt begins behind it
  const std::shared_ptr<Follower*> self_ = std::make_shared<Follower*>(this);  // sinks hold it weakly
  kj::Canceler pushes_;                      // ends first
};

}  // namespace daemons
