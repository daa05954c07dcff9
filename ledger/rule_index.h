// An instrument's settings and its script's own values, made ready to be asked about many runs.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/document.capnp.h"
#include "schema/row.capnp.h"

namespace ledger {

/// How particular a scope is among those that apply to a run: the larger the more. The one ranking there is: an experiment, else the largest
/// fromRun, of these the one that ends sooner, else default.
using ScopeRank = std::tuple<schema::ResolvedVariable::Rule, uint64_t, uint64_t>;
ScopeRank scope_rank(schema::Scope::Reader scope);
/// Of a scope from a run: its last one. Of others: the last there can be.
uint64_t last_run_of(schema::Scope::Reader scope);

/// Which setting each variable of a run has.
///
/// Owns:    what it looks things up in. Borrows the texts of the messages it is made of, which must outlive it.
/// Threads: any, once made.
class RuleIndex {
 public:
  using Group = schema::Variable::Group;
  using Rule = schema::ResolvedVariable::Rule;
  using Settings = capnp::List<schema::VariableRule>::Reader;

  struct Setting {
    Rule rule;
    std::string_view value;  // JSON
    bool follows_script;     // the value is the script's own
    std::string_view set_by;
    int64_t set_at;
    uint64_t seq;
  };
  struct Name {
    Group group;
    std::string_view name;
    bool in_script = false;
    std::string_view own = "", help = "";  // the script's value and text for it
  };
  /// Runs at the same place get the same settings.
  struct Place {
    size_t stretch;
    size_t experiment;
    auto operator<=>(const Place&) const = default;
  };

  /// For one run: cheaper to make, and right for no other.
  struct OneRun {
    std::string_view experiment;
    uint64_t run_number;
  };
  RuleIndex(schema::VariableSet::Reader defaults, Settings settings, const OneRun* only = nullptr);

  /// Every name the script has or somebody set, by group, then name; what is said of one is said by its place here.
  const std::vector<Name>& names() const { return names_; }
  /// names().size() where there is none.
  size_t find(Group group, std::string_view name) const;

  /// `experiment` empty = unknown.
  Place place(std::string_view experiment, uint64_t run_number) const;
  /// The most particular setting of the name for runs at `place`; nullptr = none is for them. Equal pointers are the same setting.
  const Setting* setting(size_t name, Place place) const;
  /// The value that comes of it; empty = neither a setting nor the script has one.
  std::string_view value(size_t name, const Setting* setting) const {
    return setting == nullptr || setting->follows_script ? names_[name].own : setting->value;
  }

 private:
  static constexpr size_t kNone = std::numeric_limits<size_t>::max();
  /// From this run on, up to the next stretch, this setting is the most particular of those from a run.
  struct Stretch {
    uint64_t first;
    size_t setting;
  };
  struct Choices {
    size_t by_default = kNone;
    std::vector<Stretch> stretches;                      // by first run
    std::vector<std::pair<size_t, size_t>> experiments;  // experiment, setting; by experiment
  };
  struct Ranked;
  std::vector<Ranked> take_settings(Settings settings, const OneRun* only);
  void take_names(schema::VariableSet::Reader defaults);
  Choices choices_of(std::span<const Ranked> settings);
  static std::vector<Stretch> stretches_of(std::span<const Ranked> settings);

  std::vector<Name> names_;
  std::vector<Choices> choices_;  // of each name
  std::vector<Setting> settings_;
  std::unordered_map<std::string_view, size_t> experiments_;  // those that something is set for, numbered
  std::vector<uint64_t> stretches_;                           // where one begins, of any name; the first is 0
};

}  // namespace ledger
