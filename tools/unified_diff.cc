#include "tools/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tools {
namespace {

constexpr size_t kContextLines = 3;
constexpr int64_t kMostEdits = 2000;  // bounds the trace to some 16 MB

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

enum class Kind : char { kSame = ' ', kOld = '-', kNew = '+' };
struct Edit {
  Kind kind;
  size_t old_line, new_line;  // where it stands in each text
};
using Lines = std::vector<std::string_view>;

/// Shortest edit script by Myers' greedy algorithm (E. Myers, Algorithmica 1, 1986), found forwards, read backwards.
std::vector<Edit> edits_between(const Lines& a, const Lines& b) {
  const int64_t n = static_cast<int64_t>(a.size()), m = static_cast<int64_t>(b.size());
  const int64_t limit = std::min(n + m, kMostEdits);
  std::vector<int64_t> furthest(2 * limit + 3, 0);  // by diagonal k = x - y, shifted by limit + 1
  auto at = [&](int64_t k) -> int64_t& { return furthest[k + limit + 1]; };
  std::vector<std::vector<int64_t>> trace;  // per step d: furthest x of diagonals -d..d as they were before it
  int64_t steps = -1;
  for (int64_t d = 0; d <= limit && steps < 0; ++d) {
    trace.emplace_back(furthest.begin() + (limit + 1 - d - 1), furthest.begin() + (limit + 1 + d + 2));
    for (int64_t k = -d; k <= d; k += 2) {
      int64_t x = k == -d || (k != d && at(k - 1) < at(k + 1)) ? at(k + 1) : at(k - 1) + 1;
      while (x < n && x - k < m && a[x] == b[x - k]) ++x;
      at(k) = x;
      if (x >= n && x - k >= m) {
        steps = d;
        break;
      }
    }
  }

  std::vector<Edit> edits;
  if (steps < 0) {
    for (int64_t x = 0; x < n; ++x) edits.push_back({Kind::kOld, static_cast<size_t>(x), 0});
    for (int64_t y = 0; y < m; ++y) edits.push_back({Kind::kNew, a.size(), static_cast<size_t>(y)});
    return edits;
  }
  int64_t x = n, y = m;
  for (int64_t d = steps; d >= 0; --d) {
    auto before = [&](int64_t k) { return trace[d][k + d + 1]; };
    int64_t k = x - y;
    int64_t from = k == -d || (k != d && before(k - 1) < before(k + 1)) ? k + 1 : k - 1;
    int64_t from_x = d == 0 ? 0 : before(from), from_y = d == 0 ? 0 : from_x - from;
    while (x > from_x && y > from_y) {
      --x, --y;
      edits.push_back({Kind::kSame, static_cast<size_t>(x), static_cast<size_t>(y)});
    }
    if (d == 0) break;
    edits.push_back({from == k + 1 ? Kind::kNew : Kind::kOld, static_cast<size_t>(from_x), static_cast<size_t>(from_y)});
    x = from_x, y = from_y;
  }
  std::reverse(edits.begin(), edits.end());
  return edits;
}

std::string range_text(size_t first, size_t count) {
  return count == 1 ? fmt::format("{}", first + 1) : fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

}  // namespace

std::string unified_diff(std::string_view old_text, std::string_view new_text, std::string_view old_name, std::string_view new_name) {
  if (old_text == new_text) return "";
  // Equal lines at both ends are set aside first, so that the effort bound is spent on what differs.
  Lines a = lines_of(old_text), b = lines_of(new_text);
  size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  std::vector<Edit> edits;
  for (size_t i = 0; i < head; ++i) edits.push_back({Kind::kSame, i, i});
  for (Edit edit : edits_between(Lines(a.begin() + head, a.end() - tail), Lines(b.begin() + head, b.end() - tail))) {
    edits.push_back({edit.kind, edit.old_line + head, edit.new_line + head});
  }
  for (size_t i = tail; i > 0; --i) edits.push_back({Kind::kSame, a.size() - i, b.size() - i});

  std::string text = fmt::format("--- {}\n+++ {}\n", old_name, new_name);
  for (size_t begin = 0; begin < edits.size();) {
    if (edits[begin].kind == Kind::kSame) {
      ++begin;
      continue;
    }
    size_t end = begin, same = 0;  // one hunk: changes at most twice the context apart
    for (size_t i = begin; i < edits.size() && same <= 2 * kContextLines; ++i) {
      same = edits[i].kind == Kind::kSame ? same + 1 : 0;
      if (same == 0) end = i + 1;
    }
    size_t first = begin - std::min(begin, kContextLines), last = std::min(edits.size(), end + kContextLines);
    size_t old_count = 0, new_count = 0;
    std::string body;
    for (size_t i = first; i < last; ++i) {
      const Edit& edit = edits[i];
      old_count += edit.kind != Kind::kNew;
      new_count += edit.kind != Kind::kOld;
      std::string_view line = edit.kind == Kind::kNew ? b[edit.new_line] : a[edit.old_line];
      body += static_cast<char>(edit.kind);
      body += line;
      if (!line.ends_with('\n')) body += "\n\\ No newline at end of file\n";
    }
    text += fmt::format("@@ -{} +{} @@\n{}", range_text(edits[first].old_line, old_count), range_text(edits[first].new_line, new_count), body);
    begin = last;
  }
  return text;
}

}  // namespace tools
