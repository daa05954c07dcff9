// The authority of a session: whom it is of, what that one may now, and the record of what was refused.
#pragma once

#include <kj/async.h>

#include <memory>
#include <string>

#include "ledger/ledger.h"
#include "rpc/access/policy.h"
#include "rpc/service/event_sight.h"
#include "rpc/service/handed_out.h"

namespace rpc {

class AccessDesk;

/// Shared by the capabilities of a session, which ask it at every call.
///
/// Owns:    the caller as he stands now; roles change while it lives. Borrows the desk, which outlives it.
/// Threads: loop thread; what sight() answers may go anywhere.
/// Errors:  kPermissionDenied with the policy's sentence; recorded as a denial.
class Authority {
 public:
  Authority(AccessDesk& desk, Caller caller);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const Caller& caller() const { return caller_; }
  /// Who stands behind a command that `action` allows, with the right; or the refusal.
  base::Result<ledger::Identity> may(Action action, const Resource& resource = {});
  /// The same for what is only read.
  base::Status require(Action action, const Resource& resource = {});
  /// Asked without any consequence.
  bool is_allowed(Action action, const Resource& resource = {}) const { return decide(caller_, action, resource).allowed; }
  /// Records that `action` was tried on something the caller must not know of; he is told that there is no such thing.
  void hide(Action action, const Resource& resource);
  std::shared_ptr<const Sight> sight() const { return sight_; }
  const std::shared_ptr<const EventSight>& event_sight() const { return event_sight_; }

  /// The caller is being told this: the documents it names he may read. Of those who see everything nothing is kept.
  template <typename Reader>
  void hand_out(Reader answer) {
    if (!event_sight_->is_everything()) handed_out_.note(capnp::toDynamic(answer));
  }
  bool may_read_blob(std::string_view sha256) const { return event_sight_->is_everything() || handed_out_.has(sha256); }

  /// His roles are these now.
  void become(std::vector<Grant> grants);
  /// The session is over: whatever it handed out breaks, with this sentence.
  void end(const std::string& why);
  /// Rejected when the session ends.
  kj::Promise<void> on_end();

 private:
  AccessDesk& desk_;
  Caller caller_;
  std::shared_ptr<const Sight> sight_;
  std::shared_ptr<const EventSight> event_sight_;
  HandedOut handed_out_;
  kj::Own<kj::PromiseFulfiller<void>> ending_;
  kj::ForkedPromise<void> ended_;
};

}  // namespace rpc
