// The object that the fuzzed connection starts with, and where it is listened for.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "rpc/transport.h"
#include "service.capnp.h"

namespace fuzz {

/// What callers gave to keep. Not a member of the objects: a caller may hand one of them to itself, and it would never go.
using Kept = std::vector<Service::Client>;

Service::Client new_service(Kept& kept);

/// A listener that serves new_service() to every connection, on a socket of its own in the folder for temporary files.
///
/// Owns:    the listener and the folder of its socket.
/// Threads: loop thread. Errors: a program that cannot listen ends.
class Server {
 public:
  explicit Server(rpc::Loop& loop);
  ~Server();

  std::string address() const { return "unix:" + path_.string(); }
  size_t connections() const { return listener_->connections(); }
  void forget_kept() { kept_.clear(); }

 private:
  std::filesystem::path path_;
  Kept kept_;
  std::unique_ptr<rpc::Listener> listener_;
};

}  // namespace fuzz
