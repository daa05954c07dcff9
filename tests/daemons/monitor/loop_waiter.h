// Waiting on a loop for something to have happened, without sleeping.
#pragma once

#include <kj/async.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "rpc/loop.h"

namespace tests {

/// Whoever observes calls happened(); until() then looks again.
class LoopWaiter {
 public:
  explicit LoopWaiter(rpc::Loop& loop) : loop_(loop) {}

  void happened() {
    auto waiting = std::move(waiting_);
    waiting_.clear();
    for (auto& fulfiller : waiting) fulfiller->fulfill();
  }
  /// Runs the loop until `condition` holds. Throws when it does not for a minute: then the test has failed.
  void until(std::function<bool()> condition) {
    auto late = loop_.timer().afterDelay(60 * kj::SECONDS).then([] { throw std::runtime_error("nothing of the kind happened"); });
    loop_.wait(follow(std::move(condition)).exclusiveJoin(kj::mv(late)));
  }
  /// Lets the loop run for a while, for what must not happen. Proves nothing when it is too short, and never fails a test by being so.
  void pass(int milliseconds) { loop_.wait(loop_.timer().afterDelay(milliseconds * kj::MILLISECONDS)); }

 private:
  kj::Promise<void> follow(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    auto pair = kj::newPromiseAndFulfiller<void>();
    waiting_.push_back(kj::mv(pair.fulfiller));
    return pair.promise.then([this, condition = std::move(condition)]() mutable { return follow(std::move(condition)); });
  }

  rpc::Loop& loop_;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
};

}  // namespace tests
