#include "rpc/loop.h"

#include <kj/debug.h>
#include <kj/vector.h>
#include <spdlog/spdlog.h>
#include <uv.h>

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "base/text.h"
#include "rpc/async_io.h"
#include "rpc/event_port.h"

namespace rpc {
namespace {

void log_failure(const char* what, const kj::Exception& exception) {
  spdlog::error("{}: {}", what, base::printable(exception.getDescription().cStr()));
}

/// Runs `work`, which libuv called: nothing may be thrown through its frames.
template <typename F>
void guarded(const char* what, F&& work) {
  KJ_IF_MAYBE (exception, kj::runCatchingExceptions(std::forward<F>(work))) log_failure(what, *exception);
}

/// Sends what KJ and Cap'n Proto log to the daemon log. KJ wants it on the stack.
class LogRoute final : public kj::ExceptionCallback {
 public:
  void logMessage(kj::LogSeverity severity, const char*, int, int, kj::String&& text) override {
    auto level = severity >= kj::LogSeverity::ERROR     ? spdlog::level::err
                 : severity == kj::LogSeverity::WARNING ? spdlog::level::warn
                                                        : spdlog::level::info;
    std::string_view line(text.cStr(), text.size());
    while (line.ends_with('\n')) line.remove_suffix(1);
    spdlog::log(level, "rpc: {}", base::printable(line));
  }
};

struct UvLoop {
  uv_loop_t loop;
  UvLoop() {
    int error = uv_loop_init(&loop);
    KJ_REQUIRE(error == 0, "libuv cannot make a loop; is the limit on open files reached?", uv_strerror(error));
  }
  ~UvLoop() {
    if (int error = uv_loop_close(&loop); error != 0) spdlog::critical("libuv's loop did not end: {}", uv_strerror(error));
  }
};

struct PoolJob {
  uv_work_t request;
  size_t* jobs;
  std::function<void()> work;
  std::function<void()> after;
};

template <typename Handle>
void close_handle(Handle& handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
}

}  // namespace

struct Loop::Impl final : kj::TaskSet::ErrorHandler {
  Impl();
  ~Impl() noexcept(false);

  void taskFailed(kj::Exception&& exception) override { log_failure("task", exception); }
  void turn_until(const bool& done);
  void run_posts();
  void watch_signals();
  void signalled(int signal);
  void require_no_open_handles();

  UvLoop uv;
  EventPort port;
  kj::EventLoop events;
  kj::WaitScope scope;
  kj::Own<kj::LowLevelAsyncIoProvider> low_level;
  kj::Own<kj::AsyncIoProvider> provider;
  kj::Maybe<kj::TaskSet> tasks;

  const std::thread::id thread = std::this_thread::get_id();
  bool turning = false;
  bool stopped = false;
  size_t pool_jobs = 0;

  std::mutex posts_mutex;
  std::vector<std::function<void()>> posts;  // guarded by posts_mutex
  uv_async_t posted;

  bool ending = false;
  bool signals_watched = false;
  uv_signal_t interrupt, terminate;
  int last_signal = 0;
  kj::Vector<kj::Own<kj::PromiseFulfiller<int>>> awaiting_signal;
};

Loop::Impl::Impl() : port(&uv.loop), events(port), scope(events) {
  // A peer that goes away is an error of one write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  low_level = new_async_io(&uv.loop, port.timer());
  provider = kj::newAsyncIoProvider(*low_level);
  tasks.emplace(*this);
  int error = uv_async_init(&uv.loop, &posted, [](uv_async_t* handle) { static_cast<Impl*>(handle->data)->run_posts(); });
  KJ_ASSERT(error == 0, uv_strerror(error));
  posted.data = this;
  port.drive(events);
}

Loop::Impl::~Impl() noexcept(false) {
  LogRoute route;
  tasks = nullptr;
  scope.cancelAllDetached();
  ending = true;  // whatever a post is about may be gone
  while (pool_jobs > 0) uv_run(&uv.loop, UV_RUN_ONCE);
  awaiting_signal.clear();
  provider = nullptr;
  low_level = nullptr;
  port.close();
  close_handle(posted);
  if (signals_watched) {
    close_handle(interrupt);
    close_handle(terminate);
  }
  require_no_open_handles();
  // Again, because a stop() that nobody ran into ends the first pass early.
  while (uv_run(&uv.loop, UV_RUN_DEFAULT) != 0) {
  }
}

/// A handle that stays open would be used after the loop is gone, or keep the loop from ending.
void Loop::Impl::require_no_open_handles() {
  std::string open;
  uv_walk(
      &uv.loop,
      [](uv_handle_t* handle, void* names) {
        if (!uv_is_closing(handle))
          *static_cast<std::string*>(names) += std::string(" ") + uv_handle_type_name(uv_handle_get_type(handle));
      },
      &open);
  if (open.empty()) return;
  spdlog::critical("rpc::Loop destroyed before what uses it; handles still open:{}", open);
  std::abort();
}

void Loop::Impl::turn_until(const bool& done) {
  KJ_REQUIRE(std::this_thread::get_id() == thread, "a loop is run by the thread that made it");
  KJ_REQUIRE(!turning, "the loop already runs: wait() and run() are not for callbacks");
  LogRoute route;
  turning = true;
  KJ_DEFER(turning = false);
  // Once per call, so that each pass starts with the pump: what a callback fulfilled is run before anybody looks at `done`.
  while (!done) uv_run(&uv.loop, UV_RUN_ONCE);
}

void Loop::Impl::run_posts() {
  std::vector<std::function<void()>> batch;
  {
    std::lock_guard lock(posts_mutex);
    batch.swap(posts);
  }
  if (ending) return;
  for (auto& work : batch) guarded("posted work", work);
}

void Loop::Impl::watch_signals() {
  if (signals_watched) return;
  signals_watched = true;
  auto arrived = [](uv_signal_t* handle, int signal) { static_cast<Impl*>(handle->data)->signalled(signal); };
  uv_signal_init(&uv.loop, &interrupt);
  uv_signal_init(&uv.loop, &terminate);
  for (auto [handle, signal] : {std::pair{&interrupt, SIGINT}, std::pair{&terminate, SIGTERM}}) {
    handle->data = this;
    int error = uv_signal_start(handle, arrived, signal);
    KJ_REQUIRE(error == 0, "signals cannot be watched", signal, uv_strerror(error));
  }
}

void Loop::Impl::signalled(int signal) {
  if (signal == SIGINT && last_signal == SIGINT) {  // Ctrl-C again: not asked to end, but to be gone
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  last_signal = signal;
  auto waiting = kj::mv(awaiting_signal);
  awaiting_signal = {};
  guarded("termination", [&] {
    for (auto& fulfiller : waiting) fulfiller->fulfill(kj::cp(signal));
  });
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
  impl_->turn_until(impl_->stopped);
  impl_->stopped = false;
}

void Loop::stop() {
  impl_->stopped = true;
  uv_stop(&impl_->uv.loop);
}

void Loop::run_task(kj::Promise<void> task) {
  bool done = false;
  kj::Maybe<kj::Exception> failure;
  auto finish = [&] {
    done = true;
    uv_stop(&impl_->uv.loop);  // this iteration must not go on to sleep
  };
  auto watched = task.then([&] { finish(); },
                           [&](kj::Exception&& exception) {
                             failure = kj::mv(exception);
                             finish();
                           })
                     .eagerlyEvaluate(nullptr);
  impl_->turn_until(done);
  KJ_IF_MAYBE (exception, failure) kj::throwFatalException(kj::mv(*exception));
}

void Loop::post(std::function<void()> work) {
  std::lock_guard lock(impl_->posts_mutex);
  impl_->posts.push_back(std::move(work));
  if (impl_->posts.size() == 1) uv_async_send(&impl_->posted);
}

void Loop::queue_work(std::function<void()> work, std::function<void()> after) {
  auto* job = new PoolJob{{}, &impl_->pool_jobs, std::move(work), std::move(after)};
  job->request.data = job;
  int error = uv_queue_work(
      &impl_->uv.loop, &job->request, [](uv_work_t* request) { static_cast<PoolJob*>(request->data)->work(); },
      [](uv_work_t* request, int) {
        std::unique_ptr<PoolJob> done(static_cast<PoolJob*>(request->data));
        --*done->jobs;
        guarded("pool work", done->after);
      });
  KJ_ASSERT(error == 0, uv_strerror(error));
  ++impl_->pool_jobs;
}

kj::AsyncIoProvider& Loop::io() { return *impl_->provider; }
kj::LowLevelAsyncIoProvider& Loop::low_level_io() { return *impl_->low_level; }
kj::Timer& Loop::timer() { return impl_->port.timer(); }
uv_loop_s* Loop::uv() { return &impl_->uv.loop; }

kj::Promise<int> Loop::termination() {
  impl_->watch_signals();
  if (impl_->last_signal != 0) return impl_->last_signal;
  auto pair = kj::newPromiseAndFulfiller<int>();
  impl_->awaiting_signal.add(kj::mv(pair.fulfiller));
  return kj::mv(pair.promise);
}

void Loop::detach(kj::Promise<void> task, const char* what) {
  auto logged = task.catch_([what](kj::Exception&& exception) { log_failure(what, exception); });
  KJ_IF_MAYBE (tasks, impl_->tasks) tasks->add(kj::mv(logged));
}

}  // namespace rpc
