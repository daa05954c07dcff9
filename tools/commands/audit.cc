// audit: who could see what, who did what, who was refused what. Answered from the record alone.
#include <fmt/format.h>

#include <climits>
#include <deque>
#include <functional>
#include <memory>

#include "tools/access_json.h"
#include "tools/access_text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"

namespace tools {
namespace {

using base::Code;

base::Result<int> who_could_see(Context& context, const std::string& experiment) {
  base::Result<Client*> client = context.present_client();
  if (!client.is_ok()) return client.status();
  auto granted = ask(**client, (*client)->session().auditorRequest());
  if (!granted.is_ok()) return granted.status();
  auto request = granted->getAuditor().whoCouldSeeRequest();
  request.setExperiment(kj_text(experiment));
  if (context.options.at) {
    base::Result<MomentName> moment = context.moment("--at", *context.options.at);
    if (!moment.is_ok()) return moment.status();
    write_moment(*moment, request.initMoment());
  }
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"ACCOUNT"}, {"AS"}, {"BY", Table::Align::kLeft, true}, {"SINCE"}, {"EVENT", Table::Align::kRight}});
  for (auto row : answer->getAccounts()) {
    json.push_back(grant_json(row, true));
    table.add({std::string(text_of(row.getAccount())), role_text(row.getGrant()), giver_text(row.getGrant()), human_time(row.getSince()), std::to_string(row.getSeq())});
  }
  context.is_of(answer->getSeq(), answer->getTime());
  return context.print_listing(json, table, fmt::format("no role let anybody but the ledger's own account see experiment {}", experiment));
}

/// Which part of a history.
struct Span {
  std::string from, to;
  uint64_t last = 0;  // 0 = all
};

void add_span_options(CLI::App& command, Span& span) {
  command.add_option("--from", span.from, "From this time or event on, written as for --at")->type_name("TIME|SEQ");
  command.add_option("--to", span.to, "Up to and with this time or event")->type_name("TIME|SEQ");
  command.add_option("--last", span.last, "Only the last so many of them; 0 = all")->type_name("N");
}

struct Bounds {
  uint64_t first_seq = 0, last_seq = UINT64_MAX;
  int64_t first_ns = INT64_MIN, last_ns = INT64_MAX;
};

base::Result<Bounds> parse(Context& context, const Span& span) {
  Bounds bounds;
  if (!span.from.empty()) {
    base::Result<MomentName> moment = context.moment("--from", span.from);
    if (!moment.is_ok()) return moment.status();
    if (moment->seq == 0) bounds.first_ns = moment->time_ns;
    bounds.first_seq = moment->seq;
  }
  if (!span.to.empty()) {
    base::Result<MomentName> moment = context.moment("--to", span.to);
    if (!moment.is_ok()) return moment.status();
    if (moment->seq == 0) bounds.last_ns = moment->time_ns;
    if (moment->seq != 0) bounds.last_seq = moment->seq;
  }
  return bounds;
}

/// The event behind which those recorded from `time_ns` on lie; 0 = before all.
base::Result<uint64_t> event_before(Client& client, int64_t time_ns) {
  auto request = client.session().atRequest();
  request.initMoment().setTime(time_ns - 1);
  auto answer = ask(client, std::move(request));
  if (answer.is_ok()) return answer->getSeq();
  return answer.status().code() == Code::kNotFound ? base::Result<uint64_t>(0) : answer.status();
}

using IsWanted = std::function<bool(schema::Event::Reader)>;

/// The wanted events of those about a subject within a span, oldest first.
base::Result<std::deque<Document<schema::Event>>> events_within(Context& context, const Span& span, const SetSubject& subject, const IsWanted& is_wanted) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<Bounds> bounds = parse(context, span);
  if (!bounds.is_ok()) return bounds.status();
  uint64_t after = bounds->first_seq == 0 ? 0 : bounds->first_seq - 1;
  if (bounds->first_ns != INT64_MIN) {
    base::Result<uint64_t> before = event_before(**client, bounds->first_ns);
    if (!before.is_ok()) return before.status();
    after = *before;
  }
  std::deque<Document<schema::Event>> events;
  base::Status read = read_history(**client, subject, after, [&](Document<schema::Event> event) {
    if (event.get().getSeq() > bounds->last_seq || event.get().getTime() > bounds->last_ns) return false;
    if (is_wanted(event.get())) events.push_back(std::move(event));
    if (span.last != 0 && events.size() > span.last) events.pop_front();
    return true;
  });
  if (!read.is_ok()) return read;
  return events;
}

struct ActionsOptions {
  std::string account;
  Span span;
};

base::Result<int> actions(Context& context, const ActionsOptions& options) {
  // The record of an account also has what others did to its roles and tokens.
  auto events = events_within(
      context, options.span, [&](schema::Subject::Builder subject) { subject.setActor(kj_text(options.account)); },
      [&](schema::Event::Reader event) { return text_of(event.getActor().getName()) == options.account; });
  if (!events.is_ok()) return events.status();
  JobNames jobs;
  for (const auto& event : *events) jobs.learn(event.get());
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"WHAT"}, {"RIGHT"}, {"TEXT", Table::Align::kLeft, true}});
  for (const auto& event : *events) {
    const EventLine line = event_line(event.get(), jobs);
    json.push_back(watch_json(line));
    json.back()["proof"] = text_or_null(line.proof);
    table.add({std::to_string(line.seq), human_time(line.time_ns), kind_words(line.kind), or_dash(line.right), line.text});
  }
  return context.print_listing(json, table, fmt::format("nothing is recorded that {} did", options.account));
}

base::Result<int> denials(Context& context, const Span& span) {
  auto events = events_within(
      context, span, [](schema::Subject::Builder subject) { subject.setDenials(); }, [](schema::Event::Reader) { return true; });
  if (!events.is_ok()) return events.status();
  Json json = Json::array();
  Table table({{"EVENT", Table::Align::kRight}, {"TIME"}, {"ACCOUNT"}, {"ACTION"}, {"SUBJECT"}, {"FROM"}, {"TIMES", Table::Align::kRight}, {"WHY", Table::Align::kLeft, true}});
  for (const auto& event : *events) {
    const auto denied = event.get().getBody().getAccessDenied();
    json.push_back(denial_json(event.get()));
    table.add({std::to_string(event.get().getSeq()), human_time(event.get().getTime()), or_dash(text_of(event.get().getActor().getName())), std::string(text_of(denied.getAction())),
               or_dash(text_of(denied.getSubject())), or_dash(text_of(denied.getSource())), std::to_string(denied.getCount()), or_dash(text_of(denied.getReason().getText()))});
  }
  return context.print_listing(json, table, "nobody was refused anything");
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
  CLI::App* audit = app.add_subcommand("audit", "Who could see what, who did what, who was refused what");
  audit->require_subcommand(1);
  audit->footer("Example: runledger audit denials --from -7d");

  auto experiment = std::make_shared<std::string>();
  CLI::App* seeing = audit->add_subcommand("who-could-see", "Every role that lets an account see something of an experiment; with --at, that did then");
  seeing->add_option("experiment", *experiment, "Experiment, as its runs have it")->type_name("NUMBER")->required();
  seeing->footer("Example: runledger audit who-could-see 2010001 --at 2026-11-01");
  seeing->callback([&context, experiment] { context.finish(who_could_see(context, *experiment)); });

  auto acted = std::make_shared<ActionsOptions>();
  CLI::App* acting = audit->add_subcommand("actions", "Everything an account or daemon did, with the right that allowed it");
  acting->add_option("account", acted->account, "Account or daemon")->type_name("NAME")->required();
  add_span_options(*acting, acted->span);
  acting->footer("Example: runledger audit actions alice --from 2026-11-01 --to 2026-11-08");
  acting->callback([&context, acted] { context.finish(actions(context, *acted)); });

  auto refused = std::make_shared<Span>();
  CLI::App* refusals = audit->add_subcommand("denials", "Whatever was refused to anybody, and why");
  add_span_options(*refusals, *refused);
  refusals->footer("Example: runledger audit denials --last 20");
  refusals->callback([&context, refused] { context.finish(denials(context, *refused)); });
}

}  // namespace tools
