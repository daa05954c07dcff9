#include "daemons/worker/script_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/text.h"

namespace daemons {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDeclared = 50'000;  // as many as an output may hold
constexpr size_t kMaxExtraDirectories = 20;
constexpr size_t kMaxTouched = 1000;
constexpr size_t kMaxRemarks = 100;
constexpr size_t kPathBytes = 4096;
constexpr size_t kRemarkBytes = 1000;

bool is_path(const Json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return !text.empty() && text.size() <= kPathBytes && text.find('\0') == text.npos;
}

bool is_absolute(const Json& value) { return is_path(value) && value.get_ref<const std::string&>().front() == '/'; }

bool is_text(const Json& value) { return value.is_string(); }

bool is_touched(const Json& value) {
  if (!value.is_object() || !value.contains("path") || !is_absolute(value["path"])) return false;
  auto before = value.find("before");
  if (before == value.end() || before->is_null()) return true;
  return before->is_array() && before->size() == 2 && (*before)[0].is_number_unsigned() && (*before)[1].is_number_integer();
}

/// The entries of a list in the result that are as agreed on, at most `limit`; one remark for the others.
class Fields {
 public:
  Fields(const Json& result, std::vector<std::string>& remarks) : result_(result), remarks_(remarks) {}

  template <typename Fits, typename Take>
  void each(const char* name, size_t limit, Fits fits, Take take) {
    auto found = result_.find(name);
    if (found == result_.end() || found->is_null()) return;
    if (!found->is_array()) return pass_over(name, 1);
    size_t taken = 0, odd = 0;
    for (const Json& entry : *found) {
      if (taken == limit || !fits(entry)) {
        ++odd;
        continue;
      }
      take(entry);
      ++taken;
    }
    pass_over(name, odd);
  }

 private:
  void pass_over(const char* name, size_t count) {
    if (count == 0) return;
    remarks_.push_back(fmt::format("the result file's \"{}\" holds {} that could not be taken", name, base::counted(count, "value")));
  }

  const Json& result_;
  std::vector<std::string>& remarks_;
};

TouchedFile touched_file(const Json& entry) {
  TouchedFile file{entry["path"].get<std::string>(), false, 0, 0};
  auto before = entry.find("before");
  if (before == entry.end() || before->is_null()) return file;
  file.existed = true;
  file.size_bytes = (*before)[0].get<uint64_t>();
  file.modified_ns = (*before)[1].get<int64_t>();
  return file;
}

}  // namespace

ScriptReport script_report(const std::optional<std::string>& result) {
  ScriptReport report;
  Json parsed = result ? Json::parse(*result, nullptr, false) : Json();
  if (!parsed.is_object()) return report;
  Fields fields(parsed, report.remarks);
  std::vector<std::string> said;
  fields.each("remarks", kMaxRemarks, is_text, [&](const Json& text) { said.push_back(base::to_utf8(text.get<std::string>(), kRemarkBytes)); });
  fields.each("declared", kMaxDeclared, is_path, [&](const Json& path) { report.declared.push_back(path.get<std::string>()); });
  fields.each("extra_directories", kMaxExtraDirectories, is_absolute,
              [&](const Json& path) { report.extra_directories.push_back(path.get<std::string>()); });
  fields.each("touched", kMaxTouched, is_touched, [&](const Json& entry) { report.touched.push_back(touched_file(entry)); });
  report.remarks.insert(report.remarks.begin(), said.begin(), said.end());
  auto more = parsed.find("touched_more");
  if (more != parsed.end() && more->is_number_unsigned() && *more > 0) {
    report.remarks.push_back(fmt::format("the script touched {} more elsewhere than are listed",
                                         base::counted(more->get<uint64_t>(), "file")));
  }
  return report;
}

}  // namespace daemons
