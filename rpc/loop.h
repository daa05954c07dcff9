// One libuv loop that drives KJ: libuv waits, KJ is pumped a bounded number of turns per iteration. Why: docs/adr/0002-one-loop.md.
#pragma once

#include <kj/async-io.h>
#include <kj/async.h>
#include <kj/exception.h>
#include <kj/timer.h>

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

struct uv_loop_s;

namespace rpc {

/// The loop of a process: timers, files, signals and children through libuv; promises and RPC through KJ.
///
/// Owns:    the libuv loop, the KJ event loop, the I/O provider. Lives on the thread that made it; there is one per thread, and
///          it outlives every promise, stream and libuv handle made with it.
/// Threads: loop thread only, but for post(). Everything KJ runs happens inside a libuv callback of this loop.
/// Errors:  exceptions never cross libuv's frames; a failed task is logged and ends only itself.
class Loop {
 public:
  Loop();
  /// Cancels detached tasks, waits for work that is running on the pool, drops posts that were not run yet.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop() is called.
  void run();
  /// Ends run() after the current iteration; called before run(), that one returns at once. Loop thread.
  void stop();
  /// Runs the loop until `promise` is done, and returns its value or throws its exception; for main functions, the command
  /// line and tests, never inside a callback.
  template <typename T>
  T wait(kj::Promise<T> promise);

  /// Runs `work` on the loop thread soon, in the order of the posts of one thread. Any thread, as long as the loop exists.
  /// One wake-up serves many posts.
  void post(std::function<void()> work);

  /// Runs `work` on libuv's thread pool; the promise is fulfilled on the loop. `work` must not touch loop objects; it is
  /// destroyed on the loop thread. Dropping the promise does not stop it.
  template <typename F>
  auto on_pool(F work) -> kj::Promise<std::invoke_result_t<F&>>;

  kj::AsyncIoProvider& io();
  kj::LowLevelAsyncIoProvider& low_level_io();
  /// Monotonic. now() is the present, not that of the last wait, so a delay may also be started in a libuv callback.
  kj::Timer& timer();
  uv_loop_s* uv();
  /// Fulfilled with the signal when the process is asked to end (SIGINT, SIGTERM), at once if it already was. Several may
  /// wait. A second SIGINT ends the process at once. Before the first call these signals do what they always do.
  kj::Promise<int> termination();

  /// A task that runs by itself; an exception is logged with `what`.
  void detach(kj::Promise<void> task, const char* what);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  void run_task(kj::Promise<void> task);
  void queue_work(std::function<void()> work, std::function<void()> after);
};

template <typename T>
T Loop::wait(kj::Promise<T> promise) {
  if constexpr (std::is_void_v<T>) {
    run_task(kj::mv(promise));
  } else {
    std::optional<T> value;
    run_task(promise.then([&value](T&& result) { value.emplace(kj::mv(result)); }));
    return std::move(*value);
  }
}

template <typename F>
auto Loop::on_pool(F work) -> kj::Promise<std::invoke_result_t<F&>> {
  using T = std::invoke_result_t<F&>;
  struct Job {
    F work;
    kj::Own<kj::PromiseFulfiller<T>> fulfiller;
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> value;
    kj::Maybe<kj::Exception> failure;
  };
  auto pair = kj::newPromiseAndFulfiller<T>();
  std::shared_ptr<Job> job(new Job{std::move(work), kj::mv(pair.fulfiller), std::nullopt, nullptr});
  auto perform = [job] {
    job->failure = kj::runCatchingExceptions([&job] {
      if constexpr (std::is_void_v<T>) {
        job->work();
      } else {
        job->value.emplace(job->work());
      }
    });
  };
  auto report = [job] {
    KJ_IF_MAYBE (failure, job->failure) {
      job->fulfiller->reject(kj::mv(*failure));
    } else if constexpr (std::is_void_v<T>) {
      job->fulfiller->fulfill();
    } else {
      job->fulfiller->fulfill(std::move(*job->value));
    }
  };
  queue_work(std::move(perform), std::move(report));
  return kj::mv(pair.promise);
}

}  // namespace rpc
