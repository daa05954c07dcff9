#include "daemons/signs_of_life.h"

#include <algorithm>
#include <utility>

namespace daemons {
namespace {

constexpr auto kShortestPause = 50 * kj::MILLISECONDS;  // between two signs, however much changes

}  // namespace

SignsOfLife::SignsOfLife(rpc::Loop& loop, schema::DaemonPort::Client port, kj::Duration period, std::function<std::string()> detail,
                         std::function<void(Answer&)> answered)
    : loop_(loop), port_(kj::mv(port)), period_(period), detail_(std::move(detail)), answered_(std::move(answered)) {}

kj::Promise<void> SignsOfLife::run() {
  changed_ = false;
  told_ = detail_();
  auto request = port_.aliveRequest();
  request.setDetail(told_);
  return request.send()
      .then([this](Answer&& answer) {
        if (answered_) answered_(answer);
        auto due = loop_.timer().afterDelay(period_);
        auto change = loop_.timer().afterDelay(std::min(kShortestPause, period_)).then([this] { return wait_for_change(); });
        return due.exclusiveJoin(kj::mv(change));
      })
      .then([this] { return run(); });
}

kj::Promise<void> SignsOfLife::wait_for_change() {
  if (std::exchange(changed_, false) && detail_() != told_) return kj::READY_NOW;
  auto pair = kj::newPromiseAndFulfiller<void>();
  waiter_ = kj::mv(pair.fulfiller);
  return pair.promise.then([this] { return wait_for_change(); });
}

void SignsOfLife::changed() {
  changed_ = true;
  KJ_IF_MAYBE (waiter, waiter_) {
    auto woken = kj::mv(*waiter);
    waiter_ = nullptr;
    woken->fulfill();
  }
}

}  // namespace daemons
