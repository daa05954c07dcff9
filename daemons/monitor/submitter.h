// Commands on their way to the ledger: in groups, several calls in flight, again when it is busy.
#pragma once

#include <capnp/message.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "schema/api.capnp.h"

namespace daemons {

/// What the ledger said to one command.
struct Submission {
  base::Status status;
  uint64_t last_event = 0;  // seq; 0 = nothing had to change
};

struct SubmitterSettings {
  size_t calls_in_flight = 4;
  size_t commands_per_call = 64;
  int64_t first_backoff_ms = 200;  // after kUnavailable, doubled each time
  int64_t last_backoff_ms = 5'000;
};

/// Owns:    the waiting commands and the port. Threads: loop thread.
/// Errors:  a refusal is a Submission; a call that fails alone is one with kInternal. broken() is rejected when the connection is
///          gone: then nobody knows what became of the commands in flight, and their ids make it safe to send them again.
class Submitter final : private kj::TaskSet::ErrorHandler {
 public:
  Submitter(kj::Timer& timer, schema::DaemonPort::Client port, SubmitterSettings settings);
  ~Submitter() noexcept(false);

  /// `command` holds a schema::Command.
  kj::Promise<Submission> submit(kj::Own<capnp::MallocMessageBuilder> command);
  /// Never fulfilled.
  kj::Promise<void> broken();
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Entry {
    kj::Own<capnp::MallocMessageBuilder> command;
    kj::Own<kj::PromiseFulfiller<Submission>> fulfiller;
    bool alone = false;  // it was in a call that failed
  };
  using Batch = std::vector<std::shared_ptr<Entry>>;

  void taskFailed(kj::Exception&& exception) override;
  void send();
  Batch take_batch();
  kj::Promise<void> call(Batch batch);
  void answered(const Batch& batch, capnp::List<schema::Answer>::Reader answers);
  void failed(const Batch& batch, kj::Exception&& exception);
  void again(const Batch& batch);

  kj::Timer& timer_;
  schema::DaemonPort::Client port_;
  const SubmitterSettings settings_;
  std::deque<std::shared_ptr<Entry>> waiting_;
  size_t in_flight_ = 0;
  bool resting_ = false;
  int64_t backoff_ms_;
  kj::Own<kj::PromiseFulfiller<void>> break_;
  kj::ForkedPromise<void> broken_;
  kj::TaskSet tasks_;
};

}  // namespace daemons
