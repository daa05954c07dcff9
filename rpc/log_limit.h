// Lines of the daemon log that strangers can cause. Internal to rpc/.
#pragma once

#include <kj/timer.h>

#include <cstdint>
#include <string_view>

namespace rpc {

/// A burst of lines, then a few a minute, so that whoever can cause lines cannot fill the disk or hide other lines among them.
///
/// Threads: loop thread. Borrows the timer.
class LogLimit {
 public:
  static constexpr int kBurst = 20;
  static constexpr kj::Duration kBetween = 10 * kj::SECONDS;

  explicit LogLimit(kj::Timer& timer) : timer_(timer), last_(timer.now()) {}
  /// A warning, if there is room for it; else it is counted.
  void warn(std::string_view line);
  /// Says how many lines were left out since the last time, if any were.
  void tell_left_out();

 private:
  kj::Timer& timer_;
  kj::TimePoint last_;
  int room_ = kBurst;
  uint64_t left_out_ = 0;
};

}  // namespace rpc
