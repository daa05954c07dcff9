// Who is let in, who is here, and what of it goes on record. How it works: docs/access.md.
#pragma once

#include <kj/async.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "ledger/canonical.h"
#include "rpc/access/caller.h"
#include "rpc/access/policy.h"
#include "rpc/admission.h"
#include "rpc/service/access_settings.h"
#include "rpc/service/accounts.h"
#include "rpc/service/authority.h"
#include "rpc/service/denials.h"
#include "rpc/service/login_guard.h"
#include "rpc/service/role_keeper.h"
#include "rpc/service/sessions.h"
#include "rpc/service/token_keeper.h"
#include "schema/api.capnp.h"

namespace rpc {

class LedgerService;

/// What a connection itself says of who is at its other end.
struct Peer {
  /// Set: known by the connection alone (peer credentials of the owner, this process, a daemon's certificate).
  std::optional<Caller> caller = {};
  std::string account = {};  // of the machine (Unix socket); empty = none
  std::string proof = {};    // of the account
  std::string source = {};   // "unix", "192.0.2.1"
  std::shared_ptr<Admission> admission = {};  // of the connection; null: there is nothing to admit to
  std::optional<std::string> unknown_certificate = {};  // the name in one that is shown and is no daemon's; empty = it has not exactly one
};

/// Owns:    guard, denials, the keepers of roles and tokens. Borrows the service; sessions are their holders'.
/// Threads: loop thread.
/// Errors:  kPermissionDenied, kUnavailable (directory, too many logins), as sentences.
class AccessDesk final : private kj::TaskSet::ErrorHandler {
 public:
  static constexpr size_t kMaxSessionsOfAnAccount = 2000;

  /// Without accounts nobody has any but the site's owner.
  AccessDesk(LedgerService& service, AccessSettings settings, std::shared_ptr<Accounts> accounts);
  ~AccessDesk() noexcept(false);

  const AccessSettings& settings() const { return settings_; }
  /// The authority of a new session. `credentials` are read before it returns; a password in them is overwritten.
  using Entered = base::Result<std::shared_ptr<Authority>>;
  kj::Promise<Entered> log_in(const Peer& peer, schema::Credentials::Reader credentials);

  TokenKeeper& tokens() { return tokens_; }

  // ---- the directory
  using Changed = RoleKeeper::Changed;
  /// `asked_by` stands in the events.
  kj::Promise<base::Result<Changed>> refresh(bool believe, std::string asked_by = {}) { return roles_.refresh(believe, std::move(asked_by)); }
  kj::Promise<void> keep_refreshed() { return roles_.keep_refreshed(); }
  void write_status(schema::AccessStatus::Builder status) const { roles_.write_status(status); }
  /// What `session` may and why, for whoami.
  void write_rights(const Authority& session, schema::Rights::Builder rights) const;

  /// Puts it on record that `caller` was refused.
  void denied(const Caller& caller, std::string_view action, std::string subject, std::string_view code, std::string_view reason);
  const std::shared_ptr<Sessions>& sessions() const { return sessions_; }
  /// Done when all that was counted and not written yet is on record.
  kj::Promise<void> close();

 private:
  enum class Recorded { kNever, kFirstOfDay, kAlways };
  kj::Promise<Entered> by_connection(const Peer& peer);
  kj::Promise<Entered> by_password(const Peer& peer, std::string name, base::Secret password);
  kj::Promise<Entered> by_token(const Peer& peer, std::string_view text);
  /// kPermissionDenied: the ledger itself, a daemon or its owner has that name.
  base::Status check_name(const std::string& account) const;
  kj::Promise<Entered> known(Caller caller, KnownAccount account, Recorded recorded);
  kj::Promise<Entered> open(Caller caller, int64_t expires_at_ns, Recorded recorded);
  bool is_first_of_day(const Caller& caller);
  /// A login in vain. The name is written only where it is on record as an account's.
  void refused(const std::string& name, const std::string& source, std::string_view code, std::string reason);
  bool is_on_record(const std::string& name) const;
  void add(Denial denial);
  void write(const Denial& denial, uint64_t count, int64_t first_at_ns);
  void taskFailed(kj::Exception&& exception) override;

  LedgerService& service_;
  const AccessSettings settings_;
  const std::shared_ptr<Accounts> accounts_;
  const std::shared_ptr<Sessions> sessions_;
  LoginGuard guard_;
  RoleKeeper roles_;
  TokenKeeper tokens_;
  Denials denials_;
  std::set<std::string> opened_;  // sessions recorded on `opened_day_`
  int64_t opened_day_ = 0;
  kj::TaskSet writing_;
};

}  // namespace rpc
