#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/counted.h"
#include "base/text.h"
#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/commands/vars_record.h"
#include "tools/commands/vars_upcoming.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

struct ScopeOptions {
  bool for_all = false;
  std::optional<uint64_t> from_run;
  std::optional<uint64_t> to_run;
  std::string experiment;
};

struct VarsOptions {
  std::vector<std::string> words;
  std::string instrument;
  std::vector<std::string> rest;  // NAME=VALUE, or names
  ScopeOptions scope;
  ChangeOptions change;
  bool dry_run = false;
};

void add_scope_options(CLI::App& command, ScopeOptions& scope) {
  command.add_flag("--default", scope.for_all, "For every run that no other setting is for");
  command.add_option("--from-run", scope.from_run, "For this run and all later ones")->type_name("N");
  command.add_option("--to-run", scope.to_run, "With --from-run: up to and with this one")->type_name("M");
  command.add_option("--experiment", scope.experiment, "For the runs of this experiment")->type_name("NUMBER");
}

base::Status check_scope(const ScopeOptions& scope) {
  int given = scope.for_all + scope.from_run.has_value() + !scope.experiment.empty();
  if (given != 1) return {base::Code::kInvalidArgument, "for which runs? give one of --default, --from-run N or --experiment NUMBER"};
  if (scope.to_run && !scope.from_run) return {base::Code::kInvalidArgument, "--to-run goes with --from-run"};
  if (scope.from_run == 0) return {base::Code::kInvalidArgument, "run numbers start at 1; for every run give --default"};
  if (scope.to_run && *scope.to_run < *scope.from_run) {
    return {base::Code::kInvalidArgument, fmt::format("runs {} to {} go backwards", *scope.from_run, *scope.to_run)};
  }
  return base::Status::ok();
}

void write_scope(const ScopeOptions& options, schema::Scope::Builder scope) {
  if (options.for_all) scope.setDefault();
  if (options.from_run) scope.setFromRun(*options.from_run);
  if (!options.experiment.empty()) scope.setExperiment(kj_text(options.experiment));
  scope.setToRun(options.to_run.value_or(0));
}

/// The script's own values, shown beside what people set, and why they are not known.
struct ScriptVariables {
  Document<schema::VariableSet> defaults;
  std::string problem;
};

base::Result<ScriptVariables> script_variables(Client& client, schema::Instrument::Client& instrument) {
  auto row = ask(client, instrument.showRequest());
  if (!row.is_ok()) return row.status();
  auto script = row->getInstrument().getScript();
  auto defaults = document<schema::VariableSet>(client, bytes_of(script.getDefaults()));
  if (!defaults.is_ok()) return defaults.status();
  return ScriptVariables{std::move(*defaults), std::string(text_of(script.getProblem()))};
}

base::Result<int> print_set(Context& context, schema::VariableSet::Reader set, Json json) {
  if (context.options.json) {
    json["variables"] = variables_json(set);
    context.print(json);
  } else {
    context.out << variable_table_text(set, context.terminal);
  }
  if (set.getVariables().size() > 0) return kDone;
  context.say("no variables");
  return kNothingFound;
}

base::Result<int> show_rules(Context& context, Client& client, const std::string& name) {
  base::Result<schema::Instrument::Client> of = instrument(client, name);
  if (!of.is_ok()) return of.status();
  auto answer = ask(client, of->variableRulesRequest());
  if (!answer.is_ok()) return answer.status();
  base::Result<ScriptVariables> script = script_variables(client, *of);
  if (!script.is_ok()) return script.status();
  schema::VariableSet::Reader defaults = script->defaults.get();

  Json json = Json::array();
  Table table({{"VARIABLE"}, {"GROUP"}, {"VALUE", Table::Align::kLeft, true}, {"FOR"}, {"SET BY"}, {"SET AT"}, {"COMMENT", Table::Align::kLeft, true}});
  for (auto rule : answer->getRules()) {
    json.push_back(rule_json(rule));
    table.add({rule.getVariable().getName().cStr(), enum_word(rule.getVariable().getGroup()), setting_text(rule.getVariable()),
               scope_text(rule.getScope()), rule.getSetBy().cStr(), human_time(rule.getSetAt()), rule.getComment().cStr()});
  }
  for (Json& variable : variables_json(defaults)) {
    variable["scope"] = {{"kind", "script_default"}, {"from_run", nullptr}, {"to_run", nullptr}, {"experiment", nullptr}};
    variable["comment"] = nullptr;
    variable.erase("rule");
    json.push_back(variable);
  }
  for (auto variable : defaults.getVariables()) {
    table.add({variable.getName().cStr(), enum_word(variable.getGroup()), variable.getValue().cStr(), "script default", "-", "-", variable.getHelp().cStr()});
  }
  if (script->problem.empty()) {
    return context.print_listing(json, table, fmt::format("{} has no variables: its script brings none and none are set", name));
  }
  std::string unknown = fmt::format("{}: the script's own variables are not known: {}", name, script->problem);
  if (!json.empty()) context.say(unknown);
  return context.print_listing(json, table, unknown + "; none are set");
}

base::Result<int> show_used(Context& context, Client& client, const RunName& run) {
  base::Result<ShownVersion> version = show_version(client, run);
  if (!version.is_ok()) return version.status();
  auto set = document<schema::VariableSet>(client, bytes_of(version->job.getQueued().getVariables()));
  if (!set.is_ok()) return set.status();
  return print_set(context, set->get(), {{"instrument", run.instrument}, {"run_number", run.run_number}, {"version", run.version}});
}

base::Result<int> show_resolved(Context& context, Client& client, const std::string& name, uint64_t run_number, const std::string& experiment) {
  base::Result<schema::Instrument::Client> of = instrument(client, name);
  if (!of.is_ok()) return of.status();
  auto request = of->resolveRequest();
  request.setRunNumber(run_number);
  request.setExperiment(kj_text(experiment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  auto set = Document<schema::VariableSet>::open(bytes_of(answer->getSet()));
  if (!set.is_ok()) return set.status();
  return print_set(context, set->get(), {{"instrument", name}, {"run_number", run_number}, {"script_event", answer->getScriptSeq()}});
}

base::Result<int> show(Context& context, const VarsOptions& options) {
  base::Result<RunSelection> selection = context.selection(options.words);
  if (!selection.is_ok()) return selection.status();
  Client& client = **context.client();
  if (selection->ranges.empty()) return show_rules(context, client, selection->instrument);
  if (!selection->is_one_run()) return base::Status(base::Code::kInvalidArgument, "variables are shown for one run at a time");
  uint64_t run_number = selection->ranges[0].first;
  if (selection->version != 0) return show_used(context, client, {selection->instrument, run_number, selection->version});
  return show_resolved(context, client, selection->instrument, run_number, options.scope.experiment);
}

/// What setting and clearing have in common: for which runs, of which instrument, why; and what is said of it.
template <typename Request>
base::Result<int> ask_change(Context& context, const VarsOptions& options, const std::string& name, Request request,
                             const std::string& what) {
  request.setCommandId(kj_text(command_id(options.change)));
  auto change = request.getChange();
  change.setInstrument(kj_text(name));
  write_scope(options.scope, change.getScope());
  change.setComment(kj_text(options.change.comment));
  std::string done = fmt::format("{}: {} for {}", name, what, scope_text(change.asReader().getScope()));
  auto answer = ask(**context.client(), std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), done, done + ": nothing had to change");
}

/// Runs in a row that would get the same other value.
struct ChangedRuns {
  std::string name, before, after;
  std::vector<uint64_t> runs;
};

std::vector<ChangedRuns> grouped(capnp::List<schema::ChangedRun>::Reader changes) {
  std::vector<ChangedRuns> groups;
  for (auto change : changes) {
    auto same = std::find_if(groups.begin(), groups.end(), [&](const ChangedRuns& group) {
      return group.name == text_of(change.getName()) && group.before == text_of(change.getBefore()) &&
             group.after == text_of(change.getAfter());
    });
    if (same == groups.end()) {
      groups.push_back({change.getName().cStr(), change.getBefore().cStr(), change.getAfter().cStr(), {}});
      same = groups.end() - 1;
    }
    same->runs.push_back(change.getRun().getRunNumber());
  }
  return groups;
}

Json effect_json(schema::VariablesEffect::Reader effect) {
  const auto value = [](capnp::Text::Reader text) { return text.size() == 0 ? Json() : json_value(text_of(text)); };
  Json json = {{"considered", effect.getConsidered()}, {"change_count", effect.getChangeCount()}, {"changes", Json::array()},
               {"coming", Json::array()}, {"problems", Json::array()}};
  for (auto change : effect.getChanges()) {
    json["changes"].push_back({{"instrument", base::to_utf8(text_of(change.getRun().getInstrument()))},
                               {"run_number", change.getRun().getRunNumber()},
                               {"name", base::to_utf8(text_of(change.getName()))},
                               {"before", value(change.getBefore())},
                               {"after", value(change.getAfter())}});
  }
  for (auto sentence : effect.getComing()) json["coming"].push_back(base::to_utf8(text_of(sentence)));
  for (auto sentence : effect.getProblems()) json["problems"].push_back(base::to_utf8(text_of(sentence)));
  return json;
}

/// As its script will see it: "int", "float", "str", "bool", "None", "list", "dict".
std::string type_word(const std::string& value) {
  const Json json = json_value(value);
  if (json.is_number_integer()) return "int";
  if (json.is_number()) return "float";
  if (json.is_string()) return "str";
  if (json.is_boolean()) return "bool";
  if (json.is_null()) return "None";
  return json.is_array() ? "list" : "dict";
}

/// What setting would do. Exit code 2, as of the setting itself, where it would be refused.
base::Result<int> preview(Context& context, const VarsOptions& options, schema::Instrument::Client& of, const std::string& name,
                          const std::vector<Assignment>& assignments) {
  auto request = of.previewRequest();
  request.getChange().setInstrument(kj_text(name));
  write_scope(options.scope, request.getChange().getScope());
  write_assignments(assignments, request.getChange().initVariables(assignments.size()));
  auto answer = ask(**context.client(), std::move(request));
  if (!answer.is_ok()) return answer.status();
  const auto effect = answer->getEffect();
  if (context.options.json) {
    Json json = effect_json(effect);
    json["values"] = Json::array();
    for (const Assignment& assignment : assignments) {
      json["values"].push_back({{"name", assignment.name}, {"value", json_value(assignment.value)}, {"type", type_word(assignment.value)}});
    }
    context.print(std::move(json));
  } else if (effect.getProblems().size() == 0) {
    for (const Assignment& assignment : assignments) {
      context.out << printable_lines(fmt::format("{} = {} ({})", assignment.name, assignment.value, type_word(assignment.value))) << '\n';
    }
    for (auto sentence : effect.getComing()) context.out << printable_lines(text_of(sentence)) << '\n';
    context.out << fmt::format("of {} in that scope {} would get another value if reduced afresh\n",
                               base::counted(effect.getConsidered(), "run"),
                               effect.getChangeCount() == 0 ? "none" : std::to_string(effect.getChangeCount()));
    Table table({{"VARIABLE"}, {"BEFORE", Table::Align::kLeft, true}, {"AFTER", Table::Align::kLeft, true}, {"RUNS", Table::Align::kLeft, true}});
    for (const ChangedRuns& group : grouped(effect.getChanges())) {
      table.add({group.name, or_dash(group.before), or_dash(group.after), run_ranges_text(group.runs)});
    }
    if (!table.is_empty()) {
      context.out << '\n';
      context.print(table);
    }
    if (effect.getChangeCount() > effect.getChanges().size()) {
      context.say(fmt::format("only the first {} of {} changes are listed", effect.getChanges().size(), effect.getChangeCount()));
    }
  }
  for (auto problem : effect.getProblems()) context.say(fmt::format("would be refused: {}", text_of(problem)));
  return effect.getProblems().size() == 0 ? kDone : kError;
}

base::Result<int> set(Context& context, const VarsOptions& options) {
  if (base::Status status = check_scope(options.scope); !status.is_ok()) return status;
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  base::Result<ScriptVariables> script = script_variables(client, *of);
  if (!script.is_ok()) return script.status();
  KnownVariables known;
  known.add(script->defaults.get());
  base::Result<std::vector<Assignment>> assignments = parse_assignments(options.rest, known);
  if (!assignments.is_ok()) return assignments.status().in(*name);

  if (options.dry_run) return preview(context, options, *of, *name, *assignments);

  auto request = of->setVariablesRequest();
  write_assignments(*assignments, request.getChange().initVariables(assignments->size()));
  std::string what;
  for (const Assignment& assignment : *assignments)
    what += fmt::format("{}{} = {}", what.empty() ? "" : ", ", assignment.name, assignment.value);
  return ask_change(context, options, *name, std::move(request), what);
}

base::Result<int> reset(Context& context, const VarsOptions& options) {
  if (base::Status status = check_scope(options.scope); !status.is_ok()) return status;
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  base::Result<ScriptVariables> script = script_variables(client, *of);
  if (!script.is_ok()) return script.status();
  KnownVariables known;
  known.add(script->defaults.get());
  auto request = of->setVariablesRequest();
  auto variables = request.getChange().initVariables(static_cast<uint32_t>(options.rest.size()));
  for (uint32_t i = 0; i < variables.size(); ++i) {
    base::Result<Assignment> wanted = parse_assignment(options.rest[i] + "=null");  // for its name and group
    if (!wanted.is_ok() || options.rest[i].find('=') != std::string::npos) {
      return base::Status(base::Code::kInvalidArgument, fmt::format("'{}' is no variable's name; write vars reset MARI mon --default", base::printable(options.rest[i])));
    }
    if (base::Status status = known.complete(*wanted); !status.is_ok()) return status.in(*name);
    variables[i].setGroup(*wanted->group);
    variables[i].setName(kj_text(wanted->name));
    variables[i].setFollowsScript(true);
  }
  return ask_change(context, options, *name, std::move(request), fmt::format("{} follow{} the script", fmt::join(options.rest, ", "), options.rest.size() == 1 ? "s" : ""));
}

base::Result<int> clear(Context& context, const VarsOptions& options) {
  if (base::Status status = check_scope(options.scope); !status.is_ok()) return status;
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  base::Result<schema::Instrument::Client> of = instrument(**context.client(), *name);
  if (!of.is_ok()) return of.status();

  auto request = of->clearVariablesRequest();
  auto names = request.getChange().initNames(options.rest.size());
  for (uint32_t i = 0; i < options.rest.size(); ++i) names.set(i, kj_text(options.rest[i]));
  std::string what = options.rest.empty() ? "every variable" : fmt::format("{}", fmt::join(options.rest, ", "));
  return ask_change(context, options, *name, std::move(request), what + " cleared");
}

}  // namespace

void add_vars(CLI::App& app, Context& context) {
  CLI::App* vars = app.add_subcommand("vars", "Reduction variables: show, upcoming, set, reset, clear, history, blame");
  vars->require_subcommand(1);
  vars->footer(
      "What is given with a rerun wins over what is set for the experiment, that over the latest --from-run, that over --default.\n"
      "Example: runledger vars show MARI");

  auto shown = std::make_shared<VarsOptions>();
  CLI::App* show_command = vars->add_subcommand("show", "What is set for an instrument; what a run would get now; what a version had");
  show_command->add_option("for", shown->words, "Instrument, run or version")->type_name("INSTRUMENT|RUN")->required();
  show_command->add_option("--experiment", shown->scope.experiment, "As if the run were of this experiment")->type_name("NUMBER");
  show_command->footer("Example: runledger vars show MARI 28001");
  show_command->callback([&context, shown] { context.finish(show(context, *shown)); });

  auto to_set = std::make_shared<VarsOptions>();
  CLI::App* set_command = vars->add_subcommand("set", "Set values for runs to come");
  set_command->add_option("instrument", to_set->instrument, "Instrument, as runledger status lists it")
      ->type_name("NAME")
      ->required();
  set_command
      ->add_option("values", to_set->rest,
                   "Values: JSON (3, true, null, [1,2]), else text; @FILE: what the file holds; standard.NAME or advanced.NAME where both have it")
      ->type_name("NAME=VALUE")
      ->required();
  add_scope_options(*set_command, to_set->scope);
  add_change_options(*set_command, to_set->change);
  set_command->add_flag("--dry-run", to_set->dry_run, "Only say which past and coming runs would get other values; change nothing");
  set_command->footer(
      "One of --default, --from-run and --experiment is needed.\nExample: runledger vars set MARI mon=2 --from-run 28000");
  set_command->callback([&context, to_set] { context.finish(set(context, *to_set)); });

  auto to_reset = std::make_shared<VarsOptions>();
  CLI::App* reset_command = vars->add_subcommand("reset", "Let variables follow the script again, whatever wider settings say");
  reset_command->add_option("instrument", to_reset->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  reset_command->add_option("names", to_reset->rest, "The variables; standard.NAME or advanced.NAME where both have it")->type_name("VARIABLE")->required();
  add_scope_options(*reset_command, to_reset->scope);
  add_change_options(*reset_command, to_reset->change);
  reset_command->footer(
      "One of --default, --from-run and --experiment is needed. vars clear takes a setting back; this is one.\n"
      "Example: runledger vars reset MARI mon --from-run 28000");
  reset_command->callback([&context, to_reset] { context.finish(reset(context, *to_reset)); });

  auto to_clear = std::make_shared<VarsOptions>();
  CLI::App* clear_command = vars->add_subcommand("clear", "Take back what was set; without names everything set for those runs");
  clear_command->add_option("instrument", to_clear->instrument, "Instrument, as runledger status lists it")
      ->type_name("NAME")
      ->required();
  clear_command->add_option("names", to_clear->rest, "Only these variables; else all that are set for those runs")
      ->type_name("NAME");
  add_scope_options(*clear_command, to_clear->scope);
  add_change_options(*clear_command, to_clear->change);
  clear_command->footer(
      "One of --default, --from-run and --experiment is needed.\nExample: runledger vars clear MARI mon --experiment 2010001");
  clear_command->callback([&context, to_clear] { context.finish(clear(context, *to_clear)); });

  add_vars_upcoming(*vars, context);
  add_vars_history(*vars, context);
  add_vars_blame(*vars, context);
}

}  // namespace tools
