#include <charconv>

#include "site/site.h"

namespace site {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

template <size_t N>
std::optional<uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N]) {
  uint64_t number = 0;
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit(rest, text.data() + text.size() - rest);
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  for (const Unit& known : units) {
    uint64_t product = 0;
    if (unit == known.name) {
      if (__builtin_mul_overflow(number, known.factor, &product)) return std::nullopt;
      return product;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> parse_duration_ms(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"y", 365 * uint64_t{86'400'000}}};
  return parse_with_unit(text, kUnits);
}

std::optional<uint64_t> parse_size_bytes(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1},           {"B", 1},           {"kB", 1'000},         {"MB", 1'000'000},
                                    {"GB", 1'000'000'000}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30},
                                    {"TiB", uint64_t{1} << 40}};
  return parse_with_unit(text, kUnits);
}

}  // namespace site
