// The last step of a success: the directory gets its name, then the ledger hears of it. Any worker may do it, again and at the same
// time as another (docs/adr/0004).
#pragma once

#include <kj/async.h>

#include <string>

#include "daemons/worker/reporter.h"
#include "rpc/loop.h"

namespace daemons {

struct Publication {
  uint64_t job = 0;
  uint16_t attempt = 0;
  uint64_t fence = 0;
  std::string staging, final;
  std::string instrument = {};
  uint64_t run_number = 0;
  uint16_t version = 0;
  std::string flat_folder = {};  // where links to the files are kept; empty = nowhere

  static Publication of(const AttemptPlan& plan, const std::string& staging);
};

/// Renames, puts copies and links in their places, and reports; the attempt must have been accepted as a success. Where the output cannot be
/// renamed, reports a failure of kind output; a copy or link that cannot be made is logged. Done already is fine. What the ledger does not take
/// is logged: the attempt stays open and is published again. Rejects when the connection breaks.
kj::Promise<void> publish(rpc::Loop& loop, schema::Runs::Client runs, Reporter& reporter, Publication publication);

}  // namespace daemons
