#include "rpc/log_limit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace rpc {

void LogLimit::warn(std::string_view line) {
  const auto passed = static_cast<int64_t>((timer_.now() - last_) / kBetween);
  if (passed > 0) {
    last_ += passed * kBetween;
    room_ = static_cast<int>(std::min<int64_t>(kBurst, room_ + passed));
  }
  if (room_ == 0) {
    ++left_out_;
    return;
  }
  --room_;
  tell_left_out();
  spdlog::warn("{}", line);
}

void LogLimit::tell_left_out() {
  if (left_out_ > 0) spdlog::warn("{} warnings like those before were left out", std::exchange(left_out_, 0));
}

}  // namespace rpc
