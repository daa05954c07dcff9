#include "tools/near_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace tools {
namespace {

constexpr size_t kMostSuggested = 3;
constexpr size_t kLongestWord = 64;

/// How many letters must be put in, left out, changed or exchanged with their neighbour to make `b` of `a`.
size_t slips_between(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::move(last);
    last = row;
  }
  return last.back();
}

}  // namespace

std::vector<std::string> near_words(std::string_view word, std::span<const std::string> known) {
  const std::string typed = base::ascii_lower(word);
  if (typed.empty() || typed.size() > kLongestWord) return {};
  const size_t most_slips = typed.size() < 3 ? 1 : 1 + typed.size() / 4;
  std::vector<std::pair<size_t, std::string>> found;
  for (const std::string& candidate : known) {
    std::string lower = base::ascii_lower(candidate);
    size_t slips = typed.size() >= 2 && lower.starts_with(typed) ? 1 : slips_between(typed, lower);
    if (slips <= most_slips && slips < lower.size()) found.emplace_back(slips, candidate);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> near;
  for (auto& [slips, candidate] : found) {
    if (near.size() < kMostSuggested) near.push_back(std::move(candidate));
  }
  return near;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  std::string text;
  for (const std::string& near : near_words(word, known)) text += (text.empty() ? "; did you mean " : " or ") + near;
  return text.empty() ? "" : text + "?";
}

}  // namespace tools
