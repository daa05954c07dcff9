#include "rpc/service/gateway.h"

#include <capnp/membrane.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "base/time.h"
#include "base/version.h"
#include "ledger/event_bytes.h"
#include "ledger/event_kinds.h"
#include "ledger/view_rows.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/moment.h"
#include "rpc/service/service.h"
#include "rpc/service/tokens.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

/// What a session hands out breaks when the session ends.
class EndOfSession final : public capnp::MembranePolicy, public kj::Refcounted {
 public:
  explicit EndOfSession(std::shared_ptr<Authority> authority) : authority_(std::move(authority)) {}
  kj::Maybe<capnp::Capability::Client> inboundCall(uint64_t, uint16_t, capnp::Capability::Client) override { return nullptr; }
  kj::Maybe<capnp::Capability::Client> outboundCall(uint64_t, uint16_t, capnp::Capability::Client) override { return nullptr; }
  kj::Own<capnp::MembranePolicy> addRef() override { return kj::addRef(*this); }
  kj::Maybe<kj::Promise<void>> onRevoked() override { return authority_->on_end(); }

 private:
  const std::shared_ptr<Authority> authority_;
};

class SessionServer final : public schema::Session::Server {
 public:
  SessionServer(const Viewpoint& from, std::shared_ptr<Authority> authority, std::shared_ptr<Allowances> allowances)
      : from_(from), authority_(std::move(authority)), allowances_(std::move(allowances)) {}

  kj::Promise<void> whoami(WhoamiContext context) override {
    const ledger::Identity identity = identity_of(authority_->caller(), {});
    auto actor = context.getResults().initActor();
    actor.setKind(identity.kind);
    actor.setName(identity.name);
    actor.setProof(identity.proof);
    desk().write_rights(*authority_, context.getResults().initRights());
    return kj::READY_NOW;
  }

  kj::Promise<void> runs(RunsContext context) override {
    auto held = one_more();
    if (!held.is_ok()) return fault(held.status(), kj::Exception::Type::OVERLOADED);
    context.getResults().setRuns(make_runs(from_, *held, allowances_));
    return kj::READY_NOW;
  }

  kj::Promise<void> campaigns(CampaignsContext context) override {
    auto held = one_more();
    if (!held.is_ok()) return fault(held.status(), kj::Exception::Type::OVERLOADED);
    context.getResults().setCampaigns(make_campaigns(from_, *held));
    return kj::READY_NOW;
  }

  kj::Promise<void> instrument(InstrumentContext context) override {
    std::string name(view(context.getParams().getName()));
    auto is_there = [snapshot = from_.snapshot(), name] {
      const bool found = ledger::find_instrument(*snapshot, name).has_value();
      require_read(*snapshot);
      return found;
    };
    auto give = [this, context, name](bool found) mutable {
      auto results = context.getResults();
      auto held = one_more();
      if (!held.is_ok()) {
        write_refusal(held.status(), results.initRefusal());
      } else if (found) {
        results.setInstrument(make_instrument(from_, *held, std::move(name)));
      } else {
        write_refusal(
            {base::Code::kNotFound, fmt::format("{}: there is no such instrument; `runledger status` lists those there are", name)},
            results.initRefusal());
      }
    };
    if (from_.is_past()) return from_.service().loop().on_pool(std::move(is_there)).then(std::move(give));
    give(is_there());
    return kj::READY_NOW;
  }

  kj::Promise<void> operator_(OperatorContext context) override {
    auto results = context.getResults();
    if (auto held = may_have(base::Status(), results)) results.setOperator(make_operator(from_, held));
    return kj::READY_NOW;
  }

  kj::Promise<void> auditor(AuditorContext context) override {
    auto results = context.getResults();
    base::Status status = from_.may("be an auditor");
    if (status.is_ok()) status = authority_->require(Action::kProve);
    if (status.is_ok() && !from_.service().witness()) {
      status = {base::Code::kUnavailable, "this ledger is served without a witness file; nothing can be proven here"};
    }
    if (auto held = may_have(status, results)) results.setAuditor(make_auditor(from_.service(), held, allowances_));
    return kj::READY_NOW;
  }

  kj::Promise<void> administrator(AdministratorContext context) override {
    auto results = context.getResults();
    base::Status status = from_.may("be an administrator");
    if (status.is_ok()) status = authority_->require(Action::kMaintain);
    if (auto held = may_have(status, results)) results.setAdministrator(make_administrator(from_.service(), held));
    return kj::READY_NOW;
  }

  kj::Promise<void> daemon(DaemonContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    const std::string name(view(params.getName()));
    auto identity = may_be(params.getRole(), name);
    if (auto held = may_have(identity.status(), results)) results.setPort(make_daemon_port(from_.service(), held, *identity, params.getRole()));
    return kj::READY_NOW;
  }

  kj::Promise<void> at(AtContext context) override {
    auto find = [snapshot = from_.snapshot(), params = capnp::clone(context.getParams())] {
      FoundMoment found = find_moment(*snapshot, params->getMoment());
      require_read(*snapshot);
      return found;
    };
    return from_.service().loop().on_pool(std::move(find)).then([this, context](FoundMoment&& found) mutable {
      auto results = context.getResults();
      auto held = may_have(found.status, results);
      if (!held) return;
      results.setSession(kj::heap<SessionServer>(Viewpoint(from_.service(), found.seq), std::move(held), allowances_));
      results.setSeq(found.seq);
      results.setTime(found.time_ns);
    });
  }

  kj::Promise<void> issueToken(IssueTokenContext context) override {
    if (base::Status status = from_.may("make a token"); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    return desk().tokens().issue(authority_, view(params.getCommandId()), params.getRequest()).then([context](base::Result<IssuedToken> issued) mutable {
      auto results = context.getResults();
      if (!issued.is_ok()) return write_refusal(issued.status(), results.initRefusal());
      results.setToken(issued->text);
      results.setRecord(issued->record.get());
      wipe(issued->text);
    });
  }

  kj::Promise<void> tokens(TokensContext context) override {
    if (base::Status status = from_.may("list tokens"); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return desk().tokens().list(*authority_, view(context.getParams().getAccount())).then([context](base::Result<TokenKeeper::List> listed) mutable {
      auto results = context.getResults();
      if (!listed.is_ok()) return write_refusal(listed.status(), results.initRefusal());
      auto list = results.initTokens(static_cast<unsigned>(listed->size()));
      for (unsigned i = 0; i < list.size(); ++i) list.setWithCaveats(i, (*listed)[i].get());
    });
  }

  kj::Promise<void> revokeToken(RevokeTokenContext context) override {
    if (base::Status status = from_.may("revoke a token"); !status.is_ok()) {
      write_refusal(status, context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    return desk().tokens().revoke(authority_, view(params.getCommandId()), view(params.getToken()), view(params.getReason())).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

 private:
  AccessDesk& desk() const { return from_.service().access(); }

  /// The authority for one more capability, counted for as long as that one holds it.
  base::Result<std::shared_ptr<Authority>> one_more() const {
    auto use = allowances_->capabilities.take();
    if (!use.is_ok()) return use.status();
    return std::shared_ptr<Authority>(authority_.get(), [authority = authority_, use = *use](Authority*) {});
  }

  /// The same, or null and a refusal: `status` if that is one.
  template <typename Results>
  std::shared_ptr<Authority> may_have(const base::Status& status, Results results) const {
    base::Result<std::shared_ptr<Authority>> held = status.is_ok() ? one_more() : base::Result<std::shared_ptr<Authority>>(status);
    if (held.is_ok()) return *held;
    write_refusal(held.status(), results.initRefusal());
    return nullptr;
  }

  /// The daemon of that name; a daemon by a credential of its own is that one and no other.
  base::Result<ledger::Identity> may_be(schema::DaemonRole role, const std::string& name) const {
    if (base::Status status = from_.may("be a daemon"); !status.is_ok()) return status;
    if (name.empty() || name.size() > 128) return base::Status(base::Code::kInvalidArgument, "a daemon's name has 1 to 128 bytes");
    auto identity = authority_->may(action_of(role));
    if (!identity.is_ok()) return identity;
    const Caller& caller = authority_->caller();
    if (caller.kind == Caller::Kind::kDaemon && caller.name != name) {
      const std::string why = fmt::format("{} may not be {}: its credential is for {} alone", caller.name, base::printable(name), caller.name);
      desk().denied(caller, action_word(action_of(role)), base::printable(name), "not_its_name", why);
      return base::Status(base::Code::kPermissionDenied, why);
    }
    if (const Following* following = from_.service().following()) {
      return base::Status(base::Code::kPermissionDenied, fmt::format("this ledger is a copy of the one at {} and decides nothing; {} belongs there",
                                                                     following->source, base::printable(name)));
    }
    identity->kind = schema::Actor::Kind::DAEMON;
    identity->name = name;
    return identity;
  }

  const Viewpoint from_;
  const std::shared_ptr<Authority> authority_;
  const std::shared_ptr<Allowances> allowances_;
};

class GatewayServer final : public schema::Gateway::Server {
 public:
  GatewayServer(LedgerService& service, Peer peer) : service_(service), peer_(std::move(peer)) {
    if (peer_.caller) admit();
  }

  kj::Promise<void> info(InfoContext context) override {
    auto info = context.getResults().initInfo();
    info.setVersion(std::string(base::version()));
    info.setSchemaVersion(ledger::kSchemaVersion);
    info.setFacility(service_.facility());
    info.setLedgerId(service_.ledger().id());
    info.setProcessId(static_cast<uint32_t>(getpid()));
    return kj::READY_NOW;
  }

  kj::Promise<void> login(LoginContext context) override {
    auto use = allowances_->sessions.take();
    if (!use.is_ok()) {
      write_refusal(use.status(), context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto entered = service_.access().log_in(peer_, context.getParams().getCredentials());
    context.releaseParams();
    auto deciding = peer_.admission ? peer_.admission->decide() : nullptr;
    return entered.then([this, context, use = *use](AccessDesk::Entered authority) mutable {
      auto results = context.getResults();
      if (!authority.is_ok()) return write_refusal(authority.status(), results.initRefusal());
      admit();
      std::shared_ptr<Authority> held(authority->get(), [authority = *authority, use](Authority*) {});
      schema::Session::Client session = kj::heap<SessionServer>(Viewpoint(service_), held, allowances_);
      const bool ends = held->caller().kind != Caller::Kind::kOwner;
      results.setSession(ends ? capnp::membrane(kj::mv(session), kj::refcounted<EndOfSession>(held)) : kj::mv(session));
    }).attach(std::move(deciding));
  }

 private:
  void admit() {
    if (peer_.admission) peer_.admission->give();
  }

  LedgerService& service_;
  const Peer peer_;
  const std::shared_ptr<Allowances> allowances_ = std::make_shared<Allowances>();
};

}  // namespace

schema::Gateway::Client make_gateway(LedgerService& service, Peer peer) { return kj::heap<GatewayServer>(service, std::move(peer)); }

}  // namespace rpc
