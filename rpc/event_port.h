// Where libuv and KJ meet: KJ's event port, pumped from libuv. Internal to rpc/; others use rpc::Loop.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <memory>

struct uv_loop_s;

namespace rpc {

/// Turns of KJ between two looks at descriptors and timers: high enough to keep throughput, low enough that one busy client
/// or a chain of continuations delays nobody (measured: 99th percentile of a bystander 0.3 ms, unbounded 5 ms and more).
constexpr unsigned kTurnsPerPump = 200;

/// Runs a KJ event loop inside a libuv loop.
///
/// Owns:    its libuv handles (prepare, idle, timer); borrows the libuv loop.
/// Threads: loop thread only.
/// Errors:  what escapes KJ's loop is logged; libuv's frames see no exception.
class EventPort final : public kj::EventPort {
 public:
  explicit EventPort(uv_loop_s* loop);
  ~EventPort() noexcept(false);

  /// From now on every iteration of libuv's loop pumps `events`, just before it would sleep.
  void drive(kj::EventLoop& events);
  /// Ends that and starts closing the handles; libuv's loop must run once more before the port goes.
  void close();
  kj::Timer& timer();

  /// Never: in this process only libuv waits.
  bool wait() override;
  bool poll() override;
  void setRunnable(bool runnable) override;

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

}  // namespace rpc
