// The log on its way out: events with the documents they name, in pieces that fit into memory.
#pragma once

#include <capnp/message.h>
#include <kj/array.h>

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "ledger/ledger.h"

namespace ledger {

/// Reads on from one event; each document comes with the first event from there on that names it, and hardly ever again.
///
/// Owns:    the names of some ten thousand documents that came.
/// Threads: one at a time; reads block, so run them on a pool.
class LogCopy {
 public:
  explicit LogCopy(uint64_t from) : next_(from) {}
  uint64_t next() const { return next_; }

  struct Piece {
    std::vector<kj::Array<capnp::word>> events;
    std::vector<std::string> blobs;
    bool empty() const { return events.empty(); }
  };
  /// Events up to `to`, at most some hundred or a MiB with their documents; at least one, if there is one.
  /// A document that is not there (any more) is left out. Errors: those of the snapshot.
  base::Result<Piece> read(const Snapshot& snapshot, uint64_t to);

 private:
  uint64_t next_;
  std::unordered_set<std::string> sent_;
};

}  // namespace ledger
