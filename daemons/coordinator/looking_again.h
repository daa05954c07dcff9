// Looks at scripts and support files although no run came: so the record knows of a change before it matters.
#pragma once

#include <kj/async.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "daemons/coordinator/record.h"
#include "daemons/coordinator/script_record.h"
#include "daemons/coordinator/support_record.h"
#include "daemons/port.h"
#include "rpc/loop.h"
#include "scripts/capture_cache.h"

namespace daemons {

/// Side by side for all instruments, one look at a time for each: a share that does not answer keeps only its own instrument waiting.
///
/// Owns:    the looks under way. Borrows all but the captures, which work on the pool may outlive it with.
/// Threads: loop thread; files are read on the pool.
/// Errors:  what cannot be looked at is said when a run needs it; run() rejects when the connection breaks.
class LookingAgain final : private kj::TaskSet::ErrorHandler {
 public:
  struct Parts {
    rpc::Loop& loop;
    Record& record;
    Submitter& submitter;
    ScriptRecord& scripts;
    SupportRecord& support_files;
    std::shared_ptr<scripts::CaptureCache> captures;
  };
  LookingAgain(Parts parts, uint64_t every_ms) : parts_(std::move(parts)), every_ms_(every_ms), looks_(*this) {}

  /// Until dropped.
  kj::Promise<void> run();

 private:
  void taskFailed(kj::Exception&& exception) override;
  kj::Promise<void> look_at(const std::string& instrument);
  kj::Promise<void> look_at_script(const std::string& instrument);

  const Parts parts_;
  const uint64_t every_ms_;
  std::set<std::string> under_way_;
  kj::TaskSet looks_;  // last: its tasks use all of the above
};

}  // namespace daemons
