// Sending commands to the ledger as daemons do it: in groups, several calls in flight, again while the ledger is busy.
#pragma once

#include <capnp/message.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "schema/api.capnp.h"

namespace daemons {

/// A command on its way.
class Command {
 public:
  explicit Command(std::string_view id = {}, uint64_t cause = 0);
  schema::Command::Builder get() { return command_; }
  schema::Command::Body::Builder body() { return command_.getBody(); }
  /// Adds blobs the body names.
  void attach(const std::vector<std::string_view>& blobs);
  schema::Command::Reader reader() const { return command_.asReader(); }

 private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::Command::Builder command_;
};

/// What the ledger said to one command.
struct CommandAnswer {
  base::Status status;
  std::vector<uint64_t> events;  // empty = nothing had to change
};

struct SubmitterSettings {
  size_t calls_in_flight = 4;
  size_t commands_per_call = 64;
  uint64_t bytes_per_call = 4u << 20;  // a larger command goes alone
  int64_t first_backoff_ms = 50;       // after kUnavailable, doubled each time
  int64_t last_backoff_ms = 5'000;
};

/// Owns:    the commands until they are answered, and the port. Borrows the timer.
/// Threads: loop thread.
/// Errors:  a refusal is an answer; kUnavailable is tried again for as long as the connection lives; a command whose call fails when
///          it is sent alone is answered kInternal. submit() rejects when the connection breaks: then nobody knows what became of the
///          command, and its id makes it safe to send it again.
class Submitter final : private kj::TaskSet::ErrorHandler {
 public:
  Submitter(kj::Timer& timer, schema::DaemonPort::Client port, SubmitterSettings settings = {});
  ~Submitter() noexcept(false);

  /// Sent even if the promise is dropped.
  kj::Promise<CommandAnswer> submit(Command command);
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Entry {
    Command command;
    uint64_t bytes;
    kj::Own<kj::PromiseFulfiller<CommandAnswer>> fulfiller;
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
  kj::TaskSet tasks_;  // last: its tasks use all of the above
};

}  // namespace daemons
