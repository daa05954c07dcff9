#include "nexus/times.h"

#include <array>
#include <chrono>

#include "base/text.h"

namespace nexus {
namespace {

/// Takes a text apart from the left.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_any(std::string_view set) { return !rest_.empty() && set.find(rest_.front()) != set.npos && take(rest_.front()); }
  bool take_word(std::string_view word) {
    if (base::ascii_lower(rest_.substr(0, word.size())) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void skip_blanks() {
    while (take(' ')) {
    }
  }
  /// Between `least` and `most` decimal digits.
  std::optional<int> number(size_t least, size_t most) {
    size_t count = digits(most);
    if (count < least) return std::nullopt;
    int value = 0;
    for (char c : rest_.substr(0, count)) value = value * 10 + (c - '0');
    rest_.remove_prefix(count);
    return value;
  }
  /// Digits after a decimal point as nanoseconds; digits beyond the ninth are dropped.
  std::optional<int64_t> fraction_ns() {
    size_t count = digits(rest_.size());
    if (count == 0) return std::nullopt;
    int64_t value = 0;
    for (size_t i = 0; i < 9; ++i) value = value * 10 + (i < count ? rest_[i] - '0' : 0);
    rest_.remove_prefix(count);
    return value;
  }
  size_t digits(size_t most) const {
    size_t count = 0;
    while (count < most && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') ++count;
    return count;
  }

 private:
  std::string_view rest_;
};

struct Date {
  int year = 0, month = 0, day = 0;
};

std::optional<int> month_named(Scanner& scanner) {
  static constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                               "jul", "aug", "sep", "oct", "nov", "dec"};
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (scanner.take_word(kMonths[i])) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

std::optional<Date> year_first(Scanner& scanner) {
  auto year = scanner.number(4, 4);
  if (!year || !scanner.take('-')) return std::nullopt;
  auto month = scanner.number(2, 2);
  if (!month || !scanner.take('-')) return std::nullopt;
  auto day = scanner.number(2, 2);
  if (!day) return std::nullopt;
  return Date{*year, *month, *day};
}

std::optional<Date> day_first(Scanner& scanner) {
  auto day = scanner.number(1, 2);
  if (!day || !scanner.take('-')) return std::nullopt;
  auto month = month_named(scanner);
  if (!month || !scanner.take('-')) return std::nullopt;
  size_t year_digits = scanner.digits(4);
  auto year = scanner.number(2, 4);
  if (!year || year_digits == 3) return std::nullopt;
  if (year_digits == 2) *year += *year < 70 ? 2000 : 1900;
  return Date{*year, *month, *day};
}

/// Seconds east of UTC; nullopt in the outer optional = not a zone.
std::optional<int> zone_seconds(Scanner& scanner) {
  if (scanner.take('Z') || scanner.take('z') || scanner.take_word("utc") || scanner.take_word("gmt")) return 0;
  bool west = scanner.take('-');
  if (!west && !scanner.take('+')) return std::nullopt;
  auto hours = scanner.number(2, 2);
  if (!hours || *hours > 14) return std::nullopt;
  int minutes = 0;
  bool colon = scanner.take(':');
  if (colon || scanner.digits(2) > 0) {
    auto given = scanner.number(2, 2);
    if (!given || *given > 59) return std::nullopt;
    minutes = *given;
  }
  int seconds = *hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

}  // namespace

std::optional<FileTime> parse_time(std::string_view text) {
  Scanner scanner(text);
  auto date = scanner.digits(4) == 4 ? year_first(scanner) : day_first(scanner);
  if (!date || date->year < 1900 || date->year > 2200) return std::nullopt;
  std::chrono::year_month_day day{std::chrono::year(date->year), std::chrono::month(static_cast<unsigned>(date->month)),
                                  std::chrono::day(static_cast<unsigned>(date->day))};
  if (!day.ok() || !scanner.take_any("Tt ")) return std::nullopt;
  scanner.skip_blanks();

  auto hour = scanner.number(2, 2);
  if (!hour || *hour > 23 || !scanner.take(':')) return std::nullopt;
  auto minute = scanner.number(2, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  int64_t fraction_ns = 0;
  if (scanner.take(':')) {
    auto given = scanner.number(2, 2);
    if (!given || *given > 60) return std::nullopt;  // 60: a leap second
    second = *given;
    if (scanner.take_any(".,")) {
      auto digits = scanner.fraction_ns();
      if (!digits) return std::nullopt;
      fraction_ns = *digits;
    }
  }

  FileTime time;
  int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  int64_t seconds = days * 86'400 + *hour * 3'600 + *minute * 60 + second;
  scanner.skip_blanks();
  if (!scanner.at_end()) {
    auto east = zone_seconds(scanner);
    if (!east || !scanner.at_end()) return std::nullopt;
    seconds -= *east;
    time.zoned = true;
  }
  time.time_ns = seconds * 1'000'000'000 + fraction_ns;
  return time;
}

}  // namespace nexus
