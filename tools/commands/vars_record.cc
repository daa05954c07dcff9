#include "tools/commands/vars_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

struct RecordOptions {
  std::string instrument;
  std::vector<std::string> names;
};

bool concerns(schema::Event::Reader event, const std::vector<std::string>& names) {
  auto wanted = [&](capnp::Text::Reader name) {
    return names.empty() || std::find(names.begin(), names.end(), std::string(text_of(name))) != names.end();
  };
  if (event.getBody().isVariablesSet()) {
    for (auto variable : event.getBody().getVariablesSet().getVariables()) {
      if (wanted(variable.getName())) return true;
    }
  } else if (event.getBody().isVariablesCleared()) {
    auto cleared = event.getBody().getVariablesCleared().getNames();
    if (cleared.size() == 0) return true;
    for (auto name : cleared) {
      if (wanted(name)) return true;
    }
  }
  return false;
}

Json change_json(schema::Event::Reader event) {
  Json json = event_json(event_line(event, JobNames()));
  bool is_set = event.getBody().isVariablesSet();
  json["scope"] = scope_json(is_set ? event.getBody().getVariablesSet().getScope() : event.getBody().getVariablesCleared().getScope());
  json["variables"] = Json::array();
  if (is_set) {
    for (auto variable : event.getBody().getVariablesSet().getVariables()) {
      json["variables"].push_back({{"name", base::to_utf8(text_of(variable.getName()))},
                                   {"group", enum_word(variable.getGroup())},
                                   {"value", setting_value(variable)},
                                   {"follows_script", variable.getFollowsScript()}});
    }
  } else {
    for (auto name : event.getBody().getVariablesCleared().getNames()) json["variables"].push_back({{"name", base::to_utf8(text_of(name))}});
  }
  auto comment = is_set ? event.getBody().getVariablesSet().getComment() : event.getBody().getVariablesCleared().getComment();
  json["comment"] = text_or_null(text_of(comment));
  return json;
}

base::Result<int> show_history(Context& context, const RecordOptions& options) {
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  base::Result<Events> events =
      history(**context.client(), [&](schema::Subject::Builder subject) { subject.setInstrument(kj_text(*name)); });
  if (!events.is_ok()) return events.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"BY"}, {"CHANGE", Table::Align::kLeft, true}});
  for (const auto& event : *events) {
    if (!concerns(event.get(), options.names)) continue;
    EventLine line = event_line(event.get(), JobNames());
    json.push_back(change_json(event.get()));
    table.add({std::to_string(line.seq), human_time(line.time_ns), line.actor, line.text});
  }
  return context.print_listing(json, table, fmt::format("{}: no variable was ever set", *name));
}

std::string versions_text(schema::VariableHistory::Reader value) {
  if (value.getVersionCount() == 0) return "-";
  std::vector<uint64_t> runs;
  for (auto version : value.getVersions()) runs.push_back(version.getRun().getRunNumber());
  std::string text = run_ranges_text(std::move(runs));
  const uint64_t unlisted = value.getVersionCount() - value.getVersions().size();
  if (unlisted > 0) text += fmt::format(" and {} more versions", unlisted);
  return text;
}

Json value_history_json(schema::VariableHistory::Reader value) {
  Json json = rule_json(value.getRule());
  if (value.getFromScript()) json["scope"]["kind"] = "script_default";
  json["ended_event"] = value.getEndedSeq() == 0 ? Json() : Json(value.getEndedSeq());
  json["version_count"] = value.getVersionCount();
  json["versions"] = Json::array();
  for (auto version : value.getVersions()) {
    json["versions"].push_back({{"run_number", version.getRun().getRunNumber()}, {"version", version.getVersion()}, {"job", version.getJob()}});
  }
  return json;
}

base::Result<int> show_blame(Context& context, const RecordOptions& options) {
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto request = of->blameRequest();
  request.setName(kj_text(options.names.front()));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"VALUE", Table::Align::kLeft, true}, {"FOR"}, {"SET BY"}, {"SET AT"}, {"ENDED BY"},
               {"REDUCED RUNS", Table::Align::kLeft, true}, {"COMMENT", Table::Align::kLeft, true}});
  for (auto value : answer->getValues()) {
    const auto rule = value.getRule();
    json.push_back(value_history_json(value));
    table.add({std::to_string(rule.getSeq()), setting_text(rule.getVariable()),
               value.getFromScript() ? "script default" : scope_text(rule.getScope()), or_dash(text_of(rule.getSetBy())),
               human_time(rule.getSetAt()), value.getEndedSeq() == 0 ? "holds" : fmt::format("event {}", value.getEndedSeq()),
               versions_text(value), or_dash(text_of(rule.getComment()))});
  }
  return context.print_listing(
      json, table, fmt::format("{}: no variable {} was ever set, and no script had one", *name, base::printable(options.names.front())));
}

}  // namespace

void add_vars_history(CLI::App& vars, Context& context) {
  auto options = std::make_shared<RecordOptions>();
  CLI::App* command = vars.add_subcommand("history", "Who set what, when");
  command->add_option("instrument", options->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  command->add_option("names", options->names, "Only these variables")->type_name("NAME");
  command->footer("Example: runledger vars history MARI mon");
  command->callback([&context, options] { context.finish(show_history(context, *options)); });
}

void add_vars_blame(CLI::App& vars, Context& context) {
  auto options = std::make_shared<RecordOptions>();
  options->names.resize(1);
  CLI::App* command = vars.add_subcommand("blame", "Every value one variable ever had: by whom, why, until when, and the runs reduced with it");
  command->add_option("instrument", options->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  command->add_option("name", options->names.front(), "The variable, spelt as in the script")->type_name("VARIABLE")->required();
  command->footer("Values given with one rerun are of that version alone; runledger trace shows them.\nExample: runledger vars blame MARI mon");
  command->callback([&context, options] { context.finish(show_blame(context, *options)); });
}

}  // namespace tools
