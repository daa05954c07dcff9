// The ledger as the capabilities see it: commands as promises, commits as wake-ups, who is there, which job goes to whom.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "ledger/witness.h"
#include "rpc/loop.h"
#include "rpc/service/rerun_limit.h"
#include "schema/api.capnp.h"

namespace rpc {

class AccessDesk;
struct AccessSettings;
class Accounts;
class Dispatcher;
class EventFeed;
struct Peer;
class Presence;

/// Command under construction.
class CommandMessage {
 public:
  explicit CommandMessage(std::string_view id);
  schema::Command::Builder get() { return command_; }
  schema::Command::Reader reader() { return command_.asReader(); }

 private:
  capnp::MallocMessageBuilder message_;
  schema::Command::Builder command_;
};

/// A checkpoint, or why there is none, and what it is of.
struct SignedCheckpoint {
  base::Result<std::string> note;
  std::shared_ptr<const ledger::Snapshot> snapshot;
  uint64_t size = 0;  // events it is of: all that the snapshot shows, or in the copy of another ledger less
};

/// How the copy of another ledger stands to its source.
struct Following {
  std::string source;  // its address
  schema::FollowState state = schema::FollowState::CONNECTING;
  int64_t since_ns = 0;
  std::string detail;
  uint64_t source_head = 0;  // as last heard
  uint64_t checkpoint_size = 0;
  int64_t checkpoint_at_ns = 0;
};

/// What every capability server works on.
///
/// Owns:    the dispatcher and the list of daemons present; borrows loop, ledger and clock.
/// Threads: loop thread only. The ledger's writer thread reaches it through Loop::post.
/// Errors:  refusals come as ledger::Answer; promises reject on faults only.
/// Lifetime: destroy the Ledger (which ends its writer) before this, and this before the Loop.
class LedgerService {
 public:
  LedgerService(Loop& loop, ledger::Ledger& ledger, const base::Clock& clock, std::string facility);
  ~LedgerService();

  /// A Gateway whose sessions may everything, as `identity`: for this process, and sites without [access].
  schema::Gateway::Client gateway(ledger::Identity identity);
  /// A Gateway for whoever is at the other end of a connection.
  schema::Gateway::Client gateway(Peer peer);
  /// Others than the account that runs the ledger may log in; to be called before there is any gateway.
  void use_access(const AccessSettings& settings, std::shared_ptr<Accounts> accounts);
  AccessDesk& access() { return *access_; }
  RerunLimit& rerun_limit() { return rerun_limit_; }

  kj::Promise<ledger::Answer> submit(schema::Command::Reader command, const ledger::Identity& identity);
  kj::Promise<std::vector<ledger::Answer>> submit_all(capnp::List<schema::Command>::Reader commands, const ledger::Identity& identity);

  kj::Promise<base::Status> take(ledger::Delivery delivery);

  /// As Ledger has them.
  using Findings = base::Result<std::vector<std::string>>;
  kj::Promise<Findings> rebuild_views(const std::vector<std::string>& names, ledger::Ledger::Progress progress);
  kj::Promise<Findings> check_views(const std::vector<std::string>& names, ledger::Ledger::Progress progress);

  /// Fulfilled once event `seq` is durable.
  kj::Promise<void> when_committed(uint64_t seq);
  /// Fulfilled once every view has rows: at once, but for a release whose views are of another version.
  kj::Promise<void> when_folded();
  bool is_folded() const;
  /// Last durable seq known to the loop.
  uint64_t head() const { return head_; }
  std::unique_ptr<ledger::Snapshot> snapshot() const { return ledger_.snapshot(); }

  /// Checkpoints go there; without one nothing is signed and there are no auditors.
  void use_witness(std::shared_ptr<ledger::Witness> witness) { witness_ = std::move(witness); }
  const std::shared_ptr<ledger::Witness>& witness() const { return witness_; }
  /// Signs one of everything there is when its turn comes, on the pool. Of these two one at a time: a witness file that hangs keeps one thread.
  kj::Promise<SignedCheckpoint> sign_checkpoint() { return checkpoint(&ledger::Witness::sign); }
  /// The same for somebody who keeps it himself; the witness file is not written.
  kj::Promise<SignedCheckpoint> vouch() { return checkpoint(&ledger::Witness::vouch); }
  /// Alive while the ledger is being verified.
  std::weak_ptr<void>& verifying() { return verifying_; }

  /// The ledger is the copy of another one. Null: it is not.
  void follow(std::shared_ptr<const Following> following) { following_ = std::move(following); }
  const Following* following() const { return following_.get(); }

  /// In a sentence that the clock is behind the log's last event; empty when it is not, and in the copy of another ledger.
  std::string clock_problem() const;

  Loop& loop() { return loop_; }
  const base::Clock& clock() const { return clock_; }
  ledger::Ledger& ledger() { return ledger_; }
  const std::string& facility() const { return facility_; }
  int64_t started_at() const { return started_at_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  /// Shared, because a capability that was called last of all lets go of it after this is gone.
  const std::shared_ptr<Presence>& presence() { return presence_; }
  /// New events, for subscriptions; shared for the same reason.
  const std::shared_ptr<EventFeed>& feed() { return feed_; }

 private:
  void committed(uint64_t head);
  using MakeCheckpoint = base::Result<std::string> (ledger::Witness::*)(const ledger::Snapshot& snapshot, int64_t now_ns);
  kj::Promise<SignedCheckpoint> checkpoint(MakeCheckpoint make);
  template <typename T>
  struct Pending {
    uint64_t next = 0;
    std::map<uint64_t, kj::Own<kj::PromiseFulfiller<T>>> waiting;
  };

  Loop& loop_;
  ledger::Ledger& ledger_;
  const base::Clock& clock_;
  std::string facility_;
  int64_t started_at_;
  uint64_t head_;
  Pending<ledger::Answer> answers_;
  Pending<std::vector<ledger::Answer>> batches_;
  Pending<Findings> findings_;
  Pending<base::Status> deliveries_;
  std::multimap<uint64_t, kj::Own<kj::PromiseFulfiller<void>>> commit_waiters_;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> fold_waiters_;
  RerunLimit rerun_limit_;
  std::unique_ptr<AccessDesk> access_;
  std::shared_ptr<Dispatcher> dispatcher_;
  std::shared_ptr<Presence> presence_;
  std::shared_ptr<EventFeed> feed_;
  std::shared_ptr<ledger::Witness> witness_;
  kj::ForkedPromise<void> last_signing_ = kj::Promise<void>(kj::READY_NOW).fork();
  std::shared_ptr<const Following> following_;
  std::weak_ptr<void> verifying_;
};

}  // namespace rpc
