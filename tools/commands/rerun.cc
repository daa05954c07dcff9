#include <fmt/format.h>

#include <memory>

#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr size_t kMostRuns = 10'000;  // one command line; beyond it somebody meant something else

struct RerunOptions {
  std::vector<std::string> words;
  std::vector<std::string> assignments;
  std::string script = "stored";
  bool fresh_variables = false;
  bool wait = false;
  ChangeOptions change;
};

/// The runs a selection names; of a range those that exist. kNotFound: there is no such run or version.
base::Result<std::vector<RunName>> named_runs(Client& client, const RunSelection& selection) {
  if (selection.is_one_run()) {
    RunName name{selection.instrument, selection.ranges[0].first, selection.version};
    if (base::Result<ShownRun> shown = show_run(client, name); !shown.is_ok()) return shown.status();
    return std::vector<RunName>{std::move(name)};
  }
  std::vector<RunName> names;
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  for (const RunRange& range : selection.ranges) {
    std::string after;
    size_t before = names.size();
    do {
      auto request = runs.listRequest();
      request.getFilter().setInstrument(kj_text(selection.instrument));
      request.getFilter().setFirstRun(range.first);
      request.getFilter().setLastRun(range.last);
      request.setLimit(1000);
      request.setAfter(data_of(after));
      auto answer = ask(client, std::move(request));
      if (!answer.is_ok()) return answer.status();
      for (auto run : answer->getRuns()) names.push_back({run.getRun().getInstrument().cStr(), run.getRun().getRunNumber(), 0});
      if (names.size() > kMostRuns) {
        return base::Status(base::Code::kInvalidArgument, fmt::format("more than {} runs are named; name fewer at once", kMostRuns));
      }
      after = bytes_of(answer->getNext());
    } while (!after.empty());
    if (names.size() == before) {
      return base::Status(
          base::Code::kNotFound,
          fmt::format("{0} {1}{2}: there is no such run, so nothing was asked for; `runledger runs {0}` lists those there are",
                      selection.instrument, range.first, range.last == range.first ? "" : fmt::format("-{}", range.last)));
    }
  }
  return names;
}

/// What the version to repeat and the instrument's present script have for variables.
base::Result<KnownVariables> known_variables(Client& client, const RunName& run) {
  KnownVariables known;
  base::Result<ShownRun> shown = show_run(client, run);
  if (!shown.is_ok()) return shown.status();
  if (std::optional<schema::JobRow::Reader> job = chosen_version(*shown, run.version)) {
    auto variables = document<schema::VariableSet>(client, bytes_of(job->getQueued().getVariables()));
    if (!variables.is_ok()) return variables.status();
    known.add(variables->get());
  }
  base::Result<schema::Instrument::Client> of = instrument(client, run.instrument);
  if (!of.is_ok()) return of.status();
  auto row = ask(client, of->showRequest());
  if (!row.is_ok()) return row.status();
  auto defaults = document<schema::VariableSet>(client, bytes_of(row->getInstrument().getScript().getDefaults()));
  if (!defaults.is_ok()) return defaults.status();
  known.add(defaults->get());
  return known;
}

/// Asks for one more version; the seq of the request's event.
base::Result<uint64_t> request_version(Client& client, const RunName& run, const RerunOptions& options, const std::string& id,
                                       const std::vector<Assignment>& assignments) {
  auto request = client.session().runsRequest().send().getRuns().rerunRequest();
  request.setCommandId(kj_text(id));
  auto wish = request.getRequest();
  wish.getRun().setInstrument(kj_text(run.instrument));
  wish.getRun().setRunNumber(run.run_number);
  wish.setScript(options.script == "current" ? schema::ReductionRequested::ScriptChoice::CURRENT : schema::ReductionRequested::ScriptChoice::STORED);
  wish.setBasis(run.version);
  wish.setFreshVariables(options.fresh_variables);
  wish.setComment(kj_text(options.change.comment));
  write_assignments(assignments, wish.initVariables(assignments.size()));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  auto events = answer->getAnswer().getEvents();
  if (events.size() == 0)
    return base::Status(base::Code::kInternal,
                        fmt::format("{}: ledgerd took the request without an event", run_text(run.instrument, run.run_number)));
  return events[0];
}

/// One version asked for, and what came of it once it was waited for.
struct Asked {
  RunName run;
  uint64_t event = 0;  // its reductionRequested
  std::string command_id;
  uint16_t version = 0;  // these are 0 or empty while nothing is known: it was not waited for, or no job was made
  uint64_t job = 0;
  std::string state;
  std::string reason;

  bool went_well() const {
    return state == enum_word(schema::RunState::SUCCEEDED) || state == enum_word(schema::RunState::SKIPPED);
  }
};

Json asked_json(const Asked& asked) {
  return {{"instrument", asked.run.instrument},
          {"run_number", asked.run.run_number},
          {"event", asked.event == 0 ? Json() : Json(asked.event)},
          {"command_id", asked.command_id},
          {"version", asked.version == 0 ? Json() : Json(asked.version)},
          {"job", asked.job == 0 ? Json() : Json(asked.job)},
          {"state", text_or_null(asked.state)},
          {"reason", text_or_null(asked.reason)}};
}

/// What the request of `asked` led to: a job, or the decision to make none.
base::Status look_up(Client& client, Asked& asked) {
  base::Result<Events> events = run_history(client, asked.run.instrument, asked.run.run_number);
  if (!events.is_ok()) return events.status();
  for (const auto& event : *events) {
    if (event.get().getCause() != asked.event) continue;
    auto body = event.get().getBody();
    if (body.isJobQueued()) asked.job = event.get().getSeq();
    if (body.isRunSkipped()) {
      asked.state = enum_word(schema::RunState::SKIPPED);
      asked.reason = text_of(body.getRunSkipped().getReason().getText());
    }
  }
  if (asked.job == 0) return base::Status::ok();
  base::Result<ShownRun> shown = show_run(client, {asked.run.instrument, asked.run.run_number, 0});
  if (!shown.is_ok()) return shown.status();
  for (auto job : shown->getVersions()) {
    if (job.getJob() != asked.job) continue;
    asked.version = job.getQueued().getVersion();
    asked.state = enum_word(job.getState());
    asked.reason = text_of(job.getReason().getText());
  }
  return base::Status::ok();
}

/// Waits until every run is finished, then fills what came of each request.
base::Status wait_for(Context& context, Client& client, std::vector<Asked>& all) {
  Follow order;
  order.from_seq = all[0].event;
  order.about.instrument = all[0].run.instrument;
  std::set<uint64_t> numbers;
  for (const Asked& asked : all) {
    order.until_finished.push_back({asked.run.instrument, asked.run.run_number, 0});
    numbers.insert(asked.run.run_number);
  }
  order.use = [&](const EventLine& line) {
    if (!context.options.json && numbers.count(line.subject.run_number) > 0) context.say(line.text);
    return true;
  };
  base::Result<std::vector<schema::RunState>> states = follow(client, std::move(order));
  if (!states.is_ok()) return states.status();
  for (Asked& asked : all) {
    if (base::Status status = look_up(client, asked); !status.is_ok()) return status;
  }
  return base::Status::ok();
}

/// All of it in JSON; for people what each came to.
int report(Context& context, const std::vector<Asked>& all, bool waited) {
  Json json = Json::array();
  int code = kDone;
  for (const Asked& asked : all) {
    json.push_back(asked_json(asked));
    if (!waited) continue;
    if (!asked.went_well()) code = kError;
    if (context.options.json) continue;
    context.out << printable_lines(fmt::format("{} {}{}{}", run_text(asked.run.instrument, asked.run.run_number, asked.version),
                                               asked.state.empty() ? "has no outcome" : asked.state,
                                               asked.reason.empty() ? "" : ": ", asked.reason))
                << '\n';
  }
  if (context.options.json) context.print(json);
  return code;
}

/// "MARI 28001-28003,28007", as `rerun` takes it: the runs that were not asked for.
std::string left_out(const std::vector<RunName>& runs, const std::vector<Asked>& all) {
  std::vector<RunRange> ranges;
  auto asked = all.begin();
  for (const RunName& run : runs) {  // in the order they were asked for
    if (asked != all.end() && asked->run.run_number == run.run_number) {
      ++asked;
    } else if (!ranges.empty() && ranges.back().last + 1 == run.run_number) {
      ranges.back().last = run.run_number;
    } else {
      ranges.push_back({run.run_number, run.run_number});
    }
  }
  std::string text;
  for (const RunRange& range : ranges) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", range.first);
    if (range.last != range.first) text += fmt::format("-{}", range.last);
  }
  return fmt::format("{} {}", runs.front().instrument, text);
}

base::Result<int> rerun(Context& context, const RerunOptions& options) {
  base::Result<RunSelection> selection = context.selection(options.words);
  if (!selection.is_ok()) return selection.status();
  if (selection->ranges.empty()) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("'{0}': name the runs, as in runledger rerun {0} 28001-28010", selection->instrument));
  }
  Client& client = **context.client();
  base::Result<std::vector<RunName>> runs = named_runs(client, *selection);
  if (!runs.is_ok()) return runs.status();
  // Everything that can be wrong with the words is found before the first request is made.
  std::vector<std::vector<Assignment>> assignments(runs->size());
  if (!options.assignments.empty()) {
    for (size_t i = 0; i < runs->size(); ++i) {
      base::Result<KnownVariables> known = known_variables(client, (*runs)[i]);
      if (!known.is_ok()) return known.status();
      auto parsed = parse_assignments(options.assignments, *known);
      if (!parsed.is_ok()) return parsed.status().in(run_text((*runs)[i].instrument, (*runs)[i].run_number));
      assignments[i] = std::move(*parsed);
    }
  }

  const std::string id = command_id(options.change);
  std::vector<Asked> all;
  base::Status problem;
  for (size_t i = 0; i < runs->size(); ++i) {
    Asked asked;
    asked.run = (*runs)[i];
    std::string name = run_text(asked.run.instrument, asked.run.run_number);
    asked.command_id = runs->size() == 1 ? id : fmt::format("{}/{}/{}", id, asked.run.instrument, asked.run.run_number);
    base::Result<uint64_t> seq = request_version(client, asked.run, options, asked.command_id, assignments[i]);
    if (!seq.is_ok()) {
      if (runs->size() > 1) context.say(seq.status().message());
      problem = seq.status();
      if (problem.code() == base::Code::kUnavailable) break;
      continue;
    }
    asked.event = *seq;
    if (!context.options.json) context.out << fmt::format("{}: one more version asked for (event {})\n", name, *seq);
    all.push_back(std::move(asked));
  }
  context.out.flush();
  base::Status waited;
  if (options.wait && !all.empty()) waited = wait_for(context, client, all);
  int code = report(context, all, options.wait && waited.is_ok());
  if (!waited.is_ok()) return waited;
  if (problem.is_ok()) return code;
  if (runs->size() == 1) return problem;
  return base::Status(base::Code::kInternal,
                      fmt::format("{} of {} runs were not asked for: {}", runs->size() - all.size(), runs->size(), left_out(*runs, all)));
}

}  // namespace

void add_rerun(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("rerun", "Ask for one more version, with the same or changed variables");
  auto options = std::make_shared<RerunOptions>();
  command->add_option("runs", options->words, "Run, or a version of it to repeat, or several runs (those there are)")
      ->type_name("RUNS")
      ->required();
  command->add_option("--set", options->assignments, "A value for this version: JSON, else text. May be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--script", options->script, "stored: the script of the version repeated; current: the instrument's present one")
      ->check(CLI::IsMember({"stored", "current"}))
      ->type_name("WHICH")
      ->capture_default_str();
  command->add_flag("--fresh-variables", options->fresh_variables, "Variables as they are set now, not those of the version repeated");
  command->add_flag("--wait", options->wait,
                    "Wait for the end and say what each came to; exit code 2 unless all succeeded or were skipped");
  add_change_options(*command, options->change);
  command->footer("Example: runledger rerun MARI/28001 --set mon=3 --script stored --wait");
  command->callback([&context, options] { context.finish(rerun(context, *options)); });
}

}  // namespace tools
