#include <memory>
#include <utility>

#include "rpc/service/answers.h"
#include "rpc/service/backup.h"
#include "rpc/service/gateway.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

/// Tells a client how far long work is: the newest word only, one call in flight.
///
/// Owns:    its capability. Threads: loop thread.
class ProgressTeller : public std::enable_shared_from_this<ProgressTeller> {
 public:
  ProgressTeller(Loop& loop, schema::Progress::Client progress) : loop_(loop), progress_(kj::mv(progress)) {}
  void tell(std::string what, uint64_t done, uint64_t total) {
    what_ = std::move(what);
    done_ = done;
    total_ = total;
    if (!std::exchange(telling_, true)) send();
  }

 private:
  void send() {
    auto request = progress_.reportRequest();
    request.setWhat(what_);
    request.setDone(done_);
    request.setTotal(total_);
    auto told = request.send().ignoreResult().then(
        [self = shared_from_this(), done = done_, what = what_] {
          self->telling_ = done != self->done_ || what != self->what_;
          if (self->telling_) self->send();
        },
        [](kj::Exception&&) {});  // nobody listens any more
    loop_.detach(kj::mv(told), "tell progress");
  }

  Loop& loop_;
  schema::Progress::Client progress_;
  std::string what_;
  uint64_t done_ = 0, total_ = 0;
  bool telling_ = false;
};

class AdministratorServer final : public schema::Administrator::Server {
 public:
  AdministratorServer(LedgerService& service, ledger::Identity identity) : service_(service), identity_(std::move(identity)) {}

  kj::Promise<void> rebuild(RebuildContext context) override {
    auto params = context.getParams();
    std::vector<std::string> names;
    for (auto name : params.getViews()) names.emplace_back(view(name));
    std::shared_ptr<ProgressTeller> teller;
    ledger::Ledger::Progress progress;
    if (params.hasProgress()) {
      teller = std::make_shared<ProgressTeller>(service_.loop(), params.getProgress());
      progress = [&loop = service_.loop(), weak = std::weak_ptr(teller)](const std::string& what, uint64_t done, uint64_t total) {
        loop.post([weak, what, done, total] {
          if (auto there = weak.lock()) there->tell(what, done, total);
        });
      };
    }
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

schema::Administrator::Client make_administrator(LedgerService& service, ledger::Identity identity) {
  return kj::heap<AdministratorServer>(service, std::move(identity));
}

}  // namespace rpc
