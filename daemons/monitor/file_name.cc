#include "daemons/monitor/file_name.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.h"

namespace daemons {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool ends_with(std::string_view name, std::string_view ending) {
  return name.size() >= ending.size() && base::ascii_lower(name.substr(name.size() - ending.size())) == ending;
}

/// rsync writes ".NAME.XXXXXX" (hidden, so refused with those); with --temp-dir or -s it may lack the dot but keeps six random letters.
bool is_transfer_name(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kEndings = {"~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return ends_with(name, ending); });
}

/// Length of the data extension at the end of `name`, 0 if there is none.
size_t extension_length(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kExtensions = {".nxs", ".nexus", ".hdf5",  ".hdf", ".h5",
                                                                  ".nx5", ".nx",    ".nxspe", ".raw", ".hdf4"};
  for (std::string_view extension : kExtensions) {
    if (ends_with(name, extension)) return extension.size();
  }
  // Save files of a run in progress: .s01 to .s99.
  if (name.size() > 4 && ends_with(name.substr(0, name.size() - 2), ".s") && is_digit(name[name.size() - 2]) && is_digit(name.back())) {
    return 4;
  }
  return 0;
}

std::optional<uint64_t> to_number(std::string_view digits) {
  while (!digits.empty() && digits.front() == '0') digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 18 || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  uint64_t number = 0;
  for (char c : digits) number = number * 10 + static_cast<uint64_t>(c - '0');
  if (number > kLargestRunNumber) return std::nullopt;
  return number;
}

std::string_view last_digits(std::string_view stem) {
  size_t end = stem.size();
  while (end > 0 && !is_digit(stem[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && is_digit(stem[begin - 1])) --begin;
  return stem.substr(begin, end - begin);
}

}  // namespace

bool NameFilter::accepts(std::string_view name) const {
  if (name.empty() || name.front() == '.' || is_transfer_name(name)) return false;
  std::string text(name);
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return fnmatch(pattern.c_str(), text.c_str(), FNM_CASEFOLD) == 0; });
}

struct RunNumberRule::Expression {
  std::regex regex;
};

RunNumberRule::RunNumberRule() = default;

base::Result<RunNumberRule> RunNumberRule::make(const std::string& pattern) {
  RunNumberRule rule;
  if (pattern.empty()) return rule;
  try {
    auto expression = std::make_shared<Expression>();
    expression->regex = std::regex(pattern);
    if (expression->regex.mark_count() != 1) {
      return base::Status(base::Code::kInvalidArgument,
                          fmt::format("run number pattern \"{}\" has {} groups; write it with one group around the digits", pattern,
                                      expression->regex.mark_count()));
    }
    rule.expression_ = std::move(expression);
    return rule;
  } catch (const std::regex_error& error) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("run number pattern \"{}\" is not a regular expression: {}; correct it in the site file", pattern,
                                    error.what()));
  }
}

std::optional<uint64_t> RunNumberRule::number_in(std::string_view name) const {
  if (!expression_) return to_number(last_digits(run_stem(name)));
  try {
    std::match_results<std::string_view::const_iterator> match;
    if (!std::regex_search(name.begin(), name.end(), match, expression_->regex)) return std::nullopt;
    return to_number(match[1].str());
  } catch (const std::regex_error&) {
    return std::nullopt;  // the expression is too costly for this name
  }
}

std::string_view run_stem(std::string_view name) {
  std::string_view stem = name;
  while (size_t length = extension_length(stem)) {
    if (length == stem.size()) break;
    stem.remove_suffix(length);
  }
  for (std::string_view suffix : {"_event", "_events", "_histo", "_histogram"}) {
    if (ends_with(stem, suffix) && stem.size() > suffix.size()) {
      stem.remove_suffix(suffix.size());
      break;
    }
  }
  return stem;
}

bool same_instrument_name(std::string_view one, std::string_view other) {
  auto core = [](std::string_view name) {
    std::string letters;
    std::copy_if(name.begin(), name.end(), std::back_inserter(letters), is_letter_or_digit);
    return base::ascii_upper(letters);
  };
  return core(one) == core(other);
}

}  // namespace daemons
