#include "rpc/event_port.h"

#include <kj/debug.h>
#include <kj/time.h>
#include <spdlog/spdlog.h>
#include <uv.h>

#include "base/text.h"

namespace rpc {
namespace {

/// Longest sleep; only keeps the number that is given to libuv small.
constexpr uint64_t kLongestSleepMs = 3'600'000;

/// KJ's own timer keeps the time of the last advance. A delay that is started in a libuv callback, after a long sleep, would
/// then be too short by that sleep; so this one reads the clock.
class PresentTimer final : public kj::Timer {
 public:
  PresentTimer() : clock_(kj::systemPreciseMonotonicClock()), queue_(clock_.now()) {}
  kj::TimePoint now() const override { return clock_.now(); }
  kj::Promise<void> atTime(kj::TimePoint time) override { return queue_.atTime(time); }
  kj::Promise<void> afterDelay(kj::Duration delay) override { return queue_.atTime(clock_.now() + delay); }
  kj::TimerImpl& queue() { return queue_; }

 private:
  const kj::MonotonicClock& clock_;
  kj::TimerImpl queue_;
};

}  // namespace

struct EventPort::Handles {
  explicit Handles(uv_loop_t* uv_loop) : loop(uv_loop) {}

  uv_loop_t* const loop;
  kj::EventLoop* events = nullptr;
  PresentTimer timer;
  uv_prepare_t before_sleep;
  uv_idle_t no_sleep;
  uv_timer_t alarm;
  kj::Maybe<kj::TimePoint> alarm_due;

  void pump();
  void set_alarm();
};

void EventPort::Handles::pump() {
  timer.queue().advanceTo(timer.now());
  events->run(kTurnsPerPump);
  if (events->isRunnable()) {
    uv_idle_start(&no_sleep, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&no_sleep);
    set_alarm();
  }
}

void EventPort::Handles::set_alarm() {
  auto due = timer.queue().nextEvent();
  if (due == alarm_due && (due == nullptr || uv_is_active(reinterpret_cast<uv_handle_t*>(&alarm)))) return;
  alarm_due = due;
  KJ_IF_MAYBE (timeout_ms, timer.queue().timeoutToNextEvent(timer.now(), kj::MILLISECONDS, kLongestSleepMs)) {
    uv_update_time(loop);
    uv_timer_start(
        &alarm, [](uv_timer_t*) {}, *timeout_ms, 0);
  } else {
    uv_timer_stop(&alarm);
  }
}

EventPort::EventPort(uv_loop_s* loop) : handles_(std::make_unique<Handles>(loop)) {
  uv_prepare_init(loop, &handles_->before_sleep);
  uv_idle_init(loop, &handles_->no_sleep);
  uv_timer_init(loop, &handles_->alarm);
}

EventPort::~EventPort() noexcept(false) = default;

void EventPort::drive(kj::EventLoop& events) {
  handles_->events = &events;
  handles_->before_sleep.data = handles_.get();
  uv_prepare_start(&handles_->before_sleep, [](uv_prepare_t* handle) {
    auto& handles = *static_cast<Handles*>(handle->data);
    KJ_IF_MAYBE (escaped, kj::runCatchingExceptions([&handles] { handles.pump(); })) {
      spdlog::error("event loop: a task let an exception out: {}", base::printable(escaped->getDescription().cStr()));
    }
  });
}

void EventPort::close() {
  for (auto* handle : {reinterpret_cast<uv_handle_t*>(&handles_->before_sleep), reinterpret_cast<uv_handle_t*>(&handles_->no_sleep),
                       reinterpret_cast<uv_handle_t*>(&handles_->alarm)}) {
    uv_close(handle, nullptr);
  }
}

kj::Timer& EventPort::timer() { return handles_->timer; }

bool EventPort::wait() { KJ_FAIL_REQUIRE("KJ was asked to sleep on a loop where libuv does; wait with rpc::Loop::wait()"); }
bool EventPort::poll() { KJ_FAIL_REQUIRE("KJ was asked to poll on a loop where libuv does; wait with rpc::Loop::wait()"); }

// Whatever becomes runnable does so inside a callback of libuv's loop or before it runs, and no iteration sleeps without a pump.
void EventPort::setRunnable(bool) {}

}  // namespace rpc
