#include "daemons/coordinator/output_path.h"

#include "base/experiment.h"

namespace daemons {
namespace {

constexpr size_t kLongestComponent = 64;

std::string path_component(std::string_view text) {
  std::string component;
  for (char c : text.substr(0, kLongestComponent)) {
    bool harmless = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
    component += harmless ? c : '_';
  }
  if (component.empty()) return "unknown";
  if (component.front() == '.') component.front() = '_';
  return component;
}

void replace_all(std::string& text, std::string_view field, std::string_view value) {
  for (size_t at = text.find(field); at != std::string::npos; at = text.find(field, at + value.size())) text.replace(at, field.size(), value);
}

}  // namespace

std::string output_directory(std::string_view pattern, const OutputFields& fields) {
  std::string path(pattern);
  replace_all(path, "{instrument}", path_component(fields.instrument));
  replace_all(path, "{experiment}", path_component(base::names_experiment(fields.experiment) ? fields.experiment : ""));
  replace_all(path, "{run}", path_component(fields.run));
  replace_all(path, "{stage}", path_component(fields.stage));
  return path;
}

}  // namespace daemons
