#include "ldap/name_pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ldap/escape.h"

namespace ldap {

base::Result<NamePattern> NamePattern::parse(std::string_view text) {
  auto refusal = [text](std::string_view why) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("pattern \"{}\": {}; write it like sns_{{instrument}}_team", base::printable(base::to_utf8(text, 200)), why));
  };
  NamePattern pattern;
  pattern.text_ = text;
  for (std::string_view rest = text;;) {
    size_t brace = rest.find_first_of("{}");
    pattern.fixed_.emplace_back(rest.substr(0, brace));
    if (brace == std::string_view::npos) break;
    size_t end = rest.find_first_of("{}", brace + 1);
    if (rest[brace] == '}' || end == std::string_view::npos || rest[end] == '{') return refusal("a brace has no partner");
    if (end == brace + 1) return refusal("nothing stands between two braces");
    pattern.holes_.emplace_back(rest.substr(brace + 1, end - brace - 1));
    rest.remove_prefix(end + 1);
  }
  if (pattern.holes_.size() > 2) return refusal("more than two parts vary");
  if (pattern.holes_.size() == 2 && pattern.fixed_[1].empty()) return refusal("nothing stands between the parts that vary");
  if (std::all_of(pattern.fixed_.begin(), pattern.fixed_.end(), [](const std::string& part) { return part.empty(); })) {
    return refusal(text.empty() ? "it is empty" : "every name would match");
  }
  return pattern;
}

bool NamePattern::has(std::string_view hole) const { return std::find(holes_.begin(), holes_.end(), hole) != holes_.end(); }

std::vector<std::vector<std::string>> NamePattern::ways(std::string_view name) const {
  std::string folded = base::ascii_lower(name);
  std::string front = base::ascii_lower(fixed_.front()), back = base::ascii_lower(fixed_.back());
  if (holes_.empty()) {
    if (folded != front) return {};
    return {{}};
  }
  if (folded.size() < front.size() + back.size() + 1 || !folded.starts_with(front) || !folded.ends_with(back)) return {};
  std::string_view inside = name.substr(front.size(), name.size() - front.size() - back.size());
  if (holes_.size() == 1) return {{std::string(inside)}};
  std::vector<std::vector<std::string>> found;
  std::string folded_inside = base::ascii_lower(inside), middle = base::ascii_lower(fixed_[1]);
  for (size_t at = folded_inside.find(middle, 1); at != std::string::npos; at = folded_inside.find(middle, at + 1)) {
    if (at + middle.size() < inside.size()) found.push_back({std::string(inside.substr(0, at)), std::string(inside.substr(at + middle.size()))});
  }
  return found;
}

bool NamePattern::matches(std::string_view name) const { return !ways(name).empty(); }

std::optional<std::vector<std::string>> NamePattern::captures(std::string_view name) const {
  std::vector<std::vector<std::string>> found = ways(name);
  if (found.size() != 1) return std::nullopt;
  return std::move(found.front());
}

std::string NamePattern::filter(std::string_view attribute) const {
  std::string value = filter_value(fixed_.front());
  for (size_t i = 1; i < fixed_.size(); ++i) value += "*" + filter_value(fixed_[i]);
  return fmt::format("({}={})", attribute, value);
}

}  // namespace ldap
