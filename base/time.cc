#include "base/time.h"

#include <fmt/format.h>

#include <ctime>

namespace base {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t now_ns() const override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string iso_time(int64_t time_ns, bool zoned) {
  int64_t seconds = time_ns / 1'000'000'000, rest = time_ns % 1'000'000'000;
  if (rest < 0) {
    seconds -= 1;
    rest += 1'000'000'000;
  }
  time_t whole = seconds;
  tm parts{};
  gmtime_r(&whole, &parts);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                 parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (rest != 0) {
    text += fmt::format(".{:09}", rest);
    while (text.back() == '0') text.pop_back();
  }
  if (zoned) text += 'Z';
  return text;
}

}  // namespace base
