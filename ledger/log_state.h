// Where the log stands: what the next event continues from.
#pragma once

#include <capnp/message.h>

#include "base/status.h"
#include "ledger/event_kinds.h"
#include "ledger/ledger.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/tree_proof.h"
#include "ledger/store.h"

namespace ledger {

struct LogState {
  TreeEdge edge;        // its size is the last seq
  int64_t time_ns = 0;  // of the last event
  EventKinds kinds;
  uint64_t head() const { return edge.size(); }
};

/// Read from the tables. kCorruption where the log and its tree do not agree.
base::Result<LogState> load_log_state(const Cut& cut);
/// The edge at an earlier size.
base::Result<TreeEdge> load_edge(const Snapshot& snapshot, uint64_t size);
/// The nodes of its tree; borrows the snapshot.
ReadNode nodes_of(const Snapshot& snapshot);
/// The bytes of event `seq`, which must be there: kCorruption else.
base::Result<kj::Array<capnp::word>> load_event(const Cut& cut, uint64_t seq);

}  // namespace ledger
