#include "daemons/worker/stderr_rule.h"

#include <regex>
#include <string_view>

#include "base/text.h"

namespace daemons {
namespace {

constexpr std::string_view kBlank = " \t\r\n\f\v";
constexpr std::string_view kError = "Error: ";
constexpr size_t kLineBytes = 2000;  // of a line that is looked at: the library's matcher takes stack for each character

std::string_view trimmed(std::string_view text) {
  size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
}

/// The lines of a text that hold anything, the last line first.
std::vector<std::string_view> lines_from_last(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t begin = text.find_last_of("\r\n");
    std::string_view line = begin == text.npos ? text : text.substr(begin + 1);
    if (line = trimmed(line).substr(0, kLineBytes); !line.empty()) lines.push_back(line);
    text = begin == text.npos ? std::string_view() : text.substr(0, begin);
  }
  return lines;
}

/// Those that are expressions; the site file's are checked when it is read.
std::vector<std::regex> compiled(const std::vector<std::string>& patterns) {
  std::vector<std::regex> expressions;
  for (const std::string& pattern : patterns) {
    try {
      expressions.emplace_back(pattern);
    } catch (const std::regex_error&) {
    }
  }
  return expressions;
}

bool is_found(const std::regex& expression, std::string_view line) {
  try {
    return std::regex_search(line.begin(), line.end(), expression);
  } catch (const std::regex_error&) {
    return false;  // it is too costly for this line
  }
}

/// What follows the last "Error: ", else the last line.
std::string_view last_word(const std::vector<std::string_view>& lines) {
  for (std::string_view line : lines) {
    size_t at = line.rfind(kError);
    if (at == line.npos) continue;
    if (std::string_view said = trimmed(line.substr(at + kError.size())); !said.empty()) return said;
  }
  return lines.front();
}

}  // namespace

void apply_stderr_rule(AttemptVerdict& verdict, const std::string& errors, const std::vector<std::string>& allowed) {
  if (verdict.outcome != AttemptVerdict::Outcome::kSucceeded) return;
  std::vector<std::string_view> lines = lines_from_last(errors);
  if (lines.empty()) return;
  std::vector<std::regex> expressions = compiled(allowed);
  for (std::string_view line : lines) {
    for (const std::regex& expression : expressions) {
      if (!is_found(expression, line)) continue;
      verdict.message += (verdict.message.empty() ? "" : "; ") + base::to_utf8(line);
      return;
    }
  }
  int wait_status = verdict.wait_status;
  verdict = AttemptVerdict::failed(schema::FailureKind::SCRIPT_EXIT, base::to_utf8(last_word(lines)));
  verdict.wait_status = wait_status;
}

}  // namespace daemons
