#include "rpc/service/backup.h"

#include <filesystem>
#include <string>

#include "ledger/backup.h"
#include "rpc/service/answers.h"
#include "rpc/service/progress.h"
#include "rpc/service/service.h"

namespace rpc {
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
  auto teller = kj::heap<ProgressTeller>(service.loop(), context.getParams().getProgress());
  return service.loop()
      .on_pool([backup = std::shared_ptr<ledger::Backup>(std::move(*backup)), folder, report = teller->report()] {
        return backup->make(folder, report);
      })
      .then([context](base::Result<ledger::HeldLedger> held) mutable {
        if (!held.is_ok()) return write_refusal(held.status(), context.getResults().initRefusal());
        context.getResults().setEvents(held->events);
        context.getResults().setRoot(ledger::data(base::as_bytes(held->root)));
      })
      .attach(kj::mv(teller));
}

}  // namespace rpc
