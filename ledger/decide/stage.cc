// Stages: rules, and results of several runs that somebody asks for.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "base/counted.h"
#include "ledger/decide/question.h"
#include "ledger/stage_inputs.h"
#include "ledger/views/edit.h"
#include "ledger/views/stages.h"

namespace ledger {
namespace {

using base::Code;
using schema::RunState;
using Over = schema::StageRule::Over;

std::string_view over_words(Over over) {
  static constexpr std::string_view kWords[] = {"a run", "an experiment", "several runs"};
  const auto index = static_cast<size_t>(over);
  return index < std::size(kWords) ? kWords[index] : "what this release does not know";
}

/// The rules of an instrument as they would be, by name.
struct Rule {
  std::vector<std::string> after;
  Over over = Over::RUN;
};
using Rules = std::map<std::string, Rule, std::less<>>;

Rule rule_of(schema::StageRule::Reader rule) { return {texts(rule.getAfter()), rule.getOver()}; }

base::Status check_name(std::string_view instrument, std::string_view name) {
  if (name == kReductionStage) return invalid(instrument, ": 'reduction' is what every run gets by itself; name the stage otherwise");
  if (is_lower_snake_case(name) && name.size() <= kMaxStageNameBytes) return base::Status::ok();
  return invalid(fmt::format("{}: '{}' is no name for a stage: 1 to {} of a-z, 0-9 and _, beginning with a letter", instrument,
                             quoted(name, 100), kMaxStageNameBytes));
}

std::filesystem::path normal(std::string_view path) {
  auto result = std::filesystem::path(path).lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder) {
  auto at = path.begin();
  for (const auto& part : folder) {
    if (at == path.end() || *at++ != part) return false;
  }
  return true;
}

/// Each result has a place of its own, which no folder is that raw files come from.
base::Status check_output(schema::StageRule::Reader wanted, schema::InstrumentConfigured::Reader config, const std::string& words) {
  const std::string_view pattern = view(wanted.getOutputPattern());
  LEDGER_CHECK(check_path(pattern, words + ": output pattern"));
  for (std::string_view part : {std::string_view("{version}"), std::string_view(wanted.getOver() == Over::EXPERIMENT ? "{experiment}" : "{run}")}) {
    if (pattern.find(part) != std::string_view::npos) continue;
    return invalid(words, ": output pattern '", quoted(pattern), "' has no ", part, "; without it one result would overwrite another");
  }
  const auto output = normal(with_place(std::string(pattern), "{instrument}", view(wanted.getInstrument())));
  for (auto folder : config.getRawFolders()) {
    if (!lies_in(output, normal(view(folder)))) continue;
    return invalid(words, ": output pattern '", quoted(pattern), "' lies in ", quoted(folder), ", where raw files are looked for: it would feed itself");
  }
  return base::Status::ok();
}

/// What `name` takes exists and can be taken by it.
base::Status check_sources(const std::string& words, const Rule& rule, const Rules& rules) {
  if (rule.after.empty() && rule.over != Over::RUNS) {
    return invalid(words, ": it comes after no stage; only one over several runs takes raw files, others come after `reduction` or another stage");
  }
  std::set<std::string_view> seen;
  for (const std::string& source : rule.after) {
    if (!seen.insert(source).second) return invalid(words, ": it comes after ", quoted(std::string_view(source)), " twice; say so once");
    if (source == kReductionStage) continue;
    const auto found = rules.find(source);
    if (found == rules.end()) return invalid(words, ": it comes after stage ", quoted(std::string_view(source)), ", which there is not; set that first");
    if (found->second.over == Over::RUN || found->second.over == rule.over) continue;
    return invalid(words, ": it is over ", over_words(rule.over), " and cannot take stage ", source, ", which is over ",
                   over_words(found->second.over));
  }
  return base::Status::ok();
}

/// How `name` comes after itself; empty = it does not.
std::vector<std::string> find_circle(const Rules& rules, const std::string& name) {
  std::set<std::string> looked_at;
  std::vector<std::string> path;
  const auto reaches = [&](const auto& self, const std::string& stage) -> bool {
    const auto rule = rules.find(stage);
    if (rule == rules.end() || !looked_at.insert(stage).second) return false;
    path.push_back(stage);
    for (const std::string& source : rule->second.after) {
      if (source == name || self(self, source)) return true;
    }
    path.pop_back();
    return false;
  };
  return reaches(reaches, name) ? path : std::vector<std::string>();
}

base::Status check_order(schema::StageRule::Reader wanted, Rules rules, const std::string& words) {
  const std::string name(view(wanted.getName()));
  rules.insert_or_assign(name, rule_of(wanted));
  if (const auto circle = find_circle(rules, name); !circle.empty()) {
    std::string way;
    for (const std::string& stage : circle) way += stage + " after ";
    return invalid(words, ": it would come after itself: ", way, name);
  }
  LEDGER_CHECK(check_sources(words, rules.at(name), rules));
  for (const auto& [other, rule] : rules) {  // what comes after it may not fit any more
    if (std::find(rule.after.begin(), rule.after.end(), name) == rule.after.end()) continue;
    LEDGER_CHECK(check_sources(fmt::format("{}: stage {}", view(wanted.getInstrument()), other), rule, rules));
  }
  return base::Status::ok();
}

Rules rules_of(const Question& question, std::string_view instrument) {
  Rules rules;
  for (const auto& row : stage_rules(question.rows, instrument)) {
    rules.emplace(view(row.get().getRule().getName()), rule_of(row.get().getRule()));
  }
  return rules;
}

/// The runs are known, can be reduced and are of one experiment.
base::Status check_combined_runs(const Question& question, schema::CombinationRequested::Reader wanted, const std::string& words) {
  const auto numbers = wanted.getRuns();
  if (numbers.size() < 2 || numbers.size() > kMaxRunsPerStage) {
    return invalid(fmt::format("{}: {} to combine; 2 to {} are taken", words, base::counted(numbers.size(), "run"), kMaxRunsPerStage));
  }
  std::optional<std::string> experiment;
  for (uint32_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && numbers[i - 1] >= numbers[i]) {
      return invalid(fmt::format("{}: run {} stands after run {}; give them in ascending order, each once", words, numbers[i], numbers[i - 1]));
    }
    SmallMessage scratch;
    auto key = scratch.initRoot<schema::RunKey>();
    key.setInstrument(wanted.getInstrument());
    key.setRunNumber(numbers[i]);
    auto run = known_run(question, key.asReader());
    if (!run.is_ok()) return run.status();
    LEDGER_CHECK(check_not_refused(run->get()));
    const std::string_view own = view(run->get().getExperiment());
    if (!experiment) experiment = own;
    if (*experiment != own) {
      return invalid(words, ": ", run_words(key.asReader()), " is of experiment ", own.empty() ? "unknown" : quoted(own), ", the runs before of ",
                     experiment->empty() ? "unknown" : quoted(std::string_view(*experiment)), "; combine runs of one experiment");
    }
  }
  return base::Status::ok();
}

}  // namespace

Decided decide_set_stage(const Question& question, schema::StageRule::Reader wanted) {
  const std::string_view instrument = view(wanted.getInstrument()), name = view(wanted.getName());
  auto row = known_instrument(question, instrument);
  if (!row.is_ok()) return row.status();
  LEDGER_CHECK(check_name(instrument, name));
  const std::string words = fmt::format("{}: stage {}", instrument, name);
  if (wanted.getContract() == schema::Contract::UNSET) return invalid(words, ": no script contract is given; use ", kContracts);
  LEDGER_CHECK(check_path(view(wanted.getScriptPath()), words + ": script"));
  LEDGER_CHECK(check_interpreter_name(row->get().getConfig(), wanted.getInterpreter()));
  if (wanted.getInputPatterns().size() > kMaxPatterns) {
    return invalid(fmt::format("{}: {} input patterns are given; at most {} are taken", words, wanted.getInputPatterns().size(), kMaxPatterns));
  }
  for (auto pattern : wanted.getInputPatterns()) {
    if (pattern.size() == 0) return invalid(words, ": an input pattern is empty; leave it out, or use * for every file");
  }
  LEDGER_CHECK(check_output(wanted, row->get().getConfig(), words));
  const Rules rules = rules_of(question, instrument);
  auto before = find_stage(question.rows, instrument, name);
  if (before && canonical_bytes(before->get().getRule()) == canonical_bytes(wanted)) return nothing();
  if (!before && rules.size() >= kMaxStages) {
    return refuse(Code::kConflict, fmt::format("{} has {} stages, at most {} are kept; remove one first", instrument, rules.size(), kMaxStages));
  }
  LEDGER_CHECK(check_order(wanted, rules, words));
  Proposal proposal(question);
  proposal.add().setStageSet(wanted);
  return proposal.take();
}

Decided decide_remove_stage(const Question& question, schema::StageRemoved::Reader wanted) {
  const std::string_view instrument = view(wanted.getInstrument()), name = view(wanted.getName());
  auto row = known_instrument(question, instrument);
  if (!row.is_ok()) return row.status();
  auto rule = known_stage(question, instrument, name);
  if (!rule.is_ok()) return rule.status();
  for (const auto& [other, after] : rules_of(question, instrument)) {
    if (std::find(after.after.begin(), after.after.end(), name) == after.after.end()) continue;
    return refuse(Code::kConflict, instrument, ": stage ", other, " comes after ", name, "; remove that first");
  }
  Proposal proposal(question);
  auto removed = proposal.add().initStageRemoved();
  removed.setInstrument(wanted.getInstrument());
  removed.setName(wanted.getName());
  set_reason(removed.initReason(), "stage_removed",
             reason_text(question, wanted.getReason(), "removed", fmt::format("stage {} of {}", name, instrument)));
  return proposal.take();
}

Decided decide_combination(const Question& question, schema::CombinationRequested::Reader wanted) {
  const std::string_view instrument = view(wanted.getInstrument()), stage = view(wanted.getStage());
  auto row = known_instrument(question, instrument);
  if (!row.is_ok()) return row.status();
  auto rule = known_stage(question, instrument, stage);
  if (!rule.is_ok()) return rule.status();
  const std::string words = fmt::format("{}: stage {}", instrument, stage);
  if (rule->get().getRule().getOver() != Over::RUNS) {
    return invalid(words, " is over ", over_words(rule->get().getRule().getOver()), " and is made by itself; only one over several runs is asked for");
  }
  LEDGER_CHECK(check_combined_runs(question, wanted, words));
  if (auto result = find_stage_result(question.rows, instrument, stage, stage_group(Over::RUNS, numbers(wanted.getRuns()), {}))) {
    auto last = result->get();
    if (last.getPendingRequest() != 0) {
      return refuse(Code::kConflict, fmt::format("{}: event {} asks for these runs already ({}); wait for it", words, last.getPendingRequest(),
                                                 quoted(last.getReason().getText())));
    }
    const auto state = last.getState();
    if (state == RunState::QUEUED || state == RunState::HELD || state == RunState::RUNNING) {
      return refuse(Code::kConflict, fmt::format("{}: v{} of these runs (job {}) is still {}; wait for it, or cancel it first", words,
                                                 last.getVersion(), last.getJob(), state_words(state)));
    }
  }
  Proposal proposal(question);
  proposal.add().setCombinationRequested(wanted);
  return proposal.take();
}

}  // namespace ledger
