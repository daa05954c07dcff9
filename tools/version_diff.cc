#include "tools/version_diff.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/reduction_log.h"
#include "base/text.h"
#include "tools/words.h"

namespace tools {
namespace {

void add(Parts& parts, const std::string& name, std::string value) {
  std::string free = name;
  for (int number = 2; parts.contains(free); ++number) free = fmt::format("{} ({})", name, number);
  parts.emplace(std::move(free), std::move(value));
}

std::string bytes_text(uint64_t size_bytes, capnp::Data::Reader sha256) {
  return fmt::format("{} B, sha256 {}", size_bytes, sha256.size() == 0 ? "unknown" : base::hex(bytes_of(sha256)));
}

}  // namespace

std::vector<Difference> differences(const Parts& a, const Parts& b) {
  Parts names = a;
  names.insert(b.begin(), b.end());
  std::vector<Difference> found;
  for (const auto& [name, unused] : names) {
    const auto left = a.find(name), right = b.find(name);
    Difference difference{name, std::nullopt, std::nullopt};
    if (left != a.end()) difference.a = left->second;
    if (right != b.end()) difference.b = right->second;
    if (difference.a != difference.b) found.push_back(std::move(difference));
  }
  return found;
}

Parts variable_parts(const VersionDetail& detail) {
  Parts parts;
  for (auto variable : detail.variables.get().getVariables()) {
    add(parts, fmt::format("{}.{}", enum_word(variable.getGroup()), text_of(variable.getName())), std::string(text_of(variable.getValue())));
  }
  return parts;
}

Parts environment_parts(const VersionDetail& detail) {
  if (detail.job.getAttempts().size() == 0) return {};
  const auto environment = detail.environment.get();
  Parts parts = {{"host", environment.getHost().cStr()},
                 {"interpreter", environment.getInterpreterPath().cStr()},
                 {"interpreter version", environment.getInterpreterVersion().cStr()},
                 {"kernel", environment.getKernel().cStr()},
                 {"runledger", environment.getRunledgerVersion().cStr()},
                 {"working directory", environment.getWorkingDirectory().cStr()}};
  for (auto variable : environment.getVariables()) {
    const std::string_view text = text_of(variable);
    const size_t equals = std::min(text.find('='), text.size());
    add(parts, "$" + std::string(text.substr(0, equals)), std::string(text.substr(std::min(equals + 1, text.size()))));
  }
  return parts;
}

Parts input_parts(const VersionDetail& detail) {
  Parts parts;
  for (auto file : detail.job.getQueued().getInputs()) {
    const std::string_view path = text_of(file.getPath());
    add(parts, std::string(path.substr(path.rfind('/') + 1)), bytes_text(file.getSizeBytes(), file.getSha256()));
  }
  return parts;
}

Parts support_parts(const VersionDetail& detail) {
  Parts parts;
  for (auto file : detail.job.getQueued().getSupportFiles()) {
    add(parts, fmt::format("{}.{} {}", enum_word(file.getGroup()), text_of(file.getName()), text_of(file.getPath())), bytes_text(file.getSizeBytes(), file.getSha256()));
  }
  return parts;
}

Parts output_parts(const VersionDetail& detail) {
  Parts parts;
  for (auto file : detail.outputs.get().getFiles()) {
    if (base::is_reduction_log(text_of(file.getPath()))) continue;  // two executions never print quite the same
    add(parts, std::string(text_of(file.getPath())), bytes_text(file.getSizeBytes(), file.getSha256()));
  }
  return parts;
}

std::optional<int64_t> duration_ns(const VersionDetail& detail) {
  std::optional<int64_t> duration;
  for (auto attempt : detail.job.getAttempts()) {
    if (attempt.getFinishedAt() != 0) duration = attempt.getFinishedAt() - attempt.getStartedAt();
  }
  return duration;
}

}  // namespace tools
