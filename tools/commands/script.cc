#include <fmt/format.h>

#include <memory>
#include <optional>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/unified_diff.h"

namespace tools {
namespace {

struct ScriptOptions {
  std::vector<std::string> words;
  std::string file;
};

/// A script's identity, wherever it was found.
struct FoundScript {
  std::string name;    // what was asked for: "MARI 28001 v2"
  std::string path;
  std::string sha256;  // bytes
  std::vector<std::pair<std::string, std::string>> siblings;
};

std::string no_script_yet(const std::string& instrument) {
  return fmt::format("{} has no script registered yet; it is read when a run is reduced", instrument);
}

template <typename Source>
void take_siblings(FoundScript& script, Source source) {
  for (auto file : source.getSiblings()) script.siblings.emplace_back(file.getName().cStr(), bytes_of(file.getSha256()));
}

base::Result<FoundScript> script_of_version(Client& client, const RunName& run) {
  base::Result<ShownVersion> version = show_version(client, run);
  if (!version.is_ok()) return version.status();
  auto queued = version->job.getQueued();
  FoundScript script{
      version->name, std::string(text_of(queued.getScriptPath())), std::string(bytes_of(queued.getScriptSha256())), {}};
  take_siblings(script, queued);
  return script;
}

base::Result<FoundScript> script_of_instrument(Client& client, const std::string& name) {
  base::Result<schema::Instrument::Client> of = instrument(client, name);
  if (!of.is_ok()) return of.status();
  auto row = ask(client, of->showRequest());
  if (!row.is_ok()) return row.status();
  auto registered = row->getInstrument().getScript();
  if (registered.getSha256().size() == 0) {
    return base::Status(base::Code::kNotFound, no_script_yet(name));
  }
  FoundScript script{name, std::string(text_of(registered.getPath())), std::string(bytes_of(registered.getSha256())), {}};
  take_siblings(script, registered);
  return script;
}

base::Result<FoundScript> find_script(Context& context, const std::vector<std::string>& words) {
  base::Result<RunSelection> selection = context.selection(words);
  if (!selection.is_ok()) return selection.status();
  Client& client = **context.client();
  if (selection->ranges.empty()) return script_of_instrument(client, selection->instrument);
  if (!selection->is_one_run()) return base::Status(base::Code::kInvalidArgument, "the script of one run is shown at a time");
  return script_of_version(client, {selection->instrument, selection->ranges[0].first, selection->version});
}

/// The text of the script itself, or of a file beside it. kNotFound: there is no such file.
base::Result<std::string> text_of_script(Client& client, const FoundScript& script, const std::string& file) {
  if (file.empty()) return blob(client, script.sha256);
  std::string names;
  for (const auto& [name, sha256] : script.siblings) {
    if (name == file) return blob(client, sha256);
    names += (names.empty() ? "" : ", ") + name;
  }
  return base::Status(base::Code::kNotFound, fmt::format("{}: no file {} was kept beside the script{}", script.name, base::printable(file),
                                                         names.empty() ? "" : "; there is " + names));
}

Json found_json(const FoundScript& script) {
  Json json = {{"path", text_or_null(script.path)}, {"sha256", hash_or_null(script.sha256)}};
  json["siblings"] = Json::array();
  for (const auto& [name, sha256] : script.siblings) json["siblings"].push_back({{"name", base::to_utf8(name)}, {"sha256", hash_or_null(sha256)}});
  return json;
}

base::Result<int> show(Context& context, const ScriptOptions& options) {
  base::Result<FoundScript> script = find_script(context, options.words);
  if (!script.is_ok()) return script.status();
  base::Result<std::string> text = text_of_script(**context.client(), *script, options.file);
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

base::Result<int> list(Context& context, const std::string& word) {
  base::Result<std::string> name = context.instrument(word);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto answer = ask(client, of->scriptsRequest());
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"REGISTERED"}, {"SHA256"}, {"PATH", Table::Align::kLeft, true}, {"PROBLEM", Table::Align::kLeft, true}});
  for (auto row : answer->getScripts()) {
    json.push_back(script_json(row));
    table.add({std::to_string(row.getSeq()), human_time(row.getRegisteredAt()), short_hash(bytes_of(row.getScript().getSha256())),
               row.getScript().getPath().cStr(), or_dash(text_of(row.getScript().getProblem()))});
  }
  return context.print_listing(json, table, no_script_yet(*name));
}

base::Result<int> diff(Context& context, const std::vector<std::string>& sides, const std::string& file) {
  std::vector<FoundScript> scripts;
  std::vector<std::string> texts;
  for (const std::string& side : sides) {
    base::Result<FoundScript> script = find_script(context, {side});
    if (!script.is_ok()) return script.status();
    base::Result<std::string> text = text_of_script(**context.client(), *script, file);
    if (!text.is_ok()) return text.status();
    scripts.push_back(std::move(*script));
    texts.push_back(std::move(*text));
  }
  auto heading = [](const FoundScript& script) {
    return fmt::format("{} {} sha256 {}", base::printable(script.name), base::printable(script.path), base::hex(script.sha256));
  };
  std::string difference = unified_diff(texts[0], texts[1], heading(scripts[0]), heading(scripts[1]));
  if (context.options.json) {
    context.print(Json{{"a", found_json(scripts[0])}, {"b", found_json(scripts[1])}, {"same", difference.empty()}, {"diff", base::to_utf8(difference)}});
  } else {
    context.print_raw(difference);
    if (difference.empty()) context.say("the scripts are the same, byte for byte");
  }
  return kDone;
}

}  // namespace

void add_script(CLI::App& app, Context& context) {
  CLI::App* script = app.add_subcommand("script", "Reduction scripts: show, list, diff");
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

  auto sides = std::make_shared<std::vector<std::string>>();
  auto file = std::make_shared<std::string>();
  CLI::App* diff_command = script->add_subcommand("diff", "How two scripts differ");
  diff_command->add_option("scripts", *sides, "Two of: instrument, run, version; each in one word")->type_name("A B")->required()->expected(2);
  diff_command->add_option("--file", *file, "Compare a file kept beside the scripts instead")->type_name("NAME");
  diff_command->footer("Example: runledger script diff MARI/28001/v1 MARI");
  diff_command->callback([&context, sides, file] { context.finish(diff(context, *sides, *file)); });
}

}  // namespace tools
