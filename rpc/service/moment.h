// A moment that somebody names, as an event of the log.
#pragma once

#include <cstdint>

#include "ledger/ledger.h"
#include "schema/api.capnp.h"

namespace rpc {

/// The event to look back to, and its time; or why there is none.
struct FoundMoment {
  base::Status status;
  uint64_t seq = 0;
  int64_t time_ns = 0;
};
/// kNotFound: the log had no event then, or has none of that number. Reads some events: on the pool.
FoundMoment find_moment(const ledger::Snapshot& snapshot, schema::Moment::Reader moment);

}  // namespace rpc
