#include "daemons/worker/support_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "base/json_text.h"
#include "base/text.h"
#include "daemons/worker/file_bytes.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr size_t kUrlTextBytes = 1u << 20;  // of what a url gave, for the script's variable

/// The last part of a path or url, without what a url asks of its server.
std::string file_name(std::string path) {
  if (path.find("://") != path.npos) path = path.substr(0, path.find_first_of("?#"));
  std::string name = fs::path(path).filename();
  return is_plain_name(name) ? name : "file";
}

/// Whether a value, which may be a path below the script's folder, names the file.
bool names(const std::string& value, const PlannedSupportFile& file, const AttemptPlan& plan) {
  if (value.empty()) return false;
  if (value == file.path) return true;
  return (fs::path(plan.script_path).parent_path() / value).lexically_normal() == fs::path(file.path).lexically_normal();
}

Json with_content(Json value, const PlannedSupportFile& file, const std::string& place) {
  std::optional<std::string> text;
  if (file.size_bytes <= kUrlTextBytes) text = read_small_file(place, kUrlTextBytes);
  value["value"] = text && base::is_utf8(*text) ? Json(*text) : Json();
  value["path"] = place;
  return value;
}

}  // namespace

std::string support_file_place(const std::string& folder, const AttemptPlan& plan, size_t index) {
  const PlannedSupportFile& file = plan.support_files[index];
  if (!file.kept) return path_bytes(file.path);
  return fmt::format("{}/{}/{}", folder, index, file_name(file.path));
}

std::string value_with_places(const std::string& json, schema::Variable::Group group, const std::string& name, const std::string& folder,
                              const AttemptPlan& plan) {
  std::vector<size_t> own;
  for (size_t i = 0; i < plan.support_files.size(); ++i) {
    if (plan.support_files[i].group == group && plan.support_files[i].name == name) own.push_back(i);
  }
  if (own.empty()) return json;
  Json value = Json::parse(json, nullptr, false);
  auto put_place = [&](Json& text) {
    if (!text.is_string()) return;
    for (size_t index : own) {
      const PlannedSupportFile& file = plan.support_files[index];
      if (!file.kept || !names(text.get<std::string>(), file, plan)) continue;
      text = support_file_place(folder, plan, index);
      return;
    }
  };
  if (value.is_object() && value.contains("url")) {
    value = with_content(std::move(value), plan.support_files[own.front()], support_file_place(folder, plan, own.front()));
  } else if (value.is_array()) {
    for (Json& entry : value) put_place(entry);
  } else if (value.is_string()) {
    put_place(value);
  } else {
    return json;
  }
  return base::json_text(std::move(value), -1);
}

Status lay_out_support_file(const std::string& folder, const AttemptPlan& plan, size_t index, const std::string& bytes) {
  std::string place = support_file_place(folder, plan, index);
  std::error_code error;
  fs::create_directories(fs::path(place).parent_path(), error);
  if (error) return {Code::kUnavailable, fmt::format("{}: its folder cannot be made: {}", base::to_utf8(place), error.message())};
  return write_file(place, bytes);
}

}  // namespace daemons
