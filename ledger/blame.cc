#include "ledger/blame.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "ledger/event_bytes.h"
#include "ledger/subjects.h"
#include "ledger/variables.h"
#include "ledger/view_rows.h"

namespace ledger {
namespace {

using Group = schema::Variable::Group;
using Body = schema::Event::Body;
constexpr size_t kEventsAPage = 1000;
constexpr size_t kRunsAPage = 500;

class Blame {
 public:
  Blame(const Snapshot& snapshot, std::string_view name)
      : snapshot_(snapshot), name_(name) {}

  void fold(schema::Event::Reader event) {
    const Body::Reader body = event.getBody();
    if (body.isVariablesSet()) set(event, body.getVariablesSet());
    if (body.isVariablesCleared()) clear(event.getSeq(), body.getVariablesCleared());
    if (body.isScriptRegistered()) take_script(event, body.getScriptRegistered());
  }

  void add_run(schema::RunRow::Reader run) {
    for (const uint64_t id : run.getJobs()) {
      const auto job = find_job(snapshot_, id);
      if (!job) continue;
      const auto queued = job->get().getQueued();
      if (queued.getRuns().size() == 0 || queued.getRuns()[0].getRunNumber() != run.getRun().getRunNumber()) continue;
      for (const size_t index : values_in(view(queued.getVariables()))) {
        values_[index].versions.push_back({run.getRun().getRunNumber(), queued.getVersion(), id});
      }
    }
  }

  std::vector<ValueHistory> finish(size_t keep) {
    for (ValueHistory& value : values_) {
      std::sort(value.versions.begin(), value.versions.end(), [](const auto& a, const auto& b) { return a.job < b.job; });
      value.version_count = value.versions.size();
      if (value.versions.size() > keep) value.versions.resize(keep);
    }
    return std::move(values_);
  }

 private:
  using Source = std::pair<Group, std::string>;  // its scope, as bytes; a script's default: none

  void end(const Source& source, uint64_t seq) {
    const auto live = live_.find(source);
    if (live == live_.end()) return;
    values_[live->second].ended_seq = seq;
    live_.erase(live);
  }

  void begin(const Source& source, schema::Event::Reader event, schema::VariableRule::Builder rule, bool from_script) {
    end(source, event.getSeq());
    rule.setSetAt(event.getTime());
    rule.setSeq(event.getSeq());
    live_[source] = by_event_[{source.first, event.getSeq()}] = values_.size();
    values_.push_back({Row<schema::VariableRule>(canonical_bytes(rule.asReader())), from_script, 0, {}, 0});
  }

  void set(schema::Event::Reader event, schema::VariablesSet::Reader change) {
    for (auto variable : change.getVariables()) {
      if (view(variable.getName()) != name_) continue;
      capnp::MallocMessageBuilder message;
      auto rule = message.initRoot<schema::VariableRule>();
      rule.setScope(change.getScope());
      rule.setVariable(variable);
      rule.setSetBy(event.getActor().getName());
      rule.setComment(change.getComment());
      begin({variable.getGroup(), scope_key(change.getScope())}, event, rule, false);
    }
  }

  void clear(uint64_t seq, schema::VariablesCleared::Reader change) {
    bool meant = change.getNames().size() == 0;
    for (auto each : change.getNames()) meant = meant || view(each) == name_;
    if (!meant) return;
    for (const Group group : {Group::STANDARD, Group::ADVANCED}) end({group, scope_key(change.getScope())}, seq);
  }

  void take_script(schema::Event::Reader event, schema::ScriptRegistered::Reader script) {
    std::optional<Row<schema::VariableSet>> defaults;
    if (auto bytes = snapshot_.blob(view(script.getDefaults()))) defaults.emplace(*bytes);
    for (const Group group : {Group::STANDARD, Group::ADVANCED}) {
      const Source source{group, {}};
      std::optional<schema::ResolvedVariable::Reader> found;
      if (defaults) {
        for (auto variable : defaults->get().getVariables()) {
          if (variable.getGroup() == group && view(variable.getName()) == name_) found = variable;
        }
      }
      const auto live = live_.find(source);
      if (!found) {
        end(source, event.getSeq());
      } else if (live != live_.end() && view(values_[live->second].rule.get().getVariable().getValue()) == view(found->getValue())) {
        by_event_[{group, event.getSeq()}] = live->second;
      } else {
        capnp::MallocMessageBuilder message;
        auto rule = message.initRoot<schema::VariableRule>();
        rule.getVariable().setGroup(group);
        rule.getVariable().setName(found->getName());
        rule.getVariable().setValue(found->getValue());
        begin(source, event, rule, true);
      }
    }
  }

  /// The values that stand in a VariableSet document. Few documents serve many versions.
  const std::vector<size_t>& values_in(std::string_view sha256) {
    const auto [place, fresh] = documents_.try_emplace(std::string(sha256));
    if (!fresh || sha256.empty()) return place->second;
    const auto bytes = snapshot_.blob(sha256);
    if (!bytes) return place->second;
    const Row<schema::VariableSet> set(*bytes);
    for (auto variable : set.get().getVariables()) {
      if (view(variable.getName()) != name_ || variable.getRule() == schema::ResolvedVariable::Rule::GIVEN) continue;
      const auto value = by_event_.find({variable.getGroup(), variable.getSetSeq()});
      if (value != by_event_.end()) place->second.push_back(value->second);
    }
    return place->second;
  }

  const Snapshot& snapshot_;
  const std::string name_;
  std::vector<ValueHistory> values_;
  std::map<Source, size_t> live_;
  std::map<std::pair<Group, uint64_t>, size_t> by_event_;
  std::map<std::string, std::vector<size_t>, std::less<>> documents_;
};

}  // namespace

base::Result<std::vector<ValueHistory>> blame(const Snapshot& snapshot, std::string_view instrument, std::string_view name,
                                              size_t keep_versions) {
  Blame blame(snapshot, name);
  const std::string settings = settings_subject(instrument);
  for (uint64_t from = 1;;) {
    const std::vector<uint64_t> seqs = snapshot.subject(settings, from, kEventsAPage);
    for (const uint64_t seq : seqs) {
      auto words = snapshot.event(seq);
      if (!words.is_ok()) return words.status();
      blame.fold(StoredEvent(*words).get());
    }
    if (seqs.empty()) break;  // looking back, a page may be short before the end
    from = seqs.back() + 1;
  }
  std::string after;
  do {
    auto page = list_runs(snapshot, {.instrument = std::string(instrument)}, kRunsAPage, after);
    for (const auto& run : page.rows) blame.add_run(run.get());
    after = page.next;
  } while (!after.empty());
  return blame.finish(keep_versions);
}

}  // namespace ledger
