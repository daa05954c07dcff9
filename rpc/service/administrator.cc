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
  AdministratorServer(LedgerService& service, std::shared_ptr<Authority> authority) : service_(service), identity_(identity_of(authority->caller(), {})) {}

  kj::Promise<void> rebuild(RebuildContext context) override {
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

  kj::Promise<void> backup(BackupContext context) override { return back_up(service_, context); }

  kj::Promise<void> eraseBlobs(EraseBlobsContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto wanted = command.get().getBody().initEraseBlobs();
    auto blobs = wanted.initBlobs(params.getBlobs().size());
    for (unsigned i = 0; i < blobs.size(); ++i) blobs[i].setSha256(params.getBlobs()[i]);
    set_reason(wanted.initReason(), params.getReason());
    return service_.submit(command.reader(), identity_).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

  kj::Promise<void> forgetCommands(ForgetCommandsContext context) override {
    auto params = context.getParams();
    CommandMessage command(view(params.getCommandId()));
    auto wanted = command.get().getBody().initForgetCommands();
    wanted.setUpTo(params.getUpTo());
    set_reason(wanted.initReason(), params.getReason());
    return service_.submit(command.reader(), identity_).then([context](ledger::Answer answer) mutable {
      write_answer(answer, context.getResults().initAnswer());
    });
  }

 private:
  static void set_reason(schema::Reason::Builder reason, capnp::Text::Reader text) {
    reason.setCode("asked_for");
    reason.setText(text);
  }

  LedgerService& service_;
  ledger::Identity identity_;
};

}  // namespace

schema::Administrator::Client make_administrator(LedgerService& service, std::shared_ptr<Authority> authority) {
  return kj::heap<AdministratorServer>(service, std::move(authority));
}

}  // namespace rpc
