#include "ldap/roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/experiment.h"
#include "base/text.h"

namespace ldap {
namespace {

constexpr size_t kInstrumentBytes = 32;
constexpr size_t kExperimentBytes = 64;
constexpr std::string_view kExperimentHole = "{experiment}";

bool is_made_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || others.find(c) != std::string_view::npos;
  });
}
bool is_instrument(std::string_view text) { return !text.empty() && text.size() <= kInstrumentBytes && is_made_of(text, "_-"); }
bool is_experiment(std::string_view text) {
  return !text.empty() && text.size() <= kExperimentBytes && is_made_of(text.substr(0, 1), "") && is_made_of(text, "._-") &&
         base::names_experiment(text);
}

std::optional<Grant> grant_of(const RolePattern& pattern, const std::string& group) {
  auto captured = pattern.pattern.captures(group);
  if (!captured) return std::nullopt;
  Grant grant{pattern.role, "", "", group};
  for (size_t i = 0; i < captured->size(); ++i) {
    const std::string& part = captured->at(i);
    if (pattern.pattern.holes()[i] == "instrument") {
      if (!is_instrument(part)) return std::nullopt;
      grant.instrument = base::ascii_upper(part);
    } else {
      if (!is_experiment(part)) return std::nullopt;
      grant.experiment = pattern.experiment;
      grant.experiment.replace(grant.experiment.find(kExperimentHole), kExperimentHole.size(), part);
    }
  }
  return grant;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kMember: return "member";
    case Role::kScientist: return "scientist";
    case Role::kOperator: return "operator";
    case Role::kAuditor: return "auditor";
    case Role::kAdministrator: return "administrator";
  }
  return "unknown";
}

base::Result<RolePattern> parse_role_pattern(Role role, std::string_view pattern, std::string_view experiment) {
  auto refusal = [&](std::string_view why) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("groups of {}s, pattern \"{}\": {}", role_name(role), pattern, why));
  };
  auto parsed = NamePattern::parse(pattern);
  if (!parsed.is_ok()) return parsed.status().in(fmt::format("groups of {}s", role_name(role)));
  const std::vector<std::string>& holes = parsed->holes();
  for (const std::string& hole : holes) {
    if (hole != "instrument" && hole != "experiment") return refusal("only {instrument} and {experiment} may vary");
  }
  if (holes.size() == 2 && holes[0] == holes[1]) return refusal(fmt::format("{{{}}} stands there twice", holes[0]));
  bool by_instrument = parsed->has("instrument"), by_experiment = parsed->has("experiment");
  if (role == Role::kMember) {
    if (!by_experiment) return refusal("it must say which experiment, with {experiment}");
    size_t hole = experiment.find(kExperimentHole);
    if (hole == std::string_view::npos || experiment.find(kExperimentHole, hole + 1) != std::string_view::npos) {
      return refusal(fmt::format("its experiment \"{}\" must have {{experiment}} in it, once", experiment));
    }
  } else {
    if (by_experiment) return refusal("{experiment} is for members only");
    if (role == Role::kScientist && !by_instrument) return refusal("it must say which instrument, with {instrument}");
    if (role != Role::kScientist && by_instrument) return refusal("this role is for all instruments; write a name without {instrument}");
  }
  return RolePattern{role, std::move(parsed).value(), std::string(experiment)};
}

std::vector<Grant> grants_of(const std::vector<RolePattern>& patterns, const std::vector<std::string>& group_names) {
  std::vector<Grant> grants;
  for (const RolePattern& pattern : patterns) {
    for (const std::string& group : group_names) {
      if (auto grant = grant_of(pattern, group)) grants.push_back(std::move(*grant));
    }
  }
  std::sort(grants.begin(), grants.end());
  grants.erase(std::unique(grants.begin(), grants.end()), grants.end());
  return grants;
}

}  // namespace ldap
