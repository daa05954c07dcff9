#include "rpc/service/access_desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <strings.h>

#include <algorithm>

#include "base/secret.h"
#include "base/text.h"
#include "ledger/subjects.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/daemon_name.h"
#include "rpc/service/grants.h"
#include "rpc/service/service.h"
#include "rpc/service/tokens.h"

namespace rpc {
namespace {

using base::Code;

constexpr size_t kMaxNameBytes = 256, kMaxPasswordBytes = 1024;
constexpr size_t kMaxSubjectBytes = 500, kMaxReasonBytes = 1000, kMaxSourceBytes = 200;
constexpr size_t kMaxOpened = 20'000;
constexpr int64_t kDayNs = 86'400 * int64_t{1'000'000'000};
constexpr const char* kLogIn = "log_in";

/// One sentence for all of them: nobody learns from it which names there are.
base::Status wrong() { return {Code::kPermissionDenied, "this name with this password, or this token, is not good here (any more); check them, or log in again"}; }

/// Nobody could be asked.
bool is_silence(const base::Status& status) { return status.code() == Code::kUnavailable || status.code() == Code::kTimedOut; }

/// The text of a message that has been received or is this process's own, overwritten: nobody reads it again.
base::Secret take_secret(capnp::Text::Reader text) {
  base::Secret taken(std::string_view(text.begin(), text.size()));
  explicit_bzero(const_cast<char*>(text.begin()), text.size());
  return taken;
}

/// Whose failures count together: on one machine those of each account.
std::string guarded_source(const Peer& peer) { return peer.account.empty() ? peer.source : peer.source + " " + peer.account; }

LoginGuard::Door door_of(const Peer& peer) { return peer.account.empty() ? LoginGuard::kNetwork : LoginGuard::kMachine; }

/// Blanks that directories do not count, and what nobody types, would make other spellings of the same name.
bool is_plain_name(const std::string& name) {
  const bool has_control = std::any_of(name.begin(), name.end(), [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; });
  return !has_control && !name.starts_with(' ') && !name.ends_with(' ') && name.find("  ") == std::string::npos;
}

/// Directories take many letters beyond ASCII for others: such a name is good as the directory spells it, and in no other way.
bool is_its_spelling(const std::string& typed, const std::string& spelled) {
  return typed == spelled || std::all_of(typed.begin(), typed.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

/// No accounts but those of the machine, and no roles.
class NoAccounts final : public Accounts {
 public:
  using Given = std::map<std::string, std::vector<Grant>>;
  bool has_directory() const override { return false; }
  kj::Promise<base::Result<KnownAccount>> authenticate(std::string, base::Secret) override { return base::Result<KnownAccount>(wrong()); }
  kj::Promise<base::Result<KnownAccount>> find(std::string name) override { return base::Result<KnownAccount>(KnownAccount{std::move(name), {}, {}}); }
  kj::Promise<base::Result<Given>> all() override { return base::Result<Given>(Given()); }
  std::vector<Grant> named_by_site(const std::string&) const override { return {}; }
};

}  // namespace

AccessDesk::AccessDesk(LedgerService& service, AccessSettings settings, std::shared_ptr<Accounts> accounts)
    : service_(service),
      settings_(settings),
      accounts_(accounts ? std::move(accounts) : std::make_shared<NoAccounts>()),
      sessions_(std::make_shared<Sessions>()),
      guard_(service.loop().timer()),
      roles_(service, accounts_, sessions_, settings_.refresh_ms),
      tokens_(service, settings_, sessions_),
      denials_(service.loop().timer(), service.clock(), [this](const Denial& first, uint64_t count, int64_t first_at_ns) { write(first, count, first_at_ns); }),
      writing_(*this) {}

AccessDesk::~AccessDesk() noexcept(false) = default;

// ---- let in

kj::Promise<AccessDesk::Entered> AccessDesk::log_in(const Peer& peer, schema::Credentials::Reader credentials) {
  switch (credentials.which()) {
    case schema::Credentials::CONNECTION: return by_connection(peer);
    case schema::Credentials::TOKEN: {
      const base::Secret text = take_secret(credentials.getToken());
      return by_token(peer, text.view());
    }
    case schema::Credentials::PASSWORD: {
      std::string name(view(credentials.getPassword().getName()));
      return by_password(peer, std::move(name), take_secret(credentials.getPassword().getPassword()));
    }
  }
  return Entered(base::Status(Code::kUnsupportedVersion, "this way of logging in is newer than this ledgerd"));
}

kj::Promise<AccessDesk::Entered> AccessDesk::by_connection(const Peer& peer) {
  if (peer.caller) return open(*peer.caller, 0, peer.caller->kind == Caller::Kind::kDaemon ? Recorded::kAlways : Recorded::kNever);
  if (!settings_.enforced) return Entered(base::Status(Code::kPermissionDenied, "this site has no [access]: only the account that runs the ledger connects"));
  if (peer.unknown_certificate) {
    return Entered(base::Status(Code::kPermissionDenied,
                                fmt::format("the certificate shown has the common name \"{}\", which is no daemon's: sign one for monitord, coordinatord or workerd/NAME, or show "
                                            "none and log in with name and password (`runledger login`) or a token",
                                            base::printable(*peer.unknown_certificate))));
  }
  if (peer.account.empty()) {
    return Entered(base::Status(Code::kPermissionDenied, "this connection does not say who you are: log in with name and password (`runledger login`), or with a token"));
  }
  if (base::Status status = check_name(peer.account); !status.is_ok()) {
    refused(peer.account, peer.source, "reserved_name", status.message());
    return Entered(status);
  }
  Caller caller;
  caller.name = peer.account;
  caller.proof = peer.proof;
  caller.source = peer.source;
  if (roles_.is_fresh(peer.account)) {
    auto roles = roles_.roles_of(peer.account);
    if (!roles.is_ok()) return Entered(roles.status());
    caller.grants = std::move(*roles);
    return open(std::move(caller), 0, Recorded::kFirstOfDay);
  }
  auto tried = guard_.enter(guarded_source(peer), "", door_of(peer));
  if (!tried.is_ok()) return Entered(tried.status());
  (*tried)->undecided();  // nobody guesses his own account
  return accounts_->find(peer.account).then([this, caller = std::move(caller), tried = *tried](base::Result<KnownAccount> found) mutable -> kj::Promise<Entered> {
    if (found.is_ok()) return known(std::move(caller), std::move(*found), Recorded::kFirstOfDay);
    if (is_silence(found.status())) {
      roles_.heard(found.status());
      caller.grants = accounts_->named_by_site(caller.name);
      if (!caller.grants.empty()) return open(std::move(caller), 0, Recorded::kFirstOfDay);
      return Entered(base::Status(Code::kUnavailable, fmt::format("{} cannot be looked up: the directory gives no answer (ledgerd's log says why); try again later, or use a token", base::printable(caller.name))));
    }
    refused(caller.name, caller.source, "no_account", fmt::format("the directory answers: {}", found.status().message()));
    return Entered(base::Status(Code::kPermissionDenied, fmt::format("{} is an account of this machine, but none of the facility's directory", base::printable(caller.name))));
  });
}

kj::Promise<AccessDesk::Entered> AccessDesk::by_password(const Peer& peer, std::string name, base::Secret password) {
  const auto no = [](base::Status status) -> kj::Promise<Entered> { return Entered(std::move(status)); };
  if (!settings_.enforced) return no({Code::kPermissionDenied, "this site has no [access]: only the account that runs the ledger connects"});
  if (!accounts_->has_directory()) return no({Code::kPermissionDenied, "this site has no directory that knows passwords: connect over the Unix socket, or use a token"});
  if (name.empty() || name.size() > kMaxNameBytes) return no({Code::kInvalidArgument, fmt::format("an account's name has 1 to {} bytes", kMaxNameBytes)});
  if (password.empty() || password.view().size() > kMaxPasswordBytes) return no({Code::kInvalidArgument, fmt::format("a password has 1 to {} bytes", kMaxPasswordBytes)});
  auto entered = guard_.enter(guarded_source(peer), name, door_of(peer));
  if (!entered.is_ok()) return no(entered.status());
  auto tried = *entered;
  // The directory is asked at once, so that the password is not kept while the answer waits.
  auto asked = is_plain_name(name) ? accounts_->authenticate(name, std::move(password)) : kj::Promise<base::Result<KnownAccount>>(base::Result<KnownAccount>(wrong()));
  return asked.then([tried](base::Result<KnownAccount> found) { return tried->wait().then([found = std::move(found)]() mutable { return std::move(found); }); })
      .then([this, tried, name = std::move(name), source = peer.source](base::Result<KnownAccount> found) mutable -> kj::Promise<Entered> {
        if (found.is_ok() && !is_its_spelling(name, found->name)) found = wrong();
        if (found.is_ok()) {
          tried->succeeded();
          Caller caller;
          caller.proof = "password, checked by " + found->by;
          caller.source = std::move(source);
          return known(std::move(caller), std::move(*found), Recorded::kAlways);
        }
        if (is_silence(found.status())) {
          tried->undecided();
          roles_.heard(found.status());
          return Entered(base::Status(Code::kUnavailable, "no password can be checked: the directory gives no answer (ledgerd's log says why); try again later, or use a token"));
        }
        refused(name, source, "wrong_password", "the name or the password was wrong");
        return Entered(wrong());
      });
}

kj::Promise<AccessDesk::Entered> AccessDesk::by_token(const Peer& peer, std::string_view text) {
  if (!settings_.enforced) return Entered(base::Status(Code::kPermissionDenied, "this site has no [access]: only the account that runs the ledger connects"));
  CheckedToken checked = tokens_.check(text, peer.source);
  if (checked.status.is_ok() && checked.caller->kind == Caller::Kind::kPerson && roles_.is_gone(checked.account)) {
    checked.status = base::Status(Code::kPermissionDenied, "its owner is no account of the directory any more");
  }
  if (checked.status.is_ok()) {
    Caller caller = std::move(*checked.caller);
    if (caller.kind == Caller::Kind::kPerson) {
      auto roles = roles_.roles_of(caller.name);
      if (!roles.is_ok()) return Entered(roles.status());
      caller.grants = std::move(*roles);
    }
    return open(std::move(caller), checked.expires_at_ns, Recorded::kFirstOfDay);
  }
  if (checked.status.code() != Code::kPermissionDenied) return Entered(checked.status);
  auto entered = guard_.enter(guarded_source(peer), "", door_of(peer));
  if (!entered.is_ok()) return Entered(entered.status());
  return (*entered)->wait().then([this, tried = *entered, checked = std::move(checked), source = peer.source]() -> Entered {
    refused(checked.account, source, "bad_token", checked.status.message());
    return wrong();
  });
}

base::Status AccessDesk::check_name(const std::string& account) const {
  if (is_reserved_name(account)) {
    return {Code::kPermissionDenied, fmt::format("{} is the name of a daemon of this ledger, and no account of that name is let in; the facility must give the account another name", base::printable(account))};
  }
  if (settings_.owners.contains(account)) {
    return {Code::kPermissionDenied, fmt::format("{} is the name of the account that runs the ledger: it enters over the Unix socket of the ledger's machine, and nobody else by that name", base::printable(account))};
  }
  return {};
}

/// A session of an account as it was found out to be just now.
kj::Promise<AccessDesk::Entered> AccessDesk::known(Caller caller, KnownAccount account, Recorded recorded) {
  roles_.heard({});
  if (base::Status status = check_name(account.name); !status.is_ok()) {
    refused(account.name, caller.source, "reserved_name", status.message());
    return Entered(status);
  }
  caller.name = account.name;
  return roles_.learn(std::move(account)).then([this, caller = std::move(caller), recorded](base::Result<std::vector<Grant>> roles) mutable -> kj::Promise<Entered> {
    if (!roles.is_ok()) return Entered(roles.status());
    caller.grants = std::move(*roles);
    return open(std::move(caller), 0, recorded);
  });
}

kj::Promise<AccessDesk::Entered> AccessDesk::open(Caller caller, int64_t expires_at_ns, Recorded recorded) {
  if (sessions_->of_account(caller.name) >= kMaxSessionsOfAnAccount) {
    return Entered(base::Status(Code::kUnavailable, fmt::format("{} has {} sessions, and no account may have more at a time; end one first", base::printable(caller.name), kMaxSessionsOfAnAccount)));
  }
  auto authority = std::make_shared<Authority>(*this, std::move(caller), expires_at_ns);
  const Caller& who = authority->caller();
  if (expires_at_ns != 0) {
    auto when = service_.loop().timer().afterDelay((expires_at_ns - service_.clock().now_ns()) * kj::NANOSECONDS);
    authority->end_after(kj::mv(when), fmt::format("token {} has expired: this session has ended; log in again", who.token));
  }
  if (recorded == Recorded::kNever || (recorded == Recorded::kFirstOfDay && !is_first_of_day(who))) return Entered(authority);
  CommandMessage command("session/" + random_hex(16));
  auto opened = command.get().getBody().initOpenSession();
  opened.setSource(base::to_utf8(who.source, kMaxSourceBytes));
  opened.setToken(who.token);
  const std::string right = who.kind == Caller::Kind::kDaemon ? "daemon " + who.name : std::string("logged in");
  return service_.submit(command.reader(), identity_of(who, right)).then([authority](ledger::Answer answer) -> Entered {
    // A ledger that takes nothing now can still be read.
    if (!answer.status.is_ok()) spdlog::warn("the session of {} is not on record: {}", base::printable(authority->caller().name), answer.status.message());
    return authority;
  });
}

bool AccessDesk::is_first_of_day(const Caller& caller) {
  const int64_t day = service_.clock().now_ns() / kDayNs;
  if (std::exchange(opened_day_, day) != day || opened_.size() >= kMaxOpened) opened_.clear();
  return opened_.insert(caller.name + '\0' + caller.token + '\0' + caller.source).second;
}

// ---- refused

bool AccessDesk::is_on_record(const std::string& name) const {
  if (name.empty()) return false;
  const auto snapshot = service_.snapshot();
  return !ledger::grants(*snapshot, name).empty() || !snapshot->subject(ledger::actor_subject(name), 1, 1).empty();
}

void AccessDesk::refused(const std::string& name, const std::string& source, std::string_view code, std::string reason) {
  Denial denial{{schema::Actor::Kind::UNKNOWN, "", "not proven"}, kLogIn, {}, std::string(code), std::move(reason), source};
  if (is_on_record(name)) denial.who.name = name;
  add(std::move(denial));
}

void AccessDesk::denied(const Caller& caller, std::string_view action, std::string subject, std::string_view code, std::string_view reason) {
  add({identity_of(caller, "none"), std::string(action), std::move(subject), std::string(code), std::string(reason), caller.source});
}

/// What callers made up is as long as they like.
void AccessDesk::add(Denial denial) {
  denial.subject = base::to_utf8(denial.subject, kMaxSubjectBytes);
  denial.reason = base::to_utf8(denial.reason, kMaxReasonBytes);
  denial.source = base::to_utf8(denial.source, kMaxSourceBytes);
  denials_.add(std::move(denial));
}

void AccessDesk::write(const Denial& denial, uint64_t count, int64_t first_at_ns) {
  CommandMessage command("denied/" + random_hex(16));
  auto body = command.get().getBody().initDenyAccess();
  body.setAction(denial.action);
  body.setSubject(denial.subject);
  body.getReason().setCode(denial.code);
  body.getReason().setText(denial.reason);
  body.setSource(denial.source);
  body.setCount(count);
  if (count > 1) body.setFirstAt(first_at_ns);
  writing_.add(service_.submit(command.reader(), denial.who).then([action = denial.action](ledger::Answer answer) {
    if (!answer.status.is_ok()) spdlog::warn("a denial of {} is not on record: {}", action, answer.status.message());
  }));
}

void AccessDesk::taskFailed(kj::Exception&& exception) { spdlog::error("a denial is not on record: {}", exception.getDescription().cStr()); }

kj::Promise<void> AccessDesk::close() {
  denials_.flush();
  return writing_.onEmpty();
}

// ---- said of it

void AccessDesk::write_rights(const Authority& session, schema::Rights::Builder rights) const {
  const Caller& caller = session.caller();
  rights.setEverything(caller.kind == Caller::Kind::kOwner);
  rights.setToken(caller.token);
  rights.setExpiresAt(session.expires_at_ns());
  rights.setEnforced(settings_.enforced);
  if (settings_.enforced) write_status(rights.initDirectory());
  if (!caller.token.empty()) {
    if (auto row = ledger::find_token(*service_.snapshot(), caller.token)) rights.setScope(row->get().getIssued().getScope());
  }
  const auto snapshot = service_.snapshot();
  const auto rows = ledger::grants(*snapshot, caller.name);
  auto list = rights.initGrants(static_cast<unsigned>(caller.grants.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    list[i].setAccount(caller.name);
    write_grant(caller.grants[i], list[i].initGrant());
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return read_grant(each.get().getGrant()) == caller.grants[i]; });
    if (row == rows.end()) continue;  // a copy's, or the site file's while the directory is silent
    list[i].setSeq(row->get().getSeq());
    list[i].setSince(row->get().getSince());
  }
}

}  // namespace rpc
