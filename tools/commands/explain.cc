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

/// What many runs were made for, or with: said beside what it led to.
bool is_shared(schema::Event::Reader event) {
  using Body = schema::Event::Body;
  switch (event.getBody().which()) {
    case Body::CAMPAIGN_STARTED:
    case Body::CAMPAIGN_PAUSED:
    case Body::CAMPAIGN_STOPPED:
    case Body::STAGE_SET:
    case Body::COMBINATION_REQUESTED: return true;
    default: return false;
  }
}

/// The names of the jobs that these events are about.
base::Result<JobNames> names_of(Client& client, const Events& events) {
  JobNames jobs;
  for (const auto& event : events) jobs.learn(event.get());
  for (const auto& event : events) {
    const uint64_t job = job_of(event.get());
    if (job == 0 || jobs.find(job)) continue;
    base::Result<Events> queued = history(client, [&](schema::Subject::Builder subject) { subject.setSeq(job); });
    if (!queued.is_ok() && queued.status().code() == base::Code::kNotFound) continue;
    if (!queued.is_ok()) return queued.status();
    for (const auto& found : *queued) jobs.learn(found.get());
  }
  return jobs;
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
    if (!found.is_ok() && found.status().code() == base::Code::kNotFound) continue;  // not for the caller's eyes
    if (!found.is_ok()) return found;
    merge(causes, std::move(*found));
  }
  return causes;
}

base::Result<int> explain_events(Context& context, Events events, uint16_t version, const std::string& nothing) {
  Client& client = **context.client();
  base::Result<Events> causes = outside_causes(client, events);
  if (!causes.is_ok()) return causes.status();
  std::set<uint64_t> listed;
  for (const auto& event : events) listed.insert(event.get().getSeq());
  for (const auto& event : *causes) {
    if (is_shared(event.get())) listed.insert(event.get().getSeq());
  }
  merge(events, std::move(*causes));
  base::Result<JobNames> jobs = names_of(client, events);
  if (!jobs.is_ok()) return jobs.status();
  std::map<uint64_t, EventLine> lines;
  for (const auto& event : events) lines[event.get().getSeq()] = event_line(event.get(), *jobs);
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"WHAT"}, {"WHY", Table::Align::kLeft, true}, {"REASON"}, {"CAUSE"}});
  for (const uint64_t seq : listed) {
    const EventLine& line = lines[seq];
    if (!line.subject.fits_version(version)) continue;
    const EventLine* cause = lines.contains(line.cause) ? &lines[line.cause] : nullptr;
    json.push_back(event_json(line));
    json.back()["cause_kind"] = cause == nullptr ? Json() : Json(cause->kind);
    json.back()["cause_text"] = cause == nullptr ? Json() : text_or_null(cause->text);
    table.add({std::to_string(line.seq), human_time(line.time_ns), kind_words(line.kind), line.text, or_dash(line.code),
               line.cause == 0 ? "-" : fmt::format("{}{}", line.cause, cause == nullptr ? "" : " " + kind_words(cause->kind))});
  }
  return context.print_listing(json, table, nothing);
}

struct ExplainOptions {
  std::vector<std::string> words;
  uint64_t campaign = 0;  // 0 = the words name what is explained
};

base::Result<int> explain_campaign(Context& context, uint64_t campaign) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<Events> events = history(**client, [&](schema::Subject::Builder subject) { subject.setCampaign(campaign); });
  if (!events.is_ok()) return events.status();
  return explain_events(context, std::move(*events), 0, fmt::format("campaign {}: nothing is recorded about it; `runledger campaign list` lists those there are", campaign));
}

base::Result<int> explain(Context& context, const ExplainOptions& options) {
  if (options.words.empty() != (options.campaign != 0)) {
    return base::Status(base::Code::kInvalidArgument, "name a run, version or instrument, or a campaign with --campaign, and not both");
  }
  if (options.campaign != 0) return explain_campaign(context, options.campaign);
  base::Result<RunSelection> selection = context.selection(options.words);
  if (!selection.is_ok()) return selection.status();
  if (!selection->ranges.empty() && !selection->is_one_run()) {
    return base::Status(base::Code::kInvalidArgument, "one run is explained at a time; write runledger explain MARI 28001");
  }
  base::Result<Events> events = events_of(**context.client(), *selection);
  if (!events.is_ok()) return events.status();
  return explain_events(context, std::move(*events), selection->version, fmt::format("nothing is recorded about {}", selection->instrument));
}

}  // namespace

void add_explain(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("explain", "Every decision about a run, an instrument or a campaign: what, why, and the event that led to it");
  auto options = std::make_shared<ExplainOptions>();
  command->add_option("run", options->words, "Run, version or instrument")->type_name("RUN|INSTRUMENT");
  command->add_option("--campaign", options->campaign, "Instead the decisions about this campaign")->type_name("NUMBER")->check(CLI::PositiveNumber);
  command->footer("Example: runledger explain MARI 28001");
  command->callback([&context, options] { context.finish(explain(context, *options)); });
}

}  // namespace tools
