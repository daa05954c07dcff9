// The command line's end of the connection: a session, and waiting for its answers.
#pragma once

#include <capnp/capability.h>
#include <kj/async.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "rpc/answers.h"
#include "schema/api.capnp.h"

namespace tools {

/// A session and the loop that moves it.
///
/// Owns:    the connection and its loop.
/// Threads: the one that made it; wait() is for the command line, never called inside a callback.
/// Errors:  Status. A lost connection is kUnavailable: what was asked may or may not have been done.
class Client {
 public:
  virtual ~Client() = default;
  virtual schema::Session::Client session() = 0;
  /// From here on `past` is the session: one that looks back.
  virtual void look_back(schema::Session::Client past) = 0;

  /// Moves the loop until `promise` is done.
  template <typename T>
  base::Result<T> wait(kj::Promise<T> promise);
  base::Status wait(kj::Promise<void> promise);

 protected:
  virtual void run(kj::Promise<void> promise) = 0;
};

/// Connects and logs in. kUnavailable: nothing answers there; the message says how to start it.
base::Result<std::unique_ptr<Client>> connect(const std::string& address);

base::Status status_of(const kj::Exception& exception);
using rpc::status_of;

/// Sends a request and waits. A refusal in the answer, whichever field it is in, becomes the Status.
template <typename Params, typename Results>
base::Result<capnp::Response<Results>> ask(Client& client, capnp::Request<Params, Results> request) {
  base::Result<capnp::Response<Results>> response = client.wait(kj::Promise<capnp::Response<Results>>(request.send()));
  if (!response.is_ok()) return response;
  typename Results::Reader results = *response;
  base::Status status;
  if constexpr (requires { results.getRefusal(); }) status = status_of(results.getRefusal());
  if constexpr (requires { results.getAnswer(); }) status = status_of(results.getAnswer().getRefusal());
  if (!status.is_ok()) return status;
  return response;
}

template <typename T>
base::Result<T> Client::wait(kj::Promise<T> promise) {
  std::optional<T> value;
  base::Status status = wait(promise.then([&](T&& done) { value.emplace(kj::mv(done)); }));
  if (!status.is_ok()) return status;
  return std::move(*value);
}

}  // namespace tools
