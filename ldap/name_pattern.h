// Names with a part that varies: "sns_{instrument}_team".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ldap {

/// A pattern for names: fixed text around at most two holes, each a word in braces. Pure values.
class NamePattern {
 public:
  /// kInvalidArgument: braces that do not pair, a hole without a word, two holes side by side, more than two, nothing fixed at all.
  static base::Result<NamePattern> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const std::vector<std::string>& holes() const { return holes_; }
  bool has(std::string_view hole) const;

  /// Upper and lower case of ASCII letters are the same, as they are to directories; a hole holds at least one byte.
  bool matches(std::string_view name) const;
  /// What stands in each hole, as `name` spells it. nullopt: no match, or more than one way to match.
  std::optional<std::vector<std::string>> captures(std::string_view name) const;
  /// A search filter that finds at least the names that match.
  std::string filter(std::string_view attribute) const;

 private:
  std::vector<std::vector<std::string>> ways(std::string_view name) const;

  std::string text_;
  std::vector<std::string> fixed_;  // one more than holes
  std::vector<std::string> holes_;
};

}  // namespace ldap
