#include "tools/moment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "base/text.h"

namespace tools {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<uint64_t> whole_number(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Reads a text from its front.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Exactly so many digits, at most `most` as a number.
  std::optional<int> number(size_t digits, int most) {
    if (rest_.size() < digits || !std::all_of(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(digits), is_digit)) return std::nullopt;
    const int value = static_cast<int>(*whole_number(rest_.substr(0, digits)));
    if (value > most) return std::nullopt;
    rest_.remove_prefix(digits);
    return value;
  }
  /// Up to nine digits, as nanoseconds.
  std::optional<int64_t> fraction() {
    int64_t value = 0, unit = kSecond;
    for (; !rest_.empty() && is_digit(rest_.front()) && unit > 1; rest_.remove_prefix(1)) value += (rest_.front() - '0') * (unit /= 10);
    if (unit == kSecond || (!rest_.empty() && is_digit(rest_.front()))) return std::nullopt;
    return value;
  }

 private:
  std::string_view rest_;
};

std::optional<MomentName> parse_time(std::string_view text) {
  Reader in(text);
  const auto year = in.number(4, 2199);
  if (!year || *year < 1900 || !in.take('-')) return std::nullopt;
  const auto month = in.number(2, 12);
  if (!month || !in.take('-')) return std::nullopt;
  const auto day = in.number(2, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  MomentName moment;
  moment.zoned = false;
  moment.time_ns = std::chrono::sys_days(date).time_since_epoch().count() * 86400 * kSecond;
  if (in.at_end()) return moment;

  if (!in.take('T') && !in.take(' ')) return std::nullopt;
  const auto hour = in.number(2, 23);
  if (!hour || !in.take(':')) return std::nullopt;
  const auto minute = in.number(2, 59);
  if (!minute) return std::nullopt;
  moment.time_ns += (*hour * 3600 + *minute * 60) * kSecond;
  if (in.take(':')) {
    const auto second = in.number(2, 59);
    if (!second) return std::nullopt;
    moment.time_ns += *second * kSecond;
    if (in.take('.')) {
      const auto fraction = in.fraction();
      if (!fraction) return std::nullopt;
      moment.time_ns += *fraction;
    }
  }
  const bool east = in.take('+'), west = !east && in.take('-');
  if (east || west) {
    const auto hours = in.number(2, 14);
    if (!hours) return std::nullopt;
    in.take(':');
    const auto minutes = in.at_end() ? std::optional(0) : in.number(2, 59);
    if (!minutes) return std::nullopt;
    moment.time_ns -= (east ? 1 : -1) * (*hours * 3600 + *minutes * 60) * kSecond;
    moment.zoned = true;
  } else if (in.take('Z')) {
    moment.zoned = true;
  }
  return in.at_end() ? std::optional(moment) : std::nullopt;
}

/// The seconds in one "s", "m", "h", "d" or "w"; 0 = no unit.
int64_t seconds_in(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    case 'w': return 7 * 86400;
    default: return 0;
  }
}

}  // namespace

base::Result<MomentName> parse_moment(std::string_view text, int64_t now_ns) {
  if (const auto seq = whole_number(text)) {
    if (*seq > 0) return MomentName{*seq, 0, true};
    return base::Status(base::Code::kInvalidArgument, "'0': events are counted from 1");
  }
  if (text.size() > 2 && text.front() == '-') {
    const auto count = whole_number(text.substr(1, text.size() - 2));
    const int64_t unit = seconds_in(text.back());
    if (count && unit != 0 && *count <= static_cast<uint64_t>(now_ns / kSecond / unit)) {
      return MomentName{0, now_ns - static_cast<int64_t>(*count) * unit * kSecond, true};
    }
  } else if (const auto time = parse_time(text)) {
    return *time;
  }
  return base::Status(base::Code::kInvalidArgument,
                      fmt::format("'{}' is neither a time nor an event; write 2026-11-01T12:00:05Z, 2026-11-01 12:00+01:00, 2026-11-01, "
                                  "-2h (s, m, h, d, w) or the number of an event",
                                  base::printable(text)));
}

void write_moment(const MomentName& named, schema::Moment::Builder moment) {
  if (named.seq != 0) {
    moment.setSeq(named.seq);
  } else {
    moment.setTime(named.time_ns);
  }
}

}  // namespace tools
