#include "rpc/service/gateway.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"
#include "base/version.h"
#include "ledger/event_bytes.h"
#include "ledger/event_kinds.h"
#include "ledger/view_rows.h"
#include "rpc/service/allowance.h"
#include "rpc/service/answers.h"
#include "rpc/service/moment.h"
#include "rpc/service/service.h"
#include "rpc/service/viewpoint.h"

namespace rpc {
namespace {

class SessionServer final : public schema::Session::Server {
 public:
  SessionServer(const Viewpoint& from, ledger::Identity identity, std::shared_ptr<Allowances> allowances)
      : from_(from), identity_(std::move(identity)), allowances_(std::move(allowances)) {}

  kj::Promise<void> whoami(WhoamiContext context) override {
    auto actor = context.getResults().initActor();
    actor.setKind(identity_.kind);
    actor.setName(identity_.name);
    actor.setProof(identity_.proof);
    return kj::READY_NOW;
  }

  kj::Promise<void> runs(RunsContext context) override {
    context.getResults().setRuns(make_runs(from_, identity_, allowances_));
    return kj::READY_NOW;
  }

  kj::Promise<void> instrument(InstrumentContext context) override {
    std::string name(view(context.getParams().getName()));
    auto is_there = [snapshot = from_.snapshot(), name] {
      const bool found = ledger::find_instrument(*snapshot, name).has_value();
      require_read(*snapshot);
      return found;
    };
    auto give = [context, from = from_, identity = identity_, name](bool found) mutable {
      auto results = context.getResults();
      if (found) {
        results.setInstrument(make_instrument(from, std::move(identity), std::move(name)));
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
    context.getResults().setOperator(make_operator(from_, identity_));
    return kj::READY_NOW;
  }

  kj::Promise<void> auditor(AuditorContext context) override {
    auto results = context.getResults();
    if (base::Status status = from_.may("be an auditor"); !status.is_ok()) {
      write_refusal(status, results.initRefusal());
    } else if (from_.service().witness()) {
      results.setAuditor(make_auditor(from_.service(), allowances_));
    } else {
      write_refusal({base::Code::kUnavailable, "this ledger is served without a witness file; nothing can be proven here"},
                    results.initRefusal());
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> administrator(AdministratorContext context) override {
    auto results = context.getResults();
    if (base::Status status = from_.may("be an administrator"); !status.is_ok()) {
      write_refusal(status, results.initRefusal());
    } else {
      results.setAdministrator(make_administrator(from_.service(), identity_));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> daemon(DaemonContext context) override {
    auto params = context.getParams();
    std::string name(view(params.getName()));
    auto results = context.getResults();
    const Following* following = from_.service().following();
    if (base::Status status = from_.may("be a daemon"); !status.is_ok()) {
      write_refusal(status, results.initRefusal());
    } else if (following) {
      write_refusal({base::Code::kPermissionDenied, fmt::format("this ledger is a copy of the one at {} and decides nothing; {} belongs there",
                                                                following->source, base::printable(name))},
                    results.initRefusal());
    } else if (name.empty() || name.size() > 128) {
      write_refusal({base::Code::kInvalidArgument, "a daemon's name has 1 to 128 bytes"}, results.initRefusal());
    } else {
      results.setPort(make_daemon_port(from_.service(), {schema::Actor::Kind::DAEMON, name, identity_.proof}, params.getRole()));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> at(AtContext context) override {
    auto find = [snapshot = from_.snapshot(), params = capnp::clone(context.getParams())] {
      FoundMoment found = find_moment(*snapshot, params->getMoment());
      require_read(*snapshot);
      return found;
    };
    LedgerService& service = from_.service();
    return service.loop().on_pool(std::move(find)).then([context, &service, identity = identity_, allowances = allowances_](FoundMoment&& found) mutable {
      auto results = context.getResults();
      write_refusal(found.status, results.initRefusal());
      if (!found.status.is_ok()) return;
      results.setSession(kj::heap<SessionServer>(Viewpoint(service, found.seq), std::move(identity), std::move(allowances)));
      results.setSeq(found.seq);
      results.setTime(found.time_ns);
    });
  }

 private:
  const Viewpoint from_;
  const ledger::Identity identity_;
  const std::shared_ptr<Allowances> allowances_;
};

class GatewayServer final : public schema::Gateway::Server {
 public:
  GatewayServer(LedgerService& service, ledger::Identity identity) : service_(service), identity_(std::move(identity)) {}

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
    context.getResults().setSession(kj::heap<SessionServer>(Viewpoint(service_), identity_, allowances_));
    return kj::READY_NOW;
  }

 private:
  LedgerService& service_;
  ledger::Identity identity_;
  const std::shared_ptr<Allowances> allowances_ = std::make_shared<Allowances>();
};

}  // namespace

schema::Gateway::Client make_gateway(LedgerService& service, ledger::Identity identity) {
  return kj::heap<GatewayServer>(service, std::move(identity));
}

}  // namespace rpc
