#include "rpc/service/backup.h"

#include <atomic>
#include <filesystem>
#include <string>

#include "ledger/backup.h"
#include "rpc/service/answers.h"
#include "rpc/service/service.h"

namespace rpc {
namespace {

/// A backup under way on the pool: how it tells of its progress, and how it is ended.
struct Underway {
  explicit Underway(schema::Progress::Client client) : progress(kj::mv(client)) {}
  schema::Progress::Client progress;  // loop thread only
  std::atomic<bool> telling = false;
  std::atomic<bool> stop = false;
};

void tell(Loop& loop, const std::shared_ptr<Underway>& underway, std::string_view what, uint64_t done, uint64_t total) {
  if (underway->telling.exchange(true)) return;  // one report is in flight at a time; the next one will say more
  loop.post([&loop, underway, text = std::string(what), done, total] {
    auto request = underway->progress.reportRequest();
    request.setWhat(text);
    request.setDone(done);
    request.setTotal(total);
    loop.detach(request.send().ignoreResult().then([underway] { underway->telling = false; }, [](kj::Exception&&) {}), "progress of a backup");
  });
}

}  // namespace

kj::Promise<void> back_up(LedgerService& service, capnp::CallContext<schema::Administrator::BackupParams, schema::Administrator::BackupResults> context) {
  const std::filesystem::path folder(std::string(view(context.getParams().getFolder())));
  if (!folder.is_absolute()) {
    write_refusal({base::Code::kInvalidArgument, "a backup's folder is named by its whole path on the machine of ledgerd"}, context.getResults().initRefusal());
    return kj::READY_NOW;
  }
  auto backup = service.ledger().backup();
  if (!backup.is_ok()) {
    write_refusal(backup.status(), context.getResults().initRefusal());
    return kj::READY_NOW;
  }
  auto underway = std::make_shared<Underway>(context.getParams().getProgress());
  Loop& loop = service.loop();
  return loop
      .on_pool([backup = std::shared_ptr<ledger::Backup>(std::move(*backup)), &loop, folder, underway] {
        return backup->make(folder, [&](std::string_view what, uint64_t done, uint64_t total) {
          tell(loop, underway, what, done, total);
          return !underway->stop;
        });
      })
      .then([context](base::Result<ledger::HeldLedger> held) mutable {
        if (!held.is_ok()) return write_refusal(held.status(), context.getResults().initRefusal());
        context.getResults().setEvents(held->events);
        context.getResults().setRoot(ledger::data(base::as_bytes(held->root)));
      })
      .attach(kj::defer([underway] { underway->stop = true; }));
}

}  // namespace rpc
