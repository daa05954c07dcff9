// A daemon's signs of life: told to the ledger again and again, and at once when there is something new to say.
#pragma once

#include <kj/async.h>

#include <functional>
#include <string>

#include "rpc/loop.h"
#include "schema/api.capnp.h"

namespace daemons {

/// Owns:    the port capability. Borrows the loop and what the functions use.
/// Threads: loop thread.
/// Errors:  run() rejects when the connection breaks.
class SignsOfLife {
 public:
  using Answer = capnp::Response<schema::DaemonPort::AliveResults>;

  /// `detail`: what the daemon says of itself. `answered`: may be empty.
  SignsOfLife(rpc::Loop& loop, schema::DaemonPort::Client port, kj::Duration period, std::function<std::string()> detail,
              std::function<void(Answer&)> answered = {});

  /// Tells now, after each `period`, and after changed(); until dropped.
  kj::Promise<void> run();
  /// The detail may read otherwise by now. Cheap: many changes in a short time are told together, and none twice.
  void changed();

 private:
  kj::Promise<void> wait_for_change();

  rpc::Loop& loop_;
  schema::DaemonPort::Client port_;
  kj::Duration period_;
  std::function<std::string()> detail_;
  std::function<void(Answer&)> answered_;
  std::string told_;
  bool changed_ = false;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> waiter_;
};

}  // namespace daemons
