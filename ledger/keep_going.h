// How a long look at the record is watched, and ended early.
#pragma once

#include <cstdint>
#include <functional>

namespace ledger {

/// Asked now and then, on the thread that looks, with how many runs were considered so far; false ends it. None: nobody asks.
using KeepGoing = std::function<bool(uint64_t considered)>;

/// Counts what is considered, and asks.
///
/// Owns:    nothing; borrows the question. Threads: one.
class Pace {
 public:
  explicit Pace(const KeepGoing& ask) : ask_(ask) {}
  /// One more. False: it is to end, with this one not looked at.
  bool step() {
    if (ask_ && considered_ % kStride == 0 && !ask_(considered_)) return false;
    ++considered_;
    return true;
  }
  uint64_t considered() const { return considered_; }

 private:
  static constexpr uint64_t kStride = 1024;
  const KeepGoing& ask_;
  uint64_t considered_ = 0;
};

}  // namespace ledger
