// Keeps the record's idea of an instrument's script what stands on disk.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <string>

#include "daemons/coordinator/script_defaults.h"
#include "daemons/port.h"
#include "schema/api.capnp.h"
#include "scripts/capture.h"

namespace daemons {

/// Owns:    nothing; borrows the reader of the scripts' variables.
/// Threads: loop thread.
/// Errors:  a script the ledger does not take is logged; rejects when the connection breaks.
class ScriptRecord {
 public:
  using Captured = std::shared_ptr<const scripts::CapturedScript>;
  explicit ScriptRecord(ScriptDefaultsReader& defaults) : defaults_(defaults) {}

  /// Registers `captured`, read from `path`, when script, files beside it or the trouble with its variables are not those that the instrument
  /// had last. `cause`: the event reacted to; 0: it was looked at without one. `asked`: somebody did, who may have mended what its variables need.
  kj::Promise<void> keep(Submitter& submitter, schema::InstrumentRow::Reader instrument, std::string path, Captured captured, uint64_t cause,
                         bool asked);

 private:
  ScriptDefaultsReader& defaults_;
};

}  // namespace daemons
