#include "tools/run_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace tools {
namespace {

constexpr std::string_view kHowRuns = "write MARI 28001, MARI/28001/v2 or MARI 28001-28010,28020";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'A' && c <= 'Z'; }

base::Status wrong(std::string_view text, std::string_view cause) {
  return {base::Code::kInvalidArgument, fmt::format("'{}': {}; {}", base::printable(text), cause, kHowRuns)};
}

/// The words as one text, upper case, blanks only where they separate: "mari 28001 - 28010" -> "MARI 28001-28010".
std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    for (char c : base::ascii_upper(word)) {
      bool blank = c == ' ' || c == '\t';
      bool joins = c == ',' || c == '/' || c == '-';
      if (blank && (text.empty() || text.back() == ' ' || text.back() == ',' || text.back() == '/' || text.back() == '-')) continue;
      if (joins && !text.empty() && text.back() == ' ') text.pop_back();
      text += blank ? ' ' : c;
    }
    if (!text.empty() && text.back() != ' ' && text.back() != ',' && text.back() != '/' && text.back() != '-') text += ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

bool is_instrument_name(std::string_view text) {
  return !text.empty() && text.back() != '-' && std::any_of(text.begin(), text.end(), is_letter) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-';
  });
}

bool is_number_list(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '-' || c == ','; });
}

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Cuts "V2" (or " V2", "/V2") off the end of `text`. nullopt: there is one, but it is no version.
std::optional<uint16_t> take_version(std::string_view& text) {
  size_t at = text.find_last_of("/ ");
  if (at == std::string_view::npos || at + 1 >= text.size() || text[at + 1] != 'V') return 0;
  std::string_view digits = text.substr(at + 2);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return 0;  // an instrument such as VESUVIO
  std::optional<uint64_t> number = number_of(digits);
  if (!number || *number == 0 || *number > UINT16_MAX) return std::nullopt;
  text = text.substr(0, at);
  return static_cast<uint16_t>(*number);
}

struct Split {
  std::string_view instrument;
  std::string_view numbers;
};

/// "SANS2D22048" with the instruments there are; without them the digits at the end are the number.
Split split_word(std::string_view word, std::span<const std::string> known) {
  std::string_view longest;
  for (const std::string& name : known) {
    if (name.size() <= longest.size() || !word.starts_with(name)) continue;
    std::string_view rest = word.substr(name.size());
    if (rest.starts_with('_')) rest.remove_prefix(1);
    if (rest.empty() || (is_number_list(rest) && is_digit(rest.front()))) longest = word.substr(0, name.size());
  }
  size_t cut = longest.size();
  if (cut == 0) {
    cut = word.find_last_not_of("0123456789-,") + 1;
    while (cut < word.size() && !is_digit(word[cut])) ++cut;
  }
  Split split{word.substr(0, cut), word.substr(cut)};
  if (longest.empty() && !split.numbers.empty() && split.instrument.ends_with('_')) split.instrument.remove_suffix(1);
  if (!longest.empty() && split.numbers.starts_with('_')) split.numbers.remove_prefix(1);
  return split;
}

base::Result<std::vector<RunRange>> parse_numbers(std::string_view numbers, std::string_view whole) {
  std::vector<RunRange> ranges;
  for (size_t begin = 0; begin <= numbers.size();) {
    size_t end = std::min(numbers.find(',', begin), numbers.size());
    std::string_view part = numbers.substr(begin, end - begin);
    size_t dash = part.find('-');
    std::optional<uint64_t> first = number_of(part.substr(0, dash));
    std::optional<uint64_t> last = dash == std::string_view::npos ? first : number_of(part.substr(dash + 1));
    if (!first || !last) return wrong(whole, fmt::format("'{}' is no run number or range", base::printable(part)));
    if (*first == 0) return wrong(whole, "run numbers start at 1");
    if (*last < *first) return wrong(whole, fmt::format("the range {}-{} goes backwards", *first, *last));
    ranges.push_back({*first, *last});
    begin = end + 1;
  }
  std::sort(ranges.begin(), ranges.end(), [](const RunRange& a, const RunRange& b) { return a.first < b.first; });
  std::vector<RunRange> merged;
  for (const RunRange& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().last) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

}  // namespace

base::Result<RunSelection> parse_selection(std::span<const std::string> words, std::span<const std::string> known) {
  const std::string whole = joined(words);
  std::string_view text = whole;
  if (text.empty()) return wrong(whole, "no run is named");
  std::optional<uint16_t> version = take_version(text);
  if (!version) return wrong(whole, "versions are counted from v1 to v65535");

  Split split;
  if (size_t at = text.find_first_of("/ "); at != std::string_view::npos) {
    split = {text.substr(0, at), text.substr(at + 1)};
    if (split.numbers.empty()) return wrong(whole, "no run number");
  } else {
    split = split_word(text, known);
  }
  RunSelection selection;
  selection.version = *version;
  selection.instrument = split.instrument;
  if (!is_instrument_name(split.instrument)) return wrong(whole, "does not begin with an instrument");
  if (!split.numbers.empty()) {
    if (!is_number_list(split.numbers)) {
      return wrong(whole, fmt::format("'{}' is no run number", base::printable(split.numbers)));
    }
    base::Result<std::vector<RunRange>> ranges = parse_numbers(split.numbers, whole);
    if (!ranges.is_ok()) return ranges.status();
    selection.ranges = std::move(*ranges);
  }
  if (selection.version != 0 && !selection.is_one_run()) return wrong(whole, "a version belongs to one run");
  return selection;
}

base::Result<RunName> parse_run(std::span<const std::string> words, std::span<const std::string> known) {
  base::Result<RunSelection> selection = parse_selection(words, known);
  if (!selection.is_ok()) return selection.status();
  if (selection->ranges.empty()) return wrong(joined(words), "no run number");
  if (!selection->is_one_run()) return wrong(joined(words), "one run is asked for here, not several");
  return RunName{selection->instrument, selection->ranges[0].first, selection->version};
}

std::string run_text(std::string_view instrument, uint64_t run_number, uint16_t version) {
  std::string text = fmt::format("{} {}", instrument, run_number);
  if (version != 0) text += fmt::format(" v{}", version);
  return text;
}

std::string run_ranges_text(std::span<const RunRange> ranges) {
  std::string text;
  for (const RunRange& range : ranges) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", range.first);
    if (range.last != range.first) text += fmt::format("-{}", range.last);
  }
  return text;
}

std::string run_ranges_text(std::vector<uint64_t> runs) {
  std::sort(runs.begin(), runs.end());
  runs.erase(std::unique(runs.begin(), runs.end()), runs.end());
  std::vector<RunRange> ranges;
  for (const uint64_t run : runs) {
    if (!ranges.empty() && ranges.back().last + 1 == run) {
      ranges.back().last = run;
    } else {
      ranges.push_back({run, run});
    }
  }
  return run_ranges_text(std::span<const RunRange>(ranges));
}

}  // namespace tools
