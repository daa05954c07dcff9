// Who is let in, who is here, and what of it goes on record. How it works: docs/access.md.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/canonical.h"
#include "rpc/access/caller.h"
#include "rpc/access/policy.h"
#include "rpc/service/accounts.h"
#include "rpc/service/authority.h"
#include "rpc/service/denials.h"
#include "rpc/service/login_guard.h"
#include "schema/api.capnp.h"

namespace rpc {

class LedgerService;

/// What a connection itself says of who is at its other end.
struct Peer {
  /// Set: known by the connection alone (peer credentials of the owner, this process, a daemon's certificate).
  std::optional<Caller> caller;
  std::string account;  // of the machine (Unix socket); empty = none
  std::string proof;    // of the account
  std::string source;   // "unix", "192.0.2.1"
};

/// The policy's numbers, from [access] of the site file.
struct AccessSettings {
  bool enforced = false;                        // false: only the owner connects
  uint64_t login_ms = 12 * 3600'000ull;         // how long a login token lasts
  uint64_t machine_token_ms = 366 * 86'400'000ull;  // the most for a machine's
  uint64_t refresh_ms = 300'000;                // how often the directory is read; group changes reach sessions within it
  uint32_t member_reruns = 20;                  // waiting at once that a member asked for, of one experiment
};

/// Owns:    the sessions' list (not the sessions), guard and denials. Borrows service and accounts.
/// Threads: loop thread.
/// Errors:  kPermissionDenied, kUnavailable (directory), as sentences.
class AccessDesk {
 public:
  AccessDesk(LedgerService& service, AccessSettings settings, std::shared_ptr<Accounts> accounts);
  ~AccessDesk();

  const AccessSettings& settings() const { return settings_; }
  /// The authority of a new session.
  kj::Promise<base::Result<std::shared_ptr<Authority>>> log_in(const Peer& peer, schema::Credentials::Reader credentials);

  // ---- tokens
  kj::Promise<base::Result<std::string>> issue_token(Authority& who, std::string_view command_id, schema::TokenRequest::Reader request);
  base::Result<std::vector<ledger::Row<schema::TokenRow>>> tokens(Authority& who, std::string_view account);
  kj::Promise<ledger::Answer> revoke_token(Authority& who, std::string_view command_id, std::string_view token, std::string_view reason);

  // ---- the directory
  struct Changed { uint32_t granted = 0, revoked = 0; };
  /// Reads it whole and puts the differences on record; living sessions change with it.
  kj::Promise<base::Result<Changed>> refresh(bool believe);
  /// Again and again.
  kj::Promise<void> keep_refreshed();
  void write_status(schema::AccessStatus::Builder status) const;

  void denied(const Caller& caller, Action action, const Resource& resource, std::string_view code, std::string_view reason);

 private:
  friend class Authority;
  void enter(Authority& session) { sessions_.insert(&session); }
  void leave(Authority& session) { sessions_.erase(&session); }

  LedgerService& service_;
  const AccessSettings settings_;
  const std::shared_ptr<Accounts> accounts_;
  std::set<Authority*> sessions_;
  LoginGuard guard_;
  Denials denials_;
};

}  // namespace rpc
