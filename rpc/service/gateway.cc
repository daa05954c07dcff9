#include "rpc/service/gateway.h"

#include <unistd.h>

#include <fmt/format.h>

#include "base/version.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

constexpr uint32_t kSchemaVersion = 1;

class SessionServer final : public schema::Session::Server {
 public:
  SessionServer(LedgerService& service, ledger::Identity identity) : service_(service), identity_(std::move(identity)) {}

  kj::Promise<void> whoami(WhoamiContext context) override {
    auto actor = context.getResults().initActor();
    actor.setKind(identity_.kind);
    actor.setName(identity_.name);
    actor.setProof(identity_.proof);
    return kj::READY_NOW;
  }

  kj::Promise<void> runs(RunsContext context) override {
    context.getResults().setRuns(make_runs(service_, identity_));
    return kj::READY_NOW;
  }

  kj::Promise<void> instrument(InstrumentContext context) override {
    auto snapshot = service_.snapshot();
    std::string name(view(context.getParams().getName()));
    auto results = context.getResults();
    if (!ledger::find_instrument(*snapshot, name)) {
      write_refusal(
          {base::Code::kNotFound, fmt::format("{}: there is no such instrument; `runledger status` lists those there are", name)},
          results.initRefusal());
    } else {
      results.setInstrument(make_instrument(service_, identity_, std::move(name)));
    }
    require_read(*snapshot);
    return kj::READY_NOW;
  }

  kj::Promise<void> operator_(OperatorContext context) override {
    context.getResults().setOperator(make_operator(service_, identity_));
    return kj::READY_NOW;
  }

  kj::Promise<void> daemon(DaemonContext context) override {
    auto params = context.getParams();
    std::string name(view(params.getName()));
    auto results = context.getResults();
    if (name.empty() || name.size() > 128) {
      write_refusal({base::Code::kInvalidArgument, "a daemon's name has 1 to 128 bytes"}, results.initRefusal());
    } else {
      results.setPort(make_daemon_port(service_, {schema::Actor::Kind::DAEMON, name, identity_.proof}, params.getRole()));
    }
    return kj::READY_NOW;
  }

 private:
  LedgerService& service_;
  ledger::Identity identity_;
};

class GatewayServer final : public schema::Gateway::Server {
 public:
  GatewayServer(LedgerService& service, ledger::Identity identity) : service_(service), identity_(std::move(identity)) {}

  kj::Promise<void> info(InfoContext context) override {
    auto info = context.getResults().initInfo();
    info.setVersion(std::string(base::version()));
    info.setSchemaVersion(kSchemaVersion);
    info.setFacility(service_.facility());
    info.setLedgerId(service_.ledger().id());
    info.setProcessId(static_cast<uint32_t>(getpid()));
    return kj::READY_NOW;
  }

  kj::Promise<void> login(LoginContext context) override {
    context.getResults().setSession(kj::heap<SessionServer>(service_, identity_));
    return kj::READY_NOW;
  }

 private:
  LedgerService& service_;
  ledger::Identity identity_;
};

}  // namespace

schema::Gateway::Client make_gateway(LedgerService& service, ledger::Identity identity) {
  return kj::heap<GatewayServer>(service, std::move(identity));
}

}  // namespace rpc
