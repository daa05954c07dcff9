#include "rpc/service/token_keeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/event_bytes.h"
#include "ledger/view_rows.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/daemon_name.h"
#include "rpc/service/service.h"
#include "rpc/service/sessions.h"
#include "rpc/service/tokens.h"

namespace rpc {
namespace {

using base::Code;
using Kind = schema::TokenIssued::Kind;

constexpr size_t kMaxInstruments = 64;
constexpr size_t kMaxRenewals = 10'000;  // of one login

bool is_good(schema::TokenRow::Reader row, int64_t now_ns) { return row.getRevokedSeq() == 0 && row.getIssued().getExpiresAt() > now_ns; }

base::Status denied(std::string why) { return {Code::kPermissionDenied, std::move(why)}; }
base::Status invalid(std::string why) { return {Code::kInvalidArgument, std::move(why)}; }

/// "12 hours", "90 days".
std::string duration_words(uint64_t ms) {
  constexpr uint64_t kHour = 3600'000, kDay = 24 * kHour;
  if (ms >= 2 * kDay) return fmt::format("{} days", ms / kDay);
  return ms >= kHour ? fmt::format("{} hours", ms / kHour) : fmt::format("{} s", ms / 1000);
}

/// When the login was made that a token was renewed from, again and again.
base::Result<int64_t> began_at(const ledger::Snapshot& snapshot, schema::TokenRow::Reader renewed) {
  int64_t at = renewed.getIssuedAt();
  std::string before(view(renewed.getIssued().getReplaces()));
  for (size_t steps = 0; !before.empty(); ++steps) {
    if (steps == kMaxRenewals) return int64_t{0};
    const auto row = ledger::find_token(snapshot, before);
    if (!row) break;
    at = row->get().getIssuedAt();
    before = view(row->get().getIssued().getReplaces());
  }
  if (!snapshot.status().is_ok()) return snapshot.status();
  return at;
}

/// The last moment a token may be good, or why an account gets no more tokens, or cannot renew the one named. `under_way`: asked for at the same time.
base::Result<int64_t> check_account(const ledger::Snapshot& snapshot, const std::string& account, const std::string& replaces, size_t under_way, int64_t now_ns) {
  const auto rows = ledger::tokens(snapshot, account);
  const auto good = static_cast<size_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return is_good(row.get(), now_ns); }));
  if (!snapshot.status().is_ok()) return snapshot.status();
  if (!replaces.empty()) {
    const auto renewed = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
      return view(row.get().getIssued().getToken()) == replaces && is_good(row.get(), now_ns) && row.get().getIssued().getKind() == Kind::LOGIN;
    });
    if (renewed == rows.end()) return base::Status(Code::kConflict, fmt::format("token {} cannot be renewed: it is no login token that is good; log in again", base::printable(replaces)));
    const auto began = began_at(snapshot, renewed->get());
    if (!began.is_ok()) return began.status();
    const int64_t ends = *began + TokenKeeper::kRenewableForNs;
    if (ends > now_ns) return ends;
    return base::Status(Code::kConflict, fmt::format("token {} has been renewed for {} now and not any longer; log in again", base::printable(replaces), duration_words(TokenKeeper::kRenewableForNs / 1'000'000)));
  }
  if (good + under_way < TokenKeeper::kMaxTokensOfAnAccount) return INT64_MAX;
  return base::Status(Code::kConflict, fmt::format("{} has {} tokens, and nobody may have more at a time; revoke some (`runledger token list` shows them)", base::printable(account), good));
}

/// The token that a renewed one became, and that one, and so on: the last, good or not.
base::Result<std::string> last_renewed(const ledger::Snapshot& snapshot, std::string token) {
  for (size_t steps = 0; steps < kMaxRenewals; ++steps) {
    const auto row = ledger::find_token(snapshot, token);
    if (!snapshot.status().is_ok()) return snapshot.status();
    if (!row || row->get().getRevokedSeq() == 0) return token;
    auto words = snapshot.event(row->get().getRevokedSeq());
    if (!words.is_ok()) return words.status();
    ledger::StoredEvent ended_by(*words);
    if (!ended_by.get().getBody().isTokenIssued()) return token;
    token = view(ended_by.get().getBody().getTokenIssued().getToken());
  }
  return token;
}

}  // namespace

TokenKeeper::TokenKeeper(LedgerService& service, const AccessSettings& settings, std::shared_ptr<Sessions> sessions)
    : service_(service), settings_(settings), sessions_(std::move(sessions)) {}

// ---- used

CheckedToken TokenKeeper::check(std::string_view text, const std::string& source) const {
  CheckedToken checked;
  const auto shown = read_token(text);
  if (!shown) {
    checked.status = denied("what was shown has not the form of a token");
    return checked;
  }
  const auto snapshot = service_.snapshot();
  const auto row = ledger::find_token(*snapshot, shown->id);
  if (base::Status status = snapshot->status(); !status.is_ok()) {
    checked.status = status;
    return checked;
  }
  if (!row || !is_same_hash(shown->secret_sha256, view(row->get().getIssued().getSecretSha256()))) {
    checked.status = denied(fmt::format("token {} {}", shown->id, row ? "was shown with a secret that is not its own" : "is none of this ledger"));
    return checked;
  }
  auto issued = row->get().getIssued();
  checked.account = view(issued.getAccount());
  checked.expires_at_ns = issued.getExpiresAt();
  if (row->get().getRevokedSeq() != 0) {
    checked.status = denied(fmt::format("token {} was ended by event {}", shown->id, row->get().getRevokedSeq()));
    return checked;
  }
  if (issued.getExpiresAt() <= service_.clock().now_ns()) {
    checked.status = denied(fmt::format("token {} has expired", shown->id));
    return checked;
  }
  const std::string proof = "token " + shown->id;
  if (const std::string daemon(view(issued.getScope().getDaemon())); !daemon.empty()) {
    checked.caller = daemon_caller(daemon, proof, source);
    if (!checked.caller) {
      checked.status = denied(fmt::format("token {} is of a daemon this release does not know", shown->id));
      return checked;
    }
  } else {
    Caller& caller = checked.caller.emplace();
    caller.name = checked.account;
    caller.proof = proof;
    caller.source = source;
    TokenScope scope{issued.getScope().getReadOnly(), {}};
    for (auto instrument : issued.getScope().getInstruments()) scope.instruments.emplace_back(view(instrument));
    if (scope.read_only || !scope.instruments.empty()) caller.scope = std::move(scope);
  }
  checked.caller->token = shown->id;
  return checked;
}

// ---- issued

base::Result<ledger::Identity> TokenKeeper::prepare_daemons(Authority& who, schema::TokenRequest::Reader request) const {
  auto scope = request.getScope();
  const std::string daemon(view(scope.getDaemon()));
  if (!daemon_role_of(daemon)) return invalid(fmt::format("\"{}\" is no daemon; daemons are monitord, coordinatord and workerd/NAME", base::printable(daemon)));
  if (request.getKind() != Kind::MACHINE || request.getReplaces().size() > 0) return invalid(fmt::format("a token for {} is a machine's, and does not take the place of another", daemon));
  if (scope.getReadOnly() || scope.getInstruments().size() > 0) return invalid(fmt::format("a token for {} has no other limits: it is good for that daemon's work and nothing else", daemon));
  return who.may(Action::kIssueDaemonToken, {.account = daemon});
}

base::Result<ledger::Identity> TokenKeeper::prepare(Authority& who, schema::TokenRequest::Reader request, schema::TokenIssued::Builder issued) const {
  if (!settings_.enforced) return base::Status(Code::kConflict, "this site has no [access]: only the account that runs the ledger connects, and needs no token");
  const bool is_login = request.getKind() == Kind::LOGIN;
  if (!is_login && request.getKind() != Kind::MACHINE) return invalid("no kind of token is given; it is login or machine");
  const uint64_t most_ms = is_login ? settings_.login_ms : settings_.machine_token_ms;
  const uint64_t lifetime_ms = request.getLifetimeMs() == 0 ? most_ms : request.getLifetimeMs();
  if (lifetime_ms > most_ms) {
    return invalid(fmt::format("a {} token lasts at most {} here: [access] {} of the site file says so; ask for less", is_login ? "login" : "machine",
                               duration_words(most_ms), is_login ? "login" : "machine_token"));
  }
  auto scope = request.getScope();
  if (scope.getInstruments().size() > kMaxInstruments) return invalid(fmt::format("a token is for at most {} instruments; leave them out for all of yours", kMaxInstruments));
  const auto snapshot = service_.snapshot();
  for (auto instrument : scope.getInstruments()) {
    if (!ledger::find_instrument(*snapshot, view(instrument))) {
      if (!snapshot->status().is_ok()) return snapshot->status();
      return base::Status(Code::kNotFound, fmt::format("{}: there is no such instrument; `runledger status` lists those there are", base::printable(view(instrument))));
    }
  }
  const bool is_daemons = scope.getDaemon().size() > 0;
  const Caller& caller = who.caller();
  auto identity = is_daemons ? prepare_daemons(who, request) : who.may(Action::kIssueToken, {.account = caller.name});
  if (!identity.is_ok()) return identity;
  if (!caller.token.empty()) {
    const auto used = ledger::find_token(*snapshot, caller.token);
    if (!used) return snapshot->status().is_ok() ? base::Status(Code::kInternal, "the token of this session is not on record") : snapshot->status();
    if (used->get().getIssued().getKind() != Kind::LOGIN) {
      const std::string why = fmt::format("{} may not make tokens: token {} is a machine's, and a machine makes none; log in", base::printable(caller.name), caller.token);
      who.desk().denied(caller, action_word(Action::kIssueToken), {}, "token_machine", why);
      return denied(why);
    }
  }
  issued.setAccount(is_daemons ? std::string(view(scope.getDaemon())) : caller.name);
  issued.setKind(request.getKind());
  issued.setScope(scope);
  issued.setExpiresAt(service_.clock().now_ns() + static_cast<int64_t>(lifetime_ms) * 1'000'000);
  issued.setLabel(request.getLabel());
  issued.setReplaces(request.getReplaces());
  return identity;
}

base::Status TokenKeeper::answered_before(const ledger::Answer& answer) const {
  std::string id = "?";
  if (!answer.events.empty()) {
    auto words = service_.snapshot()->event(answer.events.front());
    if (words.is_ok()) {
      ledger::StoredEvent event(*words);
      auto body = event.get().getBody();
      if (!body.isTokenIssued()) return {Code::kAlreadyExists, "this command id was another request's, which was no request for a token; ask again by another id"};
      id = view(body.getTokenIssued().getToken());
    }
  }
  return {Code::kAlreadyExists, fmt::format("this request was answered with token {}, which is not shown again; revoke it and ask for another", base::printable(id))};
}

kj::Promise<base::Result<IssuedToken>> TokenKeeper::issue(std::shared_ptr<Authority> who, std::string_view command_id, schema::TokenRequest::Reader request) {
  using Result = base::Result<IssuedToken>;
  auto command = std::make_unique<CommandMessage>(command_id);
  auto issued = command->get().getBody().initIssueToken();
  auto identity = prepare(*who, request, issued);
  if (!identity.is_ok()) return Result(identity.status());
  NewToken token = make_token();
  issued.setToken(token.id);
  issued.setSecretSha256(ledger::data(base::as_bytes(token.secret_sha256)));
  const std::string account(view(issued.asReader().getAccount()));
  const size_t beside = (*under_way_)[account]++;
  const std::shared_ptr<void> use(nullptr, [all = under_way_, account](void*) {
    if (--all->at(account) == 0) all->erase(account);
  });
  auto check = [snapshot = std::shared_ptr<const ledger::Snapshot>(service_.snapshot()), account, beside, replaces = std::string(view(request.getReplaces())),
                now_ns = service_.clock().now_ns()] { return check_account(*snapshot, account, replaces, beside, now_ns); };
  return service_.loop().on_pool(std::move(check)).then([this, who, command = std::move(command), token = std::move(token), use](base::Result<int64_t> latest) mutable -> kj::Promise<Result> {
    if (!latest.is_ok()) return Result(latest.status());
    auto wanted = command->get().getBody().getIssueToken();
    wanted.setExpiresAt(std::min(wanted.getExpiresAt(), *latest));
    return submit(std::move(who), std::move(command), std::move(token), std::move(use));
  });
}

kj::Promise<base::Result<IssuedToken>> TokenKeeper::submit(std::shared_ptr<Authority> who, std::unique_ptr<CommandMessage> command, NewToken token, std::shared_ptr<void> use) {
  using Result = base::Result<IssuedToken>;
  auto wanted = command->reader().getBody().getIssueToken();
  const bool is_daemons = wanted.getScope().getDaemon().size() > 0;
  // His session may have ended, or his roles changed, since he asked.
  auto identity = who->may(is_daemons ? Action::kIssueDaemonToken : Action::kIssueToken, {.account = std::string(view(wanted.getAccount()))});
  if (!identity.is_ok()) return Result(identity.status());
  std::string replaces(view(wanted.getReplaces()));
  auto taken = service_.submit(command->reader(), *identity);
  return taken.then([this, token = std::move(token), replaces = std::move(replaces), use](ledger::Answer answer) mutable -> Result {
    if (!answer.status.is_ok()) return answer.status;
    if (answer.repeated) return answered_before(answer);
    auto row = ledger::find_token(*service_.snapshot(), token.id);
    if (!row) return base::Status(Code::kUnavailable, fmt::format("token {} is on record but cannot be read now; revoke it and ask for another", token.id));
    if (!replaces.empty()) sessions_->renew_token(replaces, token.id);
    return IssuedToken{std::move(token.text), std::move(*row)};
  });
}

// ---- shown and ended

kj::Promise<base::Result<TokenKeeper::List>> TokenKeeper::list(Authority& who, std::string_view account) const {
  using Result = base::Result<List>;
  const std::string of(account.empty() ? std::string_view(who.caller().name) : account);
  if (base::Status status = who.require(Action::kSeeTokens, {.account = of}); !status.is_ok()) return Result(status);
  auto read = [snapshot = std::shared_ptr<const ledger::Snapshot>(service_.snapshot()), of, now_ns = service_.clock().now_ns()]() -> Result {
    List rows = of == "*" ? ledger::all_tokens(*snapshot) : ledger::tokens(*snapshot, of);
    std::erase_if(rows, [&](const auto& row) { return !is_good(row.get(), now_ns); });
    if (!snapshot->status().is_ok()) return snapshot->status();
    return rows;
  };
  return service_.loop().on_pool(std::move(read));
}

kj::Promise<ledger::Answer> TokenKeeper::revoke(std::shared_ptr<Authority> who, std::string_view command_id, std::string_view token, std::string_view reason) {
  const auto id = token_id(token);
  const Caller& caller = who->caller();
  const ledger::Answer unknown{{Code::kNotFound, fmt::format("there is no token {}; `runledger token list` shows those there are", id ? *id : "of that form")}, {}, false};
  if (!id) return unknown;
  const auto snapshot = service_.snapshot();
  const auto row = ledger::find_token(*snapshot, *id);
  if (base::Status status = snapshot->status(); !status.is_ok()) return ledger::Answer{status, {}, false};
  if (!row) return unknown;
  const std::string account(view(row->get().getIssued().getAccount()));
  base::Result<ledger::Identity> identity = identity_of(caller, "own token");
  if (*id != caller.token) {
    const bool may_know = account == caller.name || who->is_allowed(Action::kSeeTokens, {.account = account});
    if (!may_know) {
      who->hide(Action::kRevokeToken, {.account = account});
      return unknown;
    }
    identity = who->may(Action::kRevokeToken, {.account = account});
    if (!identity.is_ok()) return ledger::Answer{identity.status(), {}, false};
  }
  // One that was renewed goes on as another: that one ends.
  auto last = [snapshot = std::shared_ptr<const ledger::Snapshot>(service_.snapshot()), id = *id] { return last_renewed(*snapshot, id); };
  return service_.loop().on_pool(std::move(last)).then(
      [this, who, command_id = std::string(command_id), reason = std::string(reason), identity = *identity](base::Result<std::string> found) mutable -> kj::Promise<ledger::Answer> {
        if (!found.is_ok()) return ledger::Answer{found.status(), {}, false};
        return revoke_last(std::move(who), std::move(command_id), std::move(*found), std::move(reason), std::move(identity));
      });
}

kj::Promise<ledger::Answer> TokenKeeper::revoke_last(std::shared_ptr<Authority> who, std::string command_id, std::string token, std::string reason, ledger::Identity identity) {
  CommandMessage command(command_id);
  auto revoked = command.get().getBody().initRevokeToken();
  revoked.setToken(token);
  auto why = revoked.initReason();
  const bool is_logout = token == who->caller().token;
  why.setCode(is_logout ? "logout" : "asked_for");
  why.setText(!reason.empty() ? reason : is_logout ? std::string("its bearer logged out") : std::string("no reason was given"));
  return service_.submit(command.reader(), identity).then([this, who, token](ledger::Answer answer) {
    if (answer.status.is_ok()) end_sessions(token, fmt::format("token {} was revoked: this session has ended; log in again", token), who);
    return answer;
  });
}

/// Whoever asked hears the answer first: his session ends when nothing else is to be done.
void TokenKeeper::end_sessions(const std::string& token, const std::string& why, std::shared_ptr<Authority> asking) {
  sessions_->end_token(token, why, asking.get());
  if (asking->caller().token == token) service_.loop().detach(kj::evalLast([asking, why] { asking->end(why); }), "ending a session");
}

}  // namespace rpc
