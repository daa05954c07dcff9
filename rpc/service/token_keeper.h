// Tokens: made, shown, used, ended. What they are: docs/access.md, "Tokens"; how they look: rpc/service/tokens.h.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ledger/canonical.h"
#include "ledger/ledger.h"
#include "rpc/service/access_settings.h"
#include "rpc/service/authority.h"
#include "rpc/service/tokens.h"
#include "schema/api.capnp.h"

namespace rpc {

class CommandMessage;
class LedgerService;
class Sessions;

/// A token that was just issued. `text` is answered this once.
struct IssuedToken {
  std::string text;
  ledger::Row<schema::TokenRow> record;
};

/// What came of a token that was shown.
struct CheckedToken {
  base::Status status;     // kPermissionDenied: not good, in words for the record; kUnavailable: cannot be looked up now
  std::string account;     // that proved its secret, good or no longer; empty = none
  std::optional<Caller> caller;  // good; without grants
  int64_t expires_at_ns = 0;
};

/// Owns:    nothing. Borrows the service and the sessions.
/// Threads: loop thread; long lists are read on the pool.
/// Errors:  kPermissionDenied with the policy's sentence, and on record.
class TokenKeeper {
 public:
  static constexpr size_t kMaxTokensOfAnAccount = 200;  // at a time
  static constexpr int64_t kRenewableForNs = 30 * 86'400 * int64_t{1'000'000'000};  // from the login that began it

  TokenKeeper(LedgerService& service, const AccessSettings& settings, std::shared_ptr<Sessions> sessions);

  CheckedToken check(std::string_view text, const std::string& source) const;
  kj::Promise<base::Result<IssuedToken>> issue(std::shared_ptr<Authority> who, std::string_view command_id, schema::TokenRequest::Reader request);
  /// Those that are good; `account` empty = the caller's, "*" = everybody's.
  using List = std::vector<ledger::Row<schema::TokenRow>>;
  kj::Promise<base::Result<List>> list(Authority& who, std::string_view account) const;
  /// `token` is its id. Its sessions end at once, that of `who` once it has its answer.
  kj::Promise<ledger::Answer> revoke(std::shared_ptr<Authority> who, std::string_view command_id, std::string_view token, std::string_view reason);

 private:
  /// Fills `issued` with all but the token itself; answers who stands behind it.
  base::Result<ledger::Identity> prepare(Authority& who, schema::TokenRequest::Reader request, schema::TokenIssued::Builder issued) const;
  base::Result<ledger::Identity> prepare_daemons(Authority& who, schema::TokenRequest::Reader request) const;
  /// Submits what prepare() filled, if the caller may still have it.
  kj::Promise<base::Result<IssuedToken>> submit(std::shared_ptr<Authority> who, std::unique_ptr<CommandMessage> command, NewToken token, std::shared_ptr<void> use);
  kj::Promise<ledger::Answer> revoke_last(std::shared_ptr<Authority> who, std::string command_id, std::string token, std::string reason, ledger::Identity identity);
  base::Status answered_before(const ledger::Answer& answer) const;
  void end_sessions(const std::string& token, const std::string& why, std::shared_ptr<Authority> asking);

  LedgerService& service_;
  const AccessSettings& settings_;
  const std::shared_ptr<Sessions> sessions_;
  const std::shared_ptr<std::map<std::string, size_t>> under_way_ = std::make_shared<std::map<std::string, size_t>>();  // requests, by account
};

}  // namespace rpc
