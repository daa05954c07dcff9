#include "ledger/rule_index.h"

#include <algorithm>

#include "base/experiment.h"
#include "ledger/canonical.h"

namespace ledger {

uint64_t last_run_of(schema::Scope::Reader scope) {
  return scope.isFromRun() && scope.getToRun() != 0 ? scope.getToRun() : UINT64_MAX;
}

ScopeRank scope_rank(schema::Scope::Reader scope) {
  switch (scope.which()) {
    case schema::Scope::DEFAULT: break;
    case schema::Scope::FROM_RUN: return {RuleIndex::Rule::FROM_RUN, scope.getFromRun(), UINT64_MAX - last_run_of(scope)};
    case schema::Scope::EXPERIMENT: return {RuleIndex::Rule::EXPERIMENT, 0, 0};
  }
  return {RuleIndex::Rule::DEFAULT_SCOPE, 0, 0};
}

namespace {

bool may_apply(schema::Scope::Reader scope, const RuleIndex::OneRun& run) {
  if (scope.isExperiment()) return view(scope.getExperiment()) == run.experiment;
  return !scope.isFromRun() || (scope.getFromRun() <= run.run_number && run.run_number <= last_run_of(scope));
}

}  // namespace

/// A setting of one name; they sort from the least to the most particular.
struct RuleIndex::Ranked {
  Group group;
  std::string_view name;
  ScopeRank rank;
  uint64_t seq;  // decides only between settings equal in everything else
  uint64_t last_run;
  std::string_view experiment;
  size_t setting;

  bool is_of(const Name& other) const { return group == other.group && name == other.name; }
  uint64_t first_run() const { return std::get<1>(rank); }
  friend bool operator<(const Ranked& one, const Ranked& other) {
    return std::tie(one.group, one.name, one.rank, one.seq) < std::tie(other.group, other.name, other.rank, other.seq);
  }
};

RuleIndex::RuleIndex(schema::VariableSet::Reader defaults, Settings settings, const OneRun* only) {
  const std::vector<Ranked> ranked = take_settings(settings, only);
  take_names(defaults);
  stretches_.push_back(0);
  choices_.reserve(names_.size());
  auto next = ranked.begin();
  for (const Name& name : names_) {
    const auto first = next;
    while (next != ranked.end() && next->is_of(name)) ++next;
    choices_.push_back(choices_of({first, next}));
    for (const Stretch& stretch : choices_.back().stretches) stretches_.push_back(stretch.first);
  }
  std::sort(stretches_.begin(), stretches_.end());
  stretches_.erase(std::unique(stretches_.begin(), stretches_.end()), stretches_.end());
}

std::vector<RuleIndex::Ranked> RuleIndex::take_settings(Settings settings, const OneRun* only) {
  std::vector<Ranked> ranked;
  if (only == nullptr) {
    ranked.reserve(settings.size());
    settings_.reserve(settings.size());
  }
  for (auto rule : settings) {
    const auto scope = rule.getScope();
    if (only != nullptr && !may_apply(scope, *only)) continue;
    const auto variable = rule.getVariable();
    Ranked each{variable.getGroup(), view(variable.getName()), scope_rank(scope), rule.getSeq(), last_run_of(scope), {}, settings_.size()};
    if (scope.isExperiment()) each.experiment = view(scope.getExperiment());
    ranked.push_back(each);
    settings_.push_back({std::get<0>(each.rank), view(variable.getValue()), variable.getFollowsScript(), view(rule.getSetBy()), rule.getSetAt(),
                         rule.getSeq()});
    names_.push_back({each.group, each.name});
  }
  std::sort(ranked.begin(), ranked.end());
  return ranked;
}

/// Beside those of the settings; each stays once, as the script has it if it has it.
void RuleIndex::take_names(schema::VariableSet::Reader defaults) {
  for (auto variable : defaults.getVariables()) {
    names_.push_back({variable.getGroup(), view(variable.getName()), true, view(variable.getValue()), view(variable.getHelp())});
  }
  std::stable_sort(names_.begin(), names_.end(), [](const Name& one, const Name& other) {
    return std::tuple(one.group, one.name, !one.in_script) < std::tuple(other.group, other.name, !other.in_script);
  });
  const auto same = [](const Name& one, const Name& other) { return one.group == other.group && one.name == other.name; };
  names_.erase(std::unique(names_.begin(), names_.end(), same), names_.end());
}

RuleIndex::Choices RuleIndex::choices_of(std::span<const Ranked> settings) {
  Choices choices;
  const auto rule_of = [](const Ranked& each) { return std::get<0>(each.rank); };
  const auto from_run = std::find_if(settings.begin(), settings.end(), [&](const Ranked& each) { return rule_of(each) >= Rule::FROM_RUN; });
  const auto experiment = std::find_if(from_run, settings.end(), [&](const Ranked& each) { return rule_of(each) >= Rule::EXPERIMENT; });
  if (from_run != settings.begin()) choices.by_default = std::prev(from_run)->setting;
  choices.stretches = stretches_of({from_run, experiment});
  for (auto each = experiment; each != settings.end(); ++each) {
    choices.experiments.emplace_back(experiments_.emplace(each->experiment, experiments_.size()).first->second, each->setting);
  }
  std::stable_sort(choices.experiments.begin(), choices.experiments.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  return choices;
}

std::vector<RuleIndex::Stretch> RuleIndex::stretches_of(std::span<const Ranked> settings) {
  std::vector<Stretch> stretches;
  std::vector<const Ranked*> open;  // those that have begun, the most particular last
  const auto begin = [&](uint64_t run_number, size_t setting) {
    if (!stretches.empty() && stretches.back().first == run_number) stretches.pop_back();
    stretches.push_back({run_number, setting});
  };
  const auto close_before = [&](uint64_t run_number) {
    while (!open.empty() && open.back()->last_run < run_number) {
      const uint64_t next = open.back()->last_run + 1;
      while (!open.empty() && open.back()->last_run < next) open.pop_back();
      begin(next, open.empty() ? kNone : open.back()->setting);
    }
  };
  for (const Ranked& each : settings) {
    if (each.last_run < each.first_run()) continue;
    close_before(each.first_run());
    begin(each.first_run(), each.setting);
    open.push_back(&each);
  }
  close_before(UINT64_MAX);
  return stretches;
}

size_t RuleIndex::find(Group group, std::string_view name) const {
  const auto place = std::lower_bound(names_.begin(), names_.end(), std::tie(group, name),
                                      [](const Name& one, const auto& key) { return std::tie(one.group, one.name) < key; });
  return place != names_.end() && place->group == group && place->name == name ? static_cast<size_t>(place - names_.begin()) : names_.size();
}

RuleIndex::Place RuleIndex::place(std::string_view experiment, uint64_t run_number) const {
  const auto stretch = std::upper_bound(stretches_.begin(), stretches_.end(), run_number);
  Place place{static_cast<size_t>(stretch - stretches_.begin()) - 1, kNone};
  if (experiments_.empty() || !base::names_experiment(experiment)) return place;
  if (const auto known = experiments_.find(experiment); known != experiments_.end()) place.experiment = known->second;
  return place;
}

const RuleIndex::Setting* RuleIndex::setting(size_t name, Place place) const {
  const Choices& choices = choices_[name];
  if (place.experiment != kNone) {
    const auto behind = std::upper_bound(choices.experiments.begin(), choices.experiments.end(), place.experiment,
                                         [](size_t experiment, const auto& each) { return experiment < each.first; });
    if (behind != choices.experiments.begin() && std::prev(behind)->first == place.experiment) return &settings_[std::prev(behind)->second];
  }
  const auto behind = std::upper_bound(choices.stretches.begin(), choices.stretches.end(), stretches_[place.stretch],
                                       [](uint64_t run_number, const Stretch& stretch) { return run_number < stretch.first; });
  if (behind != choices.stretches.begin() && std::prev(behind)->setting != kNone) return &settings_[std::prev(behind)->setting];
  return choices.by_default == kNone ? nullptr : &settings_[choices.by_default];
}

}  // namespace ledger
