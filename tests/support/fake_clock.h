// A clock a test holds in its hand.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

namespace support {

class FakeClock final : public base::Clock {
 public:
  static constexpr int64_t kSecond = 1'000'000'000, kDay = 86'400 * kSecond;
  /// 2026-11-01T12:00:00Z
  explicit FakeClock(int64_t start_ns = 1'793'534'400 * kSecond) : now_ns_(start_ns) {}
  int64_t now_ns() const override { return now_ns_; }
  void advance(int64_t by_ns) { now_ns_ += by_ns; }

 private:
  std::atomic<int64_t> now_ns_;
};

}  // namespace support
