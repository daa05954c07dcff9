#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/backup.h"
#include "rpc/service/gateway.h"
#include "rpc/service/progress.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

class AdministratorServer final : public schema::Administrator::Server {
 public:
  AdministratorServer(LedgerService& service, std::shared_ptr<Authority> authority) : service_(service), authority_(std::move(authority)) {}

  kj::Promise<void> rebuild(RebuildContext context) override {
    if (base::Status status = authority_->require(Action::kMaintain); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    std::vector<std::string> names;
    for (auto name : params.getViews()) names.emplace_back(view(name));
    auto teller = kj::heap<ProgressTeller>(service_.loop(), params.getProgress());
    // Folding goes on when its caller has gone.
    ledger::Ledger::Progress progress = [report = teller->report()](const std::string& what, uint64_t done, uint64_t total) {
      report(what, done, total);
    };
    auto work = params.getCheckOnly() ? service_.check_views(names, std::move(progress)) : service_.rebuild_views(names, std::move(progress));
    return work.attach(kj::mv(teller)).then([context](LedgerService::Findings findings) mutable {
      auto results = context.getResults();
      if (!findings.is_ok()) return write_refusal(findings.status(), results.initRefusal());
      auto list = results.initFindings(static_cast<unsigned>(findings->size()));
      for (unsigned i = 0; i < list.size(); ++i) list.set(i, (*findings)[i]);
    });
  }

  kj::Promise<void> backup(BackupContext context) override {
    if (base::Status status = authority_->require(Action::kMaintain); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return back_up(service_, context);
  }

  kj::Promise<void> eraseBlobs(EraseBlobsContext context) override {
    const auto identity = authority_->may(Action::kMaintain);
    if (!identity.is_ok()) {
      write_refusal(identity.status(), context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto wanted = command.get().getBody().initEraseBlobs();
    auto blobs = wanted.initBlobs(params.getBlobs().size());
    for (unsigned i = 0; i < blobs.size(); ++i) blobs[i].setSha256(params.getBlobs()[i]);
    set_reason(wanted.initReason(), params.getReason());
    return service_.submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> forgetCommands(ForgetCommandsContext context) override {
    const auto identity = authority_->may(Action::kMaintain);
    if (!identity.is_ok()) {
      write_refusal(identity.status(), context.getResults().initAnswer().initRefusal());
      return kj::READY_NOW;
    }
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto wanted = command.get().getBody().initForgetCommands();
    wanted.setUpTo(params.getUpTo());
    set_reason(wanted.initReason(), params.getReason());
    return service_.submit(command.reader(), *identity).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> refreshRoles(RefreshRolesContext context) override {
    if (base::Status status = authority_->require(Action::kMaintain); !status.is_ok()) {
      write_refusal(status, context.getResults().initRefusal());
      return kj::READY_NOW;
    }
    return service_.access().refresh(context.getParams().getBelieve(), authority_->caller().name).then([context](base::Result<AccessDesk::Changed> changed) mutable {
      if (!changed.is_ok()) return write_refusal(changed.status(), context.getResults().initRefusal());
      context.getResults().setGranted(changed->granted);
      context.getResults().setRevoked(changed->revoked);
    });
  }

 private:
  static void set_reason(schema::Reason::Builder reason, capnp::Text::Reader text) {
    reason.setCode("asked_for");
    reason.setText(text);
  }

  LedgerService& service_;
  const std::shared_ptr<Authority> authority_;
};

}  // namespace

schema::Administrator::Client make_administrator(LedgerService& service, std::shared_ptr<Authority> authority) {
  return kj::heap<AdministratorServer>(service, std::move(authority));
}

}  // namespace rpc
