#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>

#include "tools/commands/commands.h"
#include "tools/json_output.h"

namespace tools {
namespace {

base::Result<Events> events_of(Client& client, const RunSelection& selection) {
  if (selection.ranges.empty()) {
    return history(client, [&](schema::Subject::Builder subject) { subject.setInstrument(kj_text(selection.instrument)); });
  }
  RunName name{selection.instrument, selection.ranges[0].first, selection.version};
  base::Result<ShownRun> shown = show_run(client, name);
  if (!shown.is_ok()) return shown.status();
  return run_history(client, name.instrument, name.run_number);
}

/// The events that led to those listed and are not among them: a pause, a setting, a worker that left.
base::Result<Events> outside_causes(Client& client, const Events& events) {
  std::set<uint64_t> wanted;
  for (const auto& event : events) wanted.insert(event.get().getCause());
  wanted.erase(0);
  for (const auto& event : events) wanted.erase(event.get().getSeq());
  Events causes;
  for (const uint64_t seq : wanted) {
    base::Result<Events> found = history(client, [&](schema::Subject::Builder subject) { subject.setSeq(seq); });
    if (!found.is_ok()) return found;
    merge(causes, std::move(*found));
  }
  return causes;
}

base::Result<int> explain(Context& context, const std::vector<std::string>& words) {
  base::Result<RunSelection> selection = context.selection(words);
  if (!selection.is_ok()) return selection.status();
  if (!selection->ranges.empty() && !selection->is_one_run()) {
    return base::Status(base::Code::kInvalidArgument, "one run is explained at a time; write runledger explain MARI 28001");
  }
  base::Result<Events> events = events_of(**context.client(), *selection);
  if (!events.is_ok()) return events.status();

  base::Result<Events> causes = outside_causes(**context.client(), *events);
  if (!causes.is_ok()) return causes.status();

  JobNames jobs;
  for (const auto& event : *events) jobs.learn(event.get());
  std::map<uint64_t, EventLine> lines;
  for (const auto& event : *causes) lines[event.get().getSeq()] = event_line(event.get(), jobs);
  for (const auto& event : *events) lines[event.get().getSeq()] = event_line(event.get(), jobs);
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"WHAT"}, {"WHY", Table::Align::kLeft, true}, {"REASON"}, {"CAUSE"}});
  for (const auto& event : *events) {
    const EventLine& line = lines[event.get().getSeq()];
    if (selection->version != 0 && line.subject.version != 0 && line.subject.version != selection->version) continue;
    const EventLine* cause = line.cause == 0 ? nullptr : &lines[line.cause];
    json.push_back(event_json(line));
    json.back()["cause_kind"] = cause == nullptr ? Json() : Json(cause->kind);
    json.back()["cause_text"] = cause == nullptr ? Json() : text_or_null(cause->text);
    table.add({std::to_string(line.seq), human_time(line.time_ns), kind_words(line.kind), line.text, or_dash(line.code),
               cause == nullptr ? "-" : fmt::format("{} {}", line.cause, kind_words(cause->kind))});
  }
  return context.print_listing(json, table, fmt::format("nothing is recorded about {}", selection->instrument));
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("explain", "Every decision about a run (or an instrument): what, why, and the event that led to it");
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("run", *words, "Run, version or instrument")->type_name("RUN|INSTRUMENT")->required();
  command->footer("Example: runledger explain MARI 28001");
  command->callback([&context, words] { context.finish(explain(context, *words)); });
}

}  // namespace tools
