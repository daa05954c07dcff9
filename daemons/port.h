// Sending commands to the ledger as a daemon does it: again while the ledger is busy, with the same id.
#pragma once

#include <capnp/message.h>
#include <kj/async.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "rpc/loop.h"
#include "schema/api.capnp.h"

namespace daemons {

/// A command on its way.
class Command {
 public:
  explicit Command(std::string_view id, uint64_t cause = 0);
  schema::Command::Builder get() { return command_; }
  schema::Command::Body::Builder body() { return command_.getBody(); }
  /// Adds blobs the body names.
  void attach(const std::vector<std::string_view>& blobs);
  schema::Command::Reader reader() const { return command_.asReader(); }

 private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::Command::Builder command_;
};

struct CommandAnswer {
  base::Status status;
  std::vector<uint64_t> events;
};

/// Sends `command`; kUnavailable answers are tried again with growing pauses (50 ms to 5 s) for as long as the connection lives.
/// Rejects when the connection breaks: then nobody knows whether it was taken, and the same id must be used again.
kj::Promise<CommandAnswer> submit(rpc::Loop& loop, schema::DaemonPort::Client port, Command command);

}  // namespace daemons
