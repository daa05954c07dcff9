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
#include "rpc/tls_files.h"
#include "schema/api.capnp.h"

namespace tools {

/// A connection to a ledger, the session entered over it, and the loop that moves both.
///
/// Owns:    the connection and its loop.
/// Threads: the one that made it; wait() is for the command line, never called inside a callback.
/// Errors:  Status. A lost connection is kUnavailable: what was asked may or may not have been done.
class Client {
 public:
  explicit Client(std::string address) : address_(std::move(address)) {}
  virtual ~Client() = default;
  /// As it was named: what a login is kept under.
  const std::string& address() const { return address_; }
  virtual schema::Gateway::Client gateway() = 0;
  /// The session entered last, of which there must be one: of who logged in, or one that looks back.
  schema::Session::Client session() { return *session_; }
  void enter(schema::Session::Client session) { session_.emplace(kj::mv(session)); }

  /// Moves the loop until `promise` is done.
  template <typename T>
  base::Result<T> wait(kj::Promise<T> promise);
  base::Status wait(kj::Promise<void> promise);

 protected:
  virtual void run(kj::Promise<void> promise) = 0;
  /// For who owns the connection, which has to outlive it.
  void leave() { session_.reset(); }

 private:
  const std::string address_;
  std::optional<schema::Session::Client> session_;
};

/// Connects; who asks is said by logging in (tools/credentials.h). `tls` is for a tls address. kUnavailable: nothing answers there; the message says how to start it.
base::Result<std::unique_ptr<Client>> connect(const std::string& address, const rpc::TlsClientFiles& tls = {});

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
