#include "ledger/decide/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/experiment.h"
#include "base/text.h"

namespace ledger {
namespace {

using base::Status;
using Json = nlohmann::json;

bool all_of(std::string_view text, std::string_view extra, bool upper, bool lower) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z') || (lower && c >= 'a' && c <= 'z') ||
           extra.find(c) != std::string_view::npos;
  });
}

/// Brackets open at once, outside of texts; counted before parsing so that nesting costs nobody a stack.
int json_depth(std::string_view json) {
  int depth = 0, deepest = 0;
  bool in_text = false;
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::optional<Json> parse_json(std::string_view text) {
  if (json_depth(text) > kMaxJsonDepth) return std::nullopt;
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

std::string_view type_words(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return "true or false";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned: return "a whole number";
    case Json::value_t::number_float: return "a number";
    case Json::value_t::string: return "a text";
    case Json::value_t::array: return "a list";
    default: return "an object";
  }
}

bool fits(const Json& value, const Json& standard) {
  if (value.is_null() || standard.is_null()) return true;
  if (standard.is_object() && standard.contains("python")) return true;
  if (standard.is_number_float()) return value.is_number();
  return type_words(value) == type_words(standard);
}

std::string known_names(schema::VariableSet::Reader known) {
  constexpr uint32_t kNamed = 30;
  std::string names;
  uint32_t count = 0;
  for (auto variable : known.getVariables()) {
    if (count++ == kNamed) break;
    names += (names.empty() ? "" : ", ") + quoted(variable.getName());
  }
  if (known.getVariables().size() > kNamed) names += fmt::format(" and {} more", known.getVariables().size() - kNamed);
  return names.empty() ? "none at all" : names;
}

}  // namespace

std::string quoted(std::string_view text, size_t limit) { return base::printable(base::to_utf8(text, limit)); }

std::string run_words(schema::RunKey::Reader run) {
  return fmt::format("{} {}", quoted(view(run.getInstrument()), 40), run.getRunNumber());
}

Status check_instrument_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxInstrumentNameBytes && all_of(name, "_-", true, false)) return Status::ok();
  return invalid(
      fmt::format("'{}' is no instrument name: 1 to {} of A-Z, 0-9, _ and -", quoted(name, 64), kMaxInstrumentNameBytes));
}

Status check_worker_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxWorkerNameBytes && all_of(name, "._:@/-", true, true)) return Status::ok();
  return invalid(
      fmt::format("'{}' is no worker name: 1 to {} of A-Z, a-z, 0-9 and . _ : @ / -", quoted(name, 100), kMaxWorkerNameBytes));
}

Status check_run(schema::RunKey::Reader run) {
  LEDGER_CHECK(check_instrument_name(view(run.getInstrument())));
  if (run.getRunNumber() == 0) return invalid(view(run.getInstrument()), ": a run needs a run number from 1 up");
  if (run.getRunNumber() > kMaxRunNumber) {
    return invalid(run_words(run), fmt::format(": run numbers end at {}; check the pattern that finds the number", kMaxRunNumber));
  }
  return Status::ok();
}

Status check_reason(schema::Reason::Reader reason, std::string_view what) {
  std::string_view code = view(reason.getCode());
  if (code.empty() || code.size() > kMaxReasonCodeBytes || !all_of(code, "_", false, true)) {
    return invalid(what, ": '", quoted(code, 100), "' is no reason code; docs/reasons.md lists them");
  }
  if (reason.getText().size() == 0) return invalid(what, ": reason ", code, " comes without a sentence; say why");
  return Status::ok();
}

Status check_path(std::string_view path, std::string_view what) {
  if (path.empty() || path[0] != '/') return invalid(what, " '", quoted(path), "' is not an absolute path");
  for (size_t at = 0; at < path.size();) {
    size_t end = std::min(path.find('/', at), path.size());
    if (path.substr(at, end - at) == "..")
      return invalid(what, " '", quoted(path), "' leaves its folder with '..'; name the folder itself");
    at = end + 1;
  }
  return Status::ok();
}

Status check_path_or_url(std::string_view path, std::string_view what) {
  const size_t colon = path.find("://");
  if (colon == std::string_view::npos || colon == 0 || path[0] == '/') return check_path(path, what);
  if (colon + 3 == path.size()) return invalid(what, " '", quoted(path), "' is a url that names nothing");
  return Status::ok();
}

bool is_lower_snake_case(std::string_view name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && all_of(name, "_", false, true);
}

Status check_scope(schema::Scope::Reader scope) {
  if (scope.isExperiment()) {
    size_t size = scope.getExperiment().size();
    if (size == 0 || size > kMaxExperimentBytes)
      return invalid(fmt::format("an experiment's name has 1 to {} bytes, this one {}", kMaxExperimentBytes, size));
    if (!base::names_experiment(view(scope.getExperiment()))) {
      return invalid(fmt::format("{} names no experiment, it stands in files of runs without one: use --default or --from-run",
                                 view(scope.getExperiment())));
    }
  }
  if (!scope.isFromRun() && scope.getToRun() != 0) return invalid("a last run only goes with a first one: use --from-run as well");
  if (scope.isFromRun() && scope.getFromRun() == 0) return invalid("run numbers begin at 1: use --default for every run");
  if (scope.isFromRun() && scope.getToRun() != 0 && scope.getToRun() < scope.getFromRun()) {
    return invalid(fmt::format("runs {} to {} are none: put the smaller number first", scope.getFromRun(), scope.getToRun()));
  }
  return Status::ok();
}

Status check_variables(capnp::List<schema::Variable>::Reader variables, Following following) {
  if (variables.size() > kMaxVariables)
    return invalid(fmt::format("{} variables at once; at most {} are taken", variables.size(), kMaxVariables));
  std::set<std::pair<schema::Variable::Group, std::string_view>> names;
  for (auto variable : variables) {
    std::string_view name = view(variable.getName());
    std::string_view value = view(variable.getValue());
    if (name.empty() || name.size() > kMaxVariableNameBytes) {
      return invalid(fmt::format("variable '{}': a name has 1 to {} bytes", quoted(name), kMaxVariableNameBytes));
    }
    if (!names.emplace(variable.getGroup(), name).second)
      return invalid("variable ", quoted(name), " is given twice; give it once");
    if (value.size() > kMaxVariableBytes) {
      return invalid(
          fmt::format("variable {}: the value has {} bytes; at most {} are taken", quoted(name), value.size(), kMaxVariableBytes));
    }
    if (variable.getFollowsScript()) {
      if (following == Following::kRefused) {
        return invalid("variable ", quoted(name), " is given as following the script; only a setting does, give a value");
      }
      if (!value.empty()) return invalid("variable ", quoted(name), " follows the script, so it takes no value; leave one of the two out");
      continue;
    }
    if (!parse_json(value)) {
      return invalid(fmt::format("variable {}: {} is not JSON, or nested deeper than {}; texts go in double quotes", quoted(name),
                                 quoted(value, 80), kMaxJsonDepth));
    }
  }
  return Status::ok();
}

base::Result<schema::Variable::Group> match_variable(schema::Variable::Reader variable, schema::VariableSet::Reader known,
                                                     std::string_view instrument) {
  std::optional<schema::ResolvedVariable::Reader> match;
  for (auto candidate : known.getVariables()) {
    if (view(candidate.getName()) != view(variable.getName())) continue;
    if (!match || candidate.getGroup() == variable.getGroup()) match = candidate;
  }
  if (!match) {
    return invalid(
        fmt::format("the script of {} has no variable {}; it has {}", instrument, quoted(variable.getName()), known_names(known)));
  }
  if (variable.getFollowsScript()) return match->getGroup();
  auto value = parse_json(view(variable.getValue()));
  auto standard = parse_json(view(match->getValue()));
  if (value && standard && !fits(*value, *standard)) {
    return invalid(fmt::format("variable {} of {}: {} is {}, but the script's own {} is {}; give {}, or null",
                               quoted(variable.getName()), instrument, quoted(view(variable.getValue()), 80), type_words(*value),
                               quoted(view(match->getValue()), 80), type_words(*standard), type_words(*standard)));
  }
  return match->getGroup();
}

}  // namespace ledger
