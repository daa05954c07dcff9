// What a watcher lacks of the log, read a round at a time.
#pragma once

#include <capnp/message.h>

#include <vector>

#include "base/status.h"
#include "ledger/ledger.h"
#include "rpc/service/event_filter.h"
#include "rpc/service/event_sight.h"

namespace rpc {

struct Round {
  base::Status status;
  std::vector<kj::Array<capnp::word>> events;
  uint64_t next = 0;  // the first that was not looked at
};

/// Events from..to that pass and are seen, at most some hundred and a quarter of a MiB. With subjects it looks only at the events the index has for
/// them; it may come back with none before the end, so that others get their turn. Blocks: run it on a pool.
Round read_round(const ledger::Snapshot& snapshot, const EventFilter& filter, const EventSight& sight, uint64_t from, uint64_t to);

}  // namespace rpc
