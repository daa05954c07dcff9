#include "tools/script_files.h"

#include <fmt/format.h>

#include "base/text.h"
#include "tools/unified_diff.h"
#include "tools/version_diff.h"

namespace tools {
namespace {

template <typename Source>
ScriptFiles with_siblings(ScriptFiles script, Source source) {
  for (auto file : source.getSiblings()) script.files[file.getName().cStr()] = bytes_of(file.getSha256());
  return script;
}

std::string heading(const ScriptFiles& script, const std::string& file, const std::string& sha256) {
  return fmt::format("{} {} sha256 {}", base::printable(script.name), base::printable(file.empty() ? script.path : file),
                     sha256.empty() ? "none" : base::hex(sha256));
}

base::Result<std::string> text_or_none(Client& client, const std::string& sha256) {
  if (sha256.empty()) return std::string();
  return blob(client, sha256);
}

}  // namespace

ScriptFiles script_files(std::string name, schema::JobQueued::Reader queued) {
  return with_siblings({std::move(name), std::string(text_of(queued.getScriptPath())), {{"", std::string(bytes_of(queued.getScriptSha256()))}}}, queued);
}

ScriptFiles script_files(std::string name, schema::ScriptRegistered::Reader registered) {
  return with_siblings({std::move(name), std::string(text_of(registered.getPath())), {{"", std::string(bytes_of(registered.getSha256()))}}}, registered);
}

base::Result<std::vector<ScriptDifference>> script_differences(Client& client, const ScriptFiles& a, const ScriptFiles& b, const std::string* only) {
  std::vector<ScriptDifference> found;
  for (const Difference& each : differences(a.files, b.files)) {
    if (only != nullptr && each.name != *only) continue;
    ScriptDifference difference{each.name, each.a.value_or(""), each.b.value_or(""), {}};
    base::Result<std::string> left = text_or_none(client, difference.a);
    if (!left.is_ok()) return left.status();
    base::Result<std::string> right = text_or_none(client, difference.b);
    if (!right.is_ok()) return right.status();
    difference.diff = unified_diff(*left, *right, heading(a, each.name, difference.a), heading(b, each.name, difference.b));
    found.push_back(std::move(difference));
  }
  return found;
}

}  // namespace tools
