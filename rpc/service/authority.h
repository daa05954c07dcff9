// The authority of a session: whom it is of, what that one may now, and the record of what was refused.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <string>

#include "ledger/ledger.h"
#include "rpc/access/policy.h"
#include "rpc/service/event_sight.h"
#include "rpc/service/handed_out.h"

namespace rpc {

class AccessDesk;
class Sessions;

/// Who stands behind what a caller does, by `right`.
ledger::Identity identity_of(const Caller& caller, std::string right);

/// Shared by the capabilities of a session, which ask it at every call.
///
/// Owns:    the caller as he stands now; roles change while it lives. Borrows the desk, which outlives every call.
/// Threads: loop thread; what sight() answers may go anywhere.
/// Errors:  kPermissionDenied with the policy's sentence, recorded as a denial; after the end with the sentence of the end.
class Authority {
 public:
  /// `expires_at_ns` 0 = the session lasts as long as its connection.
  Authority(AccessDesk& desk, Caller caller, int64_t expires_at_ns = 0);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  AccessDesk& desk() const { return desk_; }
  const Caller& caller() const { return caller_; }
  int64_t expires_at_ns() const { return expires_at_ns_; }
  /// Who stands behind a command that `action` allows, with the right; or the refusal.
  base::Result<ledger::Identity> may(Action action, const Resource& resource = {});
  /// The same for what is only read.
  base::Status require(Action action, const Resource& resource = {});
  /// Asked without any consequence.
  bool is_allowed(Action action, const Resource& resource = {}) const { return why_ended_.empty() && decide(caller_, action, resource).allowed; }
  /// Records that `action` was tried on something the caller must not know of; he is told that there is no such thing.
  void hide(Action action, const Resource& resource);
  /// Puts on record that `action` on `what` was refused for a reason that is not the policy's.
  void note_denied(Action action, const std::string& what, std::string_view code, std::string_view reason);
  std::shared_ptr<const Sight> sight() const { return sight_; }
  const std::shared_ptr<const EventSight>& event_sight() const { return event_sight_; }

  /// The caller is being told this: the documents it names he may read. Of those who see everything nothing is kept.
  template <typename Reader>
  void hand_out(Reader answer) {
    if (!event_sight_->is_everything()) handed_out_.note(capnp::toDynamic(answer));
  }
  /// The same of a document that stands in none of the answer's fields.
  void hand_out_document(std::string_view sha256) {
    if (!event_sight_->is_everything()) handed_out_.note(sha256);
  }
  /// He is being shown this event. The plan of a campaign, which names all its runs, is read by who sees all of it.
  void hand_out_event(schema::Event::Reader event);
  bool may_read_blob(std::string_view sha256) const { return event_sight_->is_everything() || handed_out_.has(sha256); }

  /// His roles are these now.
  void become(std::vector<Grant> grants);
  /// He came by this token, which took the place of the one before.
  void renew(std::string token) { caller_.token = std::move(token); }
  /// The session is over: whatever it handed out breaks, with this sentence. The first one counts.
  void end(const std::string& why);
  /// The same once `when` is fulfilled, unless it is gone by then.
  void end_after(kj::Promise<void> when, std::string why);
  /// Rejected when the session ends.
  kj::Promise<void> on_end() { return ended_.addBranch(); }

 private:
  void look();  // at what he sees now

  AccessDesk& desk_;
  const std::shared_ptr<Sessions> sessions_;  // may outlive the desk, as this may
  Caller caller_;
  const int64_t expires_at_ns_;
  std::shared_ptr<const Sight> sight_;
  std::shared_ptr<const EventSight> event_sight_;
  HandedOut handed_out_;
  std::string why_ended_;
  kj::Own<kj::PromiseFulfiller<void>> ending_;
  kj::ForkedPromise<void> ended_;
  kj::Promise<void> expiring_ = nullptr;
};

}  // namespace rpc
