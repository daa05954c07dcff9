#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

using Body = schema::Event::Body;

struct TraceOptions {
  std::vector<std::string> words;
  bool script = false;
};

base::Result<Events> one_event(Client& client, uint64_t seq) {
  return history(client, [&](schema::Subject::Builder subject) { subject.setSeq(seq); });
}

/// Every event that made this version: the run's up to the job, the request, the settings of its variables, the job's own.
base::Result<Events> version_events(Client& client, const RunName& name, const VersionDetail& detail) {
  base::Result<Events> events = job_history(client, detail.job.getJob());
  if (!events.is_ok()) return events;
  base::Result<Events> of_run = run_history(client, name.instrument, name.run_number);
  if (!of_run.is_ok()) return of_run;
  std::set<uint64_t> wanted;
  for (auto variable : detail.variables.get().getVariables()) {
    if (variable.getSetSeq() != 0) wanted.insert(variable.getSetSeq());
  }
  for (const auto& event : *events) {
    if (event.get().getCause() != 0) wanted.insert(event.get().getCause());
  }
  Events before;
  for (auto& event : *of_run) {
    switch (event.get().getBody().which()) {
      case Body::RUN_DETECTED:
      case Body::RUN_REVISED:
      case Body::RUN_ANNOTATED:
      case Body::RAW_FILE_REFUSED:
        if (event.get().getSeq() < detail.job.getJob()) before.push_back(std::move(event));
        break;
      default: break;
    }
  }
  merge(*events, std::move(before));
  for (const auto& event : *events) wanted.erase(event.get().getSeq());
  for (uint64_t seq : wanted) {
    base::Result<Events> found = one_event(client, seq);
    if (!found.is_ok()) return found;
    merge(*events, std::move(*found));
  }
  return events;
}

std::string event_table(const std::vector<EventLine>& lines, const Terminal& terminal) {
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"WHAT"}, {"BY"}, {"TEXT", Table::Align::kLeft, true}});
  for (const EventLine& line : lines) {
    table.add({std::to_string(line.seq), exact_time(line.time_ns), kind_words(line.kind), actor_text(line), line.text});
  }
  return table.text(terminal);
}

std::string environment_text(schema::Environment::Reader environment) {
  if (environment.getHost().size() == 0 && environment.getInterpreterPath().size() == 0) return "not recorded yet";
  return fmt::format("{} ({})\n{} on {}\nrunledger {}", text_of(environment.getInterpreterPath()), text_of(environment.getInterpreterVersion()),
                     text_of(environment.getHost()), text_of(environment.getKernel()), text_of(environment.getRunledgerVersion()));
}

/// "alice (peer uid 1000; scientist of MARI by group isis_mari_team)"
std::string requester_text(schema::Actor::Reader actor) {
  return fmt::format("{} ({}{}{})", text_of(actor.getName()), text_of(actor.getProof()), actor.getRight().size() == 0 ? "" : "; ", text_of(actor.getRight()));
}

/// The chain from raw bytes to output, in the order things happened.
Labelled chain(schema::RunRow::Reader run, const VersionDetail& detail) {
  schema::JobQueued::Reader queued = detail.job.getQueued();
  std::string siblings, attempts, outputs, log = "none";
  for (auto file : queued.getSiblings()) siblings += fmt::format("\n{} sha256 {}", text_of(file.getName()), base::hex(bytes_of(file.getSha256())));
  for (auto attempt : detail.job.getAttempts()) {
    attempts += (attempts.empty() ? "" : "\n") + attempt_text(attempt);
    log = attempt.getLog().size() == 0 ? "none" : "sha256 " + base::hex(bytes_of(attempt.getLog()));
  }
  for (auto file : detail.outputs.get().getFiles()) {
    outputs += fmt::format("{}{}/{} ({})\nsha256 {}", outputs.empty() ? "" : "\n", detail.output_directory, text_of(file.getPath()),
                           human_size(file.getSizeBytes()), base::hex(bytes_of(file.getSha256())));
  }
  return {{"version", run_text(text_of(run.getRun().getInstrument()), run.getRun().getRunNumber(), queued.getVersion())},
          {"state", enum_word(detail.job.getState())},
          {"because", decision_text(detail.job.getReason())},
          {"queued", fmt::format("{}, {}", human_time(detail.job.getQueuedAt()), text_of(queued.getReason().getText()))},
          {"raw files", files_text(queued.getInputs())},
          {"script", fmt::format("{} ({} contract)\nsha256 {}{}", text_of(queued.getScriptPath()), enum_word(queued.getContract()),
                                 base::hex(bytes_of(queued.getScriptSha256())), siblings)},
          {"requested by", requester_text(detail.job.getRequestedBy())},
          {"environment", environment_text(detail.environment.get())},
          {"attempts", attempts.empty() ? "none yet" : attempts},
          {"outputs", outputs.empty() ? "none" : outputs},
          {"log", log}};
}

Json trace_json(schema::RunRow::Reader run, const VersionDetail& detail) {
  Json json = {{"instrument", base::to_utf8(text_of(run.getRun().getInstrument()))}, {"run_number", run.getRun().getRunNumber()}};
  json["title"] = text_or_null(text_of(run.getTitle()));
  Json version = version_json(detail);
  json["raw_files"] = version["inputs"];
  for (auto& [field, value] : version.items()) json[field] = value;
  json["environment"] = detail.job.getAttempts().size() == 0 ? Json() : environment_json(detail.environment.get());
  json["run"] = metadata_json(run.getMetadata());
  return json;
}

void add_history(Json& json, const std::vector<EventLine>& lines) {
  json["events"] = Json::array();
  json["history"] = Json::array();
  for (const EventLine& line : lines) {
    json["events"].push_back(line.seq);
    json["history"].push_back(event_json(line));
  }
}

/// A run that has no version: what is known of it, and why there is none.
base::Result<int> trace_without_version(Context& context, Client& client, const RunName& name, schema::RunRow::Reader run) {
  base::Result<Events> events = run_history(client, name.instrument, name.run_number);
  if (!events.is_ok()) return events.status();
  std::vector<EventLine> lines;
  for (const auto& event : *events) lines.push_back(event_line(event.get(), JobNames()));
  if (context.options.json) {
    Json json = run_json(run);
    json["run"] = metadata_json(run.getMetadata());
    add_history(json, lines);
    context.print(json);
  } else {
    context.out << labelled(run_lines(run)) << "\nno version yet\n\n" << event_table(lines, context.terminal);
  }
  return kDone;
}

base::Result<int> trace(Context& context, const TraceOptions& options) {
  base::Result<RunName> name = context.run(options.words);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownRun> shown = show_run(client, *name);
  if (!shown.is_ok()) return shown.status();
  std::optional<schema::JobRow::Reader> job = chosen_version(*shown, name->version);
  if (!job) return trace_without_version(context, client, *name, shown->getRun());
  base::Result<VersionDetail> detail = version_detail(client, *job, shown->getVersions());
  if (!detail.is_ok()) return detail.status();
  for (const std::string& reason : detail->missing) context.say(reason);
  base::Result<Events> events = version_events(client, *name, *detail);
  if (!events.is_ok()) return events.status();
  std::string script;
  if (options.script) {
    base::Result<std::string> text = blob(client, bytes_of(job->getQueued().getScriptSha256()));
    if (!text.is_ok()) return text.status();
    script = std::move(*text);
  }

  JobNames jobs;
  std::vector<EventLine> lines;
  for (const auto& event : *events) jobs.learn(event.get());
  for (const auto& event : *events) lines.push_back(event_line(event.get(), jobs));
  if (context.options.json) {
    Json json = trace_json(shown->getRun(), *detail);
    if (options.script) json["script"]["text"] = base::to_utf8(script);
    add_history(json, lines);
    context.print(json);
    return kDone;
  }
  context.out << labelled(chain(shown->getRun(), *detail)) << '\n';
  std::string variables = variable_table_text(detail->variables.get(), context.terminal);
  context.out << (variables.empty() ? "no variables\n" : variables) << '\n' << event_table(lines, context.terminal);
  if (options.script) {
    context.out << '\n';
    context.print_raw(script);
  }
  return kDone;
}

}  // namespace

void add_trace(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("trace", "Exactly which bytes, script and variables made a version, and every event on the way");
  auto options = std::make_shared<TraceOptions>();
  command->add_option("run", options->words, "Run or version; without a version the latest")->type_name("RUN")->required();
  command->add_flag("--script", options->script, "Print the script's stored text too");
  command->footer("Example: runledger trace MARI/28001/v2");
  command->callback([&context, options] { context.finish(trace(context, *options)); });
}

}  // namespace tools
