// Jobs: the request word for word, its state and every attempt. Rows: schema/row.capnp, JobRow.
#pragma once

#include <string>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kJobs:
///   'j' job(8)     -> JobRow
///   'a' event(8)   -> job(8) that answered this runDetected, runRevised or reductionRequested event
///   'q' event(8)   -> Actor who made this reductionRequested event; gone once a job answers it
class JobsView final : public View {
 public:
  static std::string row_key(uint64_t job) { return std::string("j").append(u64_key(job)); }
  static std::string answer_key(uint64_t event) { return std::string("a").append(u64_key(event)); }
  static std::string request_key(uint64_t event) { return std::string("q").append(u64_key(event)); }

  ViewId id() const override { return ViewId::kJobs; }
  const char* name() const override { return "jobs"; }
  uint32_t version() const override { return 2; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
