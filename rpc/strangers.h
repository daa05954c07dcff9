// Connections of which nobody knows yet who is at the other end. Internal to rpc/.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "rpc/admission.h"
#include "rpc/paced_stream.h"
#include "rpc/transport.h"

namespace rpc {

/// Bounds what strangers can use up: how many there are, what each may send, and for how long.
///
/// Owns:    nothing; the connections are the listener's, which says when one is gone.
/// Threads: loop thread.
/// Errors:  one that goes beyond a bound is given to `end`.
class Strangers {
 public:
  /// `why` is a sentence without its subject.
  using End = std::function<void(uint64_t connection, const std::string& why)>;
  Strangers(kj::Timer& timer, const ListenOptions& options, End end);

  /// One more, unless `admission` is given already. If they are too many one goes.
  void add(uint64_t connection, std::string source, std::shared_ptr<Admission> admission, PacedStream& stream);
  /// Makes room for a new connection: the oldest goes of the source that has most, so that one source drives out its own. Whose
  /// login is under way goes last. False: there are none.
  bool end_one(const std::string& why);
  /// Known, or gone.
  void forget(uint64_t connection);

 private:
  struct Stranger {
    std::string source;
    std::shared_ptr<Admission> admission;
    kj::TimePoint deadline;
  };
  kj::Promise<void> end_late();
  void end(uint64_t connection, const std::string& why);

  kj::Timer& timer_;
  const int login_ms_;
  const size_t most_;
  const End end_;
  std::map<uint64_t, Stranger> strangers_;  // by age
  kj::Promise<void> ending_late_ = nullptr;
};

}  // namespace rpc
