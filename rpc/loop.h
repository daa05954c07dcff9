// One libuv loop that drives KJ: libuv waits, KJ is pumped a bounded number of turns per iteration. Why: docs/adr/.
#pragma once

#include <kj/async-io.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <functional>
#include <memory>
#include <type_traits>

struct uv_loop_s;

namespace rpc {

/// The loop of a process: timers, files, signals and children through libuv; promises and RPC through KJ.
///
/// Owns:    the libuv loop, the KJ event loop, the I/O provider. Lives on the thread that made it; there is one per thread.
/// Threads: loop thread only, but for post(). Everything KJ runs happens inside a libuv callback of this loop.
/// Errors:  exceptions never cross libuv's frames; a failed task is logged and ends only itself.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop() is called.
  void run();
  /// Ends run() after the current iteration. Loop thread.
  void stop();
  /// Runs the loop until `promise` is done; for main functions, the command line and tests, never inside a callback.
  template <typename T>
  T wait(kj::Promise<T> promise);

  /// Runs `work` on the loop thread soon. Any thread. One wake-up serves many posts.
  void post(std::function<void()> work);

  /// Runs `work` on libuv's thread pool; the promise is fulfilled on the loop. `work` must not touch loop objects.
  template <typename F>
  auto on_pool(F work) -> kj::Promise<std::invoke_result_t<F>>;

  kj::AsyncIoProvider& io();
  kj::LowLevelAsyncIoProvider& low_level_io();
  kj::Timer& timer();
  uv_loop_s* uv();
  /// Fulfilled when the process is asked to end (SIGINT, SIGTERM). Several may wait.
  kj::Promise<int> termination();

  /// Tasks that run by themselves; an exception is logged with `what`.
  void detach(kj::Promise<void> task, const char* what);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  kj::WaitScope& wait_scope();
  void run_until_ready(std::function<bool()> ready);
  void queue_work(std::function<void()> work, std::function<void()> after);
};

}  // namespace rpc
