// Things that happen at a point in time, unless they are called off before.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace ldap {

using Moment = std::chrono::steady_clock::time_point;

/// Runs actions when their time comes: cuts a connection whose server is late, gives an answer that is held back.
///
/// Owns:    a thread.
/// Threads: any. Actions run one after the other on that thread and are short.
class TimeLimits {
 public:
  TimeLimits();
  /// Runs at once what is still to come.
  ~TimeLimits();
  TimeLimits(const TimeLimits&) = delete;
  TimeLimits& operator=(const TimeLimits&) = delete;

  uint64_t at(Moment when, std::function<void()> action);
  /// On return the action is neither running nor to come.
  void call_off(uint64_t id);
  /// From now on every moment has come.
  void hurry();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_, finished_;
  std::map<std::pair<Moment, uint64_t>, std::function<void()>> actions_;  // guarded, as all below
  std::map<uint64_t, Moment> moments_;
  uint64_t last_id_ = 0, running_ = 0;
  Moment wakes_at_ = Moment::min();  // when the thread looks next by itself; most limits are called off long before, and do not wake it
  bool hurry_ = false, ending_ = false;
  std::thread thread_;
};

/// Cuts what is going on at `when`, for as long as this exists.
class TimeLimit {
 public:
  TimeLimit(TimeLimits& limits, Moment when, std::function<void()> cut) : limits_(limits), id_(limits.at(when, std::move(cut))) {}
  ~TimeLimit() { limits_.call_off(id_); }
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

 private:
  TimeLimits& limits_;
  const uint64_t id_;
};

}  // namespace ldap
