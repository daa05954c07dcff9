#include "ldap/time_limits.h"

namespace ldap {

TimeLimits::TimeLimits() : thread_([this] { run(); }) {}

TimeLimits::~TimeLimits() {
  {
    std::lock_guard lock(mutex_);
    hurry_ = ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

uint64_t TimeLimits::at(Moment when, std::function<void()> action) {
  std::lock_guard lock(mutex_);
  uint64_t id = ++last_id_;
  moments_.emplace(id, when);
  actions_.emplace(std::pair(when, id), std::move(action));
  if (when < wakes_at_ || hurry_) changed_.notify_all();
  return id;
}

void TimeLimits::call_off(uint64_t id) {
  std::unique_lock lock(mutex_);
  auto moment = moments_.find(id);
  if (moment != moments_.end()) {
    actions_.erase({moment->second, id});
    moments_.erase(moment);
  }
  finished_.wait(lock, [&] { return running_ != id; });
}

void TimeLimits::hurry() {
  std::lock_guard lock(mutex_);
  hurry_ = true;
  changed_.notify_all();
}

void TimeLimits::run() {
  std::unique_lock lock(mutex_);
  while (!ending_ || !actions_.empty()) {
    auto first = actions_.begin();
    if (first == actions_.end() || (!hurry_ && first->first.first > std::chrono::steady_clock::now())) {
      wakes_at_ = first == actions_.end() ? Moment::max() : first->first.first;
      wakes_at_ == Moment::max() ? changed_.wait(lock) : static_cast<void>(changed_.wait_until(lock, Moment(wakes_at_)));
      wakes_at_ = Moment::min();
      continue;
    }
    running_ = first->first.second;
    std::function<void()> action = std::move(first->second);
    moments_.erase(running_);
    actions_.erase(first);
    lock.unlock();
    action();
    action = nullptr;
    lock.lock();
    running_ = 0;
    finished_.notify_all();
  }
}

}  // namespace ldap
