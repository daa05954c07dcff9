// Workers: who can run jobs, and which attempts each has open. Rows: schema/row.capnp, WorkerRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kWorkers:
///   'w' worker 00   -> WorkerRow
///   'j' job(8)      -> name of the worker whose attempt at it is open
class WorkersView final : public View {
 public:
  static std::string row_key(std::string_view worker);
  static std::string job_key(uint64_t job) { return std::string("j").append(u64_key(job)); }

  ViewId id() const override { return ViewId::kWorkers; }
  const char* name() const override { return "workers"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
