#include "daemons/ledgerd/clock_watch.h"

#include <spdlog/spdlog.h>

namespace daemons {
namespace {

constexpr kj::Duration kBetweenLooks = 10 * kj::SECONDS;

}  // namespace

std::string ClockWatch::look() {
  std::string problem = service_.clock_problem();
  if (problem.empty() != behind_) return {};
  behind_ = !behind_;
  return behind_ ? problem : "the clock has caught up with the log's last event: events have its time again";
}

kj::Promise<void> ClockWatch::run(kj::Timer& timer) {
  if (const std::string said = look(); !said.empty()) spdlog::warn("{}", said);
  return timer.afterDelay(kBetweenLooks).then([this, &timer] { return run(timer); });
}

}  // namespace daemons
