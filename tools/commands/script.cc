#include <capnp/message.h>
#include <fmt/format.h>

#include <map>
#include <memory>

#include "base/text.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/script_files.h"

namespace tools {
namespace {

struct ScriptOptions {
  std::vector<std::string> words;
  std::string file;
};

std::string no_script_yet(const std::string& instrument) {
  return fmt::format("{} has no script registered yet; it is read when a run is reduced", instrument);
}

base::Result<ScriptFiles> script_of_version(Client& client, const RunName& run) {
  base::Result<ShownVersion> version = show_version(client, run);
  if (!version.is_ok()) return version.status();
  return script_files(version->name, version->job.getQueued());
}

base::Result<ScriptFiles> script_of_instrument(Client& client, const std::string& name) {
  base::Result<schema::Instrument::Client> of = instrument(client, name);
  if (!of.is_ok()) return of.status();
  auto row = ask(client, of->showRequest());
  if (!row.is_ok()) return row.status();
  const auto registered = row->getInstrument().getScript();
  if (registered.getSha256().size() > 0) return script_files(name, registered);
  return base::Status(base::Code::kNotFound, no_script_yet(name));
}

base::Result<ScriptFiles> find_script(Context& context, const std::vector<std::string>& words) {
  base::Result<RunSelection> selection = context.selection(words);
  if (!selection.is_ok()) return selection.status();
  Client& client = **context.client();
  if (selection->ranges.empty()) return script_of_instrument(client, selection->instrument);
  if (!selection->is_one_run()) return base::Status(base::Code::kInvalidArgument, "the script of one run is shown at a time");
  return script_of_version(client, {selection->instrument, selection->ranges[0].first, selection->version});
}

/// Of the files beside the script; kNotFound names those there are.
base::Status check_file(const ScriptFiles& script, const std::string& file) {
  if (script.files.contains(file)) return {};
  std::string names;
  for (const auto& [name, sha256] : script.files) {
    if (!name.empty()) names += (names.empty() ? "" : ", ") + name;
  }
  return {base::Code::kNotFound, fmt::format("{}: no file {} was kept beside the script{}", script.name, base::printable(file),
                                             names.empty() ? "" : "; there is " + base::printable(names))};
}

Json found_json(const ScriptFiles& script) {
  Json json = {{"path", text_or_null(script.path)}, {"sha256", hash_or_null(script.files.at(""))}};
  json["siblings"] = Json::array();
  for (const auto& [name, sha256] : script.files) {
    if (!name.empty()) json["siblings"].push_back({{"name", base::to_utf8(name)}, {"sha256", hash_or_null(sha256)}});
  }
  return json;
}

base::Result<int> show(Context& context, const ScriptOptions& options) {
  base::Result<ScriptFiles> script = find_script(context, options.words);
  if (!script.is_ok()) return script.status();
  if (base::Status status = check_file(*script, options.file); !status.is_ok()) return status;
  base::Result<std::string> text = blob(**context.client(), script->files.at(options.file));
  if (!text.is_ok()) return text.status();
  if (context.options.json) {
    Json json = found_json(*script);
    json["text"] = base::to_utf8(*text);
    context.print(json);
  } else {
    context.print_raw(*text);
  }
  return kDone;
}

std::string siblings_text(capnp::List<schema::ScriptFile>::Reader siblings) {
  std::string text;
  for (auto file : siblings) text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(file.getName()));
  return or_dash(text);
}

base::Result<int> list(Context& context, const std::string& word) {
  base::Result<std::string> name = context.instrument(word);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto answer = ask(client, of->scriptsRequest());
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"REGISTERED"}, {"SHA256"}, {"PATH", Table::Align::kLeft, true}, {"BESIDE IT", Table::Align::kLeft, true}, {"PROBLEM", Table::Align::kLeft, true}});
  for (auto row : answer->getScripts()) {
    json.push_back(script_json(row));
    table.add({std::to_string(row.getSeq()), human_time(row.getRegisteredAt()), short_hash(bytes_of(row.getScript().getSha256())),
               row.getScript().getPath().cStr(), siblings_text(row.getScript().getSiblings()), or_dash(text_of(row.getScript().getProblem()))});
  }
  return context.print_listing(json, table, no_script_yet(*name));
}

/// Runs whose newest result was made with a script of this text.
struct Use {
  uint64_t runs = 0, first = 0, last = 0;
};

base::Result<Use> use_of(Client& client, const std::string& instrument, capnp::Data::Reader sha256, ProgressLine& progress) {
  capnp::MallocMessageBuilder message;
  auto filter = message.initRoot<schema::RunFilter>();
  filter.setInstrument(kj_text(instrument));
  filter.setScript(sha256);
  Use use;
  base::Result<bool> read = read_runs(client, filter, 0, [&](schema::RunRow::Reader run) {
    const uint64_t number = run.getRun().getRunNumber();
    if (use.runs == 0) use.first = number;
    use.last = number;
    if (++use.runs % 1000 == 0) progress.show(fmt::format("{}: {} runs", short_hash(bytes_of(sha256)), use.runs));
    return true;
  });
  if (!read.is_ok()) return read.status();
  return use;
}

base::Result<int> history(Context& context, const std::string& word) {
  base::Result<std::string> name = context.instrument(word);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto answer = ask(client, of->scriptsRequest());
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"REGISTERED"}, {"SHA256"}, {"RUNS", Table::Align::kRight}, {"FIRST", Table::Align::kRight},
               {"LAST", Table::Align::kRight}, {"PROBLEM", Table::Align::kLeft, true}});
  std::map<std::string, Use> uses;  // a text may have come back
  ProgressLine progress(context);
  for (auto row : answer->getScripts()) {
    const auto script = row.getScript();
    const auto [known, is_new] = uses.try_emplace(std::string(bytes_of(script.getSha256())));
    if (is_new) {
      base::Result<Use> use = use_of(client, *name, script.getSha256(), progress);
      if (!use.is_ok()) return use.status();
      known->second = *use;
    }
    const Use& use = known->second;
    json.push_back(script_json(row));
    json.back()["runs"] = use.runs;
    json.back()["first_run"] = use.runs == 0 ? Json() : Json(use.first);
    json.back()["last_run"] = use.runs == 0 ? Json() : Json(use.last);
    table.add({std::to_string(row.getSeq()), human_time(row.getRegisteredAt()), short_hash(bytes_of(script.getSha256())), std::to_string(use.runs),
               use.runs == 0 ? "-" : std::to_string(use.first), use.runs == 0 ? "-" : std::to_string(use.last), or_dash(text_of(script.getProblem()))});
  }
  progress.wipe();
  return context.print_listing(json, table, no_script_yet(*name));
}

base::Result<int> diff(Context& context, const std::vector<std::string>& sides, const std::string& file) {
  std::vector<ScriptFiles> scripts;
  for (const std::string& side : sides) {
    base::Result<ScriptFiles> script = find_script(context, {side});
    if (!script.is_ok()) return script.status();
    if (base::Status status = check_file(*script, file); !status.is_ok()) return status;
    scripts.push_back(std::move(*script));
  }
  auto found = script_differences(**context.client(), scripts[0], scripts[1], file.empty() ? nullptr : &file);
  if (!found.is_ok()) return found.status();
  std::string whole;
  Json files = Json::array();
  for (const ScriptDifference& difference : *found) {
    whole += difference.diff;
    files.push_back(difference_json(difference));
  }
  if (context.options.json) {
    context.print(Json{{"a", found_json(scripts[0])}, {"b", found_json(scripts[1])}, {"same", found->empty()}, {"diff", base::to_utf8(whole)}, {"files", files}});
  } else {
    context.print_raw(whole);
    if (found->empty()) context.say(file.empty() ? "the scripts and the files beside them are the same, byte for byte" : "the files are the same, byte for byte");
  }
  return kDone;
}

}  // namespace

void add_script(CLI::App& app, Context& context) {
  CLI::App* script = app.add_subcommand("script", "Reduction scripts: show, list, history, diff");
  script->require_subcommand(1);
  script->footer("Example: runledger script show MARI");

  auto shown = std::make_shared<ScriptOptions>();
  CLI::App* show_command = script->add_subcommand("show", "The text an instrument has now, or a version was made with");
  show_command->add_option("of", shown->words, "Instrument, run or version")->type_name("INSTRUMENT|RUN")->required();
  show_command->add_option("--file", shown->file, "A file kept beside the script instead (reduce_vars.py)")->type_name("NAME");
  show_command->footer("Example: runledger script show MARI/28001/v2 > reduce.py");
  show_command->callback([&context, shown] { context.finish(show(context, *shown)); });

  auto listed = std::make_shared<std::string>();
  CLI::App* list_command = script->add_subcommand("list", "Every text an instrument's script ever had");
  list_command->add_option("instrument", *listed, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  list_command->footer("Example: runledger script list MARI");
  list_command->callback([&context, listed] { context.finish(list(context, *listed)); });

  auto of_history = std::make_shared<std::string>();
  CLI::App* history_command = script->add_subcommand("history", "Every text an instrument's script ever had, and how many results each has made");
  history_command->add_option("instrument", *of_history, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  history_command->footer("A run counts for the text that made its result. Which runs: runledger runs MARI --script-hash SHA256.\nExample: runledger script history MARI");
  history_command->callback([&context, of_history] { context.finish(history(context, *of_history)); });

  auto sides = std::make_shared<std::vector<std::string>>();
  auto file = std::make_shared<std::string>();
  CLI::App* diff_command = script->add_subcommand("diff", "How two scripts differ, and the files beside them");
  diff_command->add_option("scripts", *sides, "Two of: instrument, run, version; each in one word")->type_name("A B")->required()->expected(2);
  diff_command->add_option("--file", *file, "Compare only a file of this name beside the scripts")->type_name("NAME");
  diff_command->footer("Example: runledger script diff MARI/28001/v1 MARI");
  diff_command->callback([&context, sides, file] { context.finish(diff(context, *sides, *file)); });
}

}  // namespace tools
