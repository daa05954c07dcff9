#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/script_files.h"
#include "tools/version_diff.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

/// One version with all that is compared.
struct Side {
  ShownVersion version;
  VersionDetail detail;
  ScriptFiles script;
};

base::Result<Side> read_side(Context& context, const std::string& word) {
  base::Result<RunName> name = context.run({&word, 1});
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownVersion> version = show_version(client, *name);
  if (!version.is_ok()) return version.status();
  base::Result<VersionDetail> detail = version_detail(client, version->job);
  if (!detail.is_ok()) return detail.status();
  ScriptFiles script = script_files(version->name, version->job.getQueued());
  return Side{std::move(*version), std::move(*detail), std::move(script)};
}

struct Section {
  const char* title;  // also the field in JSON
  std::vector<Difference> differences;
};

/// "support_files" -> "support files".
std::string spaced(std::string title) {
  std::replace(title.begin(), title.end(), '_', ' ');
  return title;
}

std::vector<Section> sections_of(const Side& a, const Side& b) {
  const auto state = [](const Side& side) { return Parts{{"state", enum_word(side.detail.job.getState())}}; };
  return {{"variables", differences(variable_parts(a.detail), variable_parts(b.detail))},
          {"environment", differences(environment_parts(a.detail), environment_parts(b.detail))},
          {"inputs", differences(input_parts(a.detail), input_parts(b.detail))},
          {"support_files", differences(support_parts(a.detail), support_parts(b.detail))},
          {"outputs", differences(output_parts(a.detail), output_parts(b.detail))},
          {"outcome", differences(state(a), state(b))}};
}

Json side_json(const Side& side) {
  const auto run = side.version.shown.getRun().getRun();
  const std::optional<int64_t> duration = duration_ns(side.detail);
  return {{"instrument", base::to_utf8(text_of(run.getInstrument()))},
          {"run_number", run.getRunNumber()},
          {"version", side.detail.job.getQueued().getVersion()},
          {"state", enum_word(side.detail.job.getState())},
          {"reason", text_or_null(text_of(side.detail.job.getQueued().getReason().getText()))},
          {"reason_code", text_or_null(text_of(side.detail.job.getQueued().getReason().getCode()))},
          {"duration_ns", duration ? Json(*duration) : Json()}};
}

Json diff_json(const Side& a, const Side& b, const std::vector<ScriptDifference>& scripts, const std::vector<Section>& sections, bool same) {
  Json json = {{"a", side_json(a)}, {"b", side_json(b)}, {"same", same}};
  json["scripts"] = Json::array();
  for (const ScriptDifference& script : scripts) json["scripts"].push_back(difference_json(script));
  for (const Section& section : sections) {
    const bool values = std::string_view(section.title) == "variables";
    const auto side = [&](const std::optional<std::string>& text) {
      if (!text) return Json();
      return values ? json_value(*text) : Json(base::to_utf8(*text));
    };
    json[section.title] = Json::array();
    for (const Difference& difference : section.differences) {
      json[section.title].push_back({{"name", base::to_utf8(difference.name)}, {"in_a", difference.a.has_value()}, {"a", side(difference.a)},
                                     {"in_b", difference.b.has_value()}, {"b", side(difference.b)}});
    }
  }
  return json;
}

std::string side_text(const Side& side) {
  const auto reason = side.detail.job.getQueued().getReason();
  const std::optional<int64_t> duration = duration_ns(side.detail);
  return fmt::format("{}: {}, {}; {}", side.version.name, enum_word(side.detail.job.getState()),
                     duration ? "took " + human_duration(*duration) : "not finished", text_of(reason.getText()));
}

base::Result<int> diff(Context& context, const std::vector<std::string>& words) {
  base::Result<Side> a = read_side(context, words[0]);
  if (!a.is_ok()) return a.status();
  base::Result<Side> b = read_side(context, words[1]);
  if (!b.is_ok()) return b.status();
  base::Result<std::vector<ScriptDifference>> scripts = script_differences(**context.client(), a->script, b->script);
  if (!scripts.is_ok()) return scripts.status();
  const std::vector<Section> sections = sections_of(*a, *b);
  bool same = scripts->empty();
  for (const Section& section : sections) same = same && section.differences.empty();

  if (context.options.json) {
    context.print(diff_json(*a, *b, *scripts, sections, same));
    return same ? kDone : kNothingFound;
  }
  context.out << labelled({{"a", side_text(*a)}, {"b", side_text(*b)}});
  for (const ScriptDifference& script : *scripts) {
    context.out << fmt::format("\n{}\n", script.name.empty() ? "script" : "script file " + base::printable(script.name));
    context.print_raw(script.diff);
  }
  for (const Section& section : sections) {
    if (section.differences.empty()) continue;
    Table table({{"NAME"}, {"A", Table::Align::kLeft, true}, {"B", Table::Align::kLeft, true}});
    for (const Difference& difference : section.differences) {
      table.add({difference.name, difference.a.value_or("-"), difference.b.value_or("-")});
    }
    context.out << fmt::format("\n{}\n", spaced(section.title));
    context.print(table);
  }
  if (same) context.say("they do not differ in script, variables, environment, inputs, support files, outputs or outcome");
  return same ? kDone : kNothingFound;
}

}  // namespace

void add_diff(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("diff", "How two versions differ: script, variables, environment, inputs, support files, outputs, outcome");
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("versions", *words, "Two versions, or runs for their latest; each in one word")->type_name("A B")->required()->expected(2);
  command->footer("Exit code 0 when nothing differs, 1 when something does; duration and reason are shown and not compared.\n"
                  "Example: runledger diff MARI/28001/v1 MARI/28001/v2");
  command->callback([&context, words] { context.finish(diff(context, *words)); });
}

}  // namespace tools
