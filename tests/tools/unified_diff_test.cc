#include "tools/unified_diff.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <vector>

namespace tools {
namespace {

/// Applies a diff without looking at context, so that a wrong diff gives a wrong text.
std::string patched(const std::string& old_text, const std::string& diff) {
  std::vector<std::string> old_lines;
  std::string line, result;
  for (std::istringstream in(old_text); std::getline(in, line);) old_lines.push_back(line);
  size_t next = 0;
  std::istringstream in(diff);
  std::getline(in, line);
  std::getline(in, line);
  while (std::getline(in, line)) {
    if (line.starts_with("@@")) {
      size_t first = std::stoul(line.substr(4));
      bool empty = line.find(",0 +") != std::string::npos;
      for (size_t upto = empty ? first : first - 1; next < upto; ++next) result += old_lines[next] + '\n';
    } else if (line[0] == '+') {
      result += line.substr(1) + '\n';
    } else {
      EXPECT_EQ(line.substr(1), old_lines.at(next));
      if (line[0] == ' ') result += old_lines[next] + '\n';
      ++next;
    }
  }
  for (; next < old_lines.size(); ++next) result += old_lines[next] + '\n';
  return result;
}

TEST(UnifiedDiffTest, EqualTextsHaveNoDifference) { EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n", "x", "y"), ""); }

TEST(UnifiedDiffTest, OneChangedLineIsShownWithThreeLinesAround) {
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "v1", "v2"),
            "--- v1\n+++ v2\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(UnifiedDiffTest, MissingLastNewlineIsSaid) {
  EXPECT_EQ(unified_diff("a\n", "a", "x", "y"), "--- x\n+++ y\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n");
}

TEST(UnifiedDiffTest, EmptyTextGivesOnlyAdditions) {
  EXPECT_EQ(unified_diff("", "a\nb\n", "x", "y"), "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
}

TEST(UnifiedDiffTest, DiffOfRandomTextsTurnsOneIntoTheOther) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    auto text = [&](size_t lines) {
      std::string made;
      for (size_t i = 0; i < lines; ++i) made += std::string(1, static_cast<char>('a' + random() % 4)) + '\n';
      return made;
    };
    std::string a = text(random() % 30), b = text(random() % 30);
    if (a == b) continue;
    EXPECT_EQ(patched(a, unified_diff(a, b, "a", "b")), b) << "round " << round;
  }
}

TEST(UnifiedDiffTest, TextsBeyondTheEffortBoundAreReplacedAsAWhole) {
  std::string a, b;
  for (int i = 0; i < 3000; ++i) {
    a += "old " + std::to_string(i) + '\n';
    b += "new " + std::to_string(i) + '\n';
  }
  EXPECT_EQ(patched(a, unified_diff(a, b, "a", "b")), b);
}

}  // namespace
}  // namespace tools
