#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "tools/commands/changes.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr size_t kMostRuns = 20;  // more are a campaign: planned, put behind everything else, and stopped as one thing

struct RerunOptions {
  RunChoice choice;
  std::vector<std::string> assignments;
  std::string script = "stored";
  std::string interpreter;
  bool fresh_variables = false;
  bool wait = false;
  ChangeOptions change;
};

base::Status too_many(const ChosenRuns& chosen, const RunChoice& choice) {
  return {base::Code::kInvalidArgument,
          fmt::format("{}: that is more than {} runs; make it a campaign, which can be looked at first and stopped: runledger campaign start {} --purpose 'why'",
                      chosen.text, kMostRuns, as_arguments(choice))};
}

/// Of a range without any run that is said: somebody mistyped it.
base::Status check_ranges(const RunSelection& named, const std::vector<RunName>& runs) {
  for (const RunRange& range : named.ranges) {
    const bool found = std::any_of(runs.begin(), runs.end(), [&](const RunName& run) { return run.run_number >= range.first && run.run_number <= range.last; });
    if (found) continue;
    return {base::Code::kNotFound, fmt::format("{0} {1}: there is no such run, so nothing was asked for; `runledger runs {0}` lists those there are",
                                               named.instrument, run_ranges_text(std::span(&range, 1)))};
  }
  return {};
}

/// The runs that were chosen; of a range those that exist. kNotFound: there is no such run or version.
base::Result<std::vector<RunName>> chosen_runs(Client& client, const ChosenRuns& chosen, const RunChoice& choice) {
  const RunSelection& named = chosen.named;
  if (named.is_one_run() && !choice.has_options()) {
    RunName name{named.instrument, named.ranges[0].first, named.version};
    if (base::Result<ShownRun> shown = show_run(client, name); !shown.is_ok()) return shown.status();
    return std::vector<RunName>{std::move(name)};
  }
  std::vector<RunName> runs;
  base::Result<bool> read = read_runs(client, *chosen.filter, 0, [&](schema::RunRow::Reader run) {
    runs.push_back({run.getRun().getInstrument().cStr(), run.getRun().getRunNumber(), named.version});
    return runs.size() <= kMostRuns;
  });
  if (!read.is_ok()) return read.status();
  if (runs.size() > kMostRuns) return too_many(chosen, choice);
  if (!choice.has_options()) {
    if (base::Status status = check_ranges(named, runs); !status.is_ok()) return status;
  }
  if (runs.empty()) return base::Status(base::Code::kNotFound, fmt::format("{}: no runs match, so nothing was asked for", chosen.text));
  return runs;
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
  wish.setInterpreter(kj_text(options.interpreter));
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
  std::set<std::pair<std::string, uint64_t>> runs;
  for (const Asked& asked : all) {
    order.until_finished.push_back({asked.run.instrument, asked.run.run_number, 0});
    runs.emplace(asked.run.instrument, asked.run.run_number);
  }
  if (all.front().run.instrument == all.back().run.instrument) order.about.instrument = all.front().run.instrument;  // they are in order
  order.use = [&](const EventLine& line) {
    if (!context.options.json && runs.contains({line.subject.instrument, line.subject.run_number})) context.say(line.text);
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

/// "MARI 28001-28003,28007", as `rerun` takes it: the runs that were not asked for; of several instruments with a semicolon between.
std::string left_out(const std::vector<RunName>& runs, const std::vector<Asked>& all) {
  std::map<std::string, std::vector<uint64_t>> numbers;
  auto asked = all.begin();
  for (const RunName& run : runs) {  // in the order they were asked for
    if (asked != all.end() && asked->run.instrument == run.instrument && asked->run.run_number == run.run_number) {
      ++asked;
    } else {
      numbers[run.instrument].push_back(run.run_number);
    }
  }
  std::string text;
  for (auto& [instrument, of_it] : numbers) text += fmt::format("{}{} {}", text.empty() ? "" : "; ", instrument, run_ranges_text(std::move(of_it)));
  return text;
}

base::Result<int> rerun(Context& context, const RerunOptions& options) {
  if (options.choice.words.empty() && !options.choice.has_options()) {
    return base::Status(base::Code::kInvalidArgument, "which runs? name them, as in runledger rerun MARI 28001-28010, or choose them by options; see runledger rerun --help");
  }
  base::Result<ChosenRuns> chosen = choose(context, options.choice);
  if (!chosen.is_ok()) return chosen.status();
  if (chosen->named.ranges.empty() && !options.choice.has_options()) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("'{0}': name the runs, as in runledger rerun {0} 28001-28010", chosen->named.instrument));
  }
  Client& client = **context.client();
  base::Result<std::vector<RunName>> runs = chosen_runs(client, *chosen, options.choice);
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
  add_choice_options(*command, options->choice);
  command->add_option("--set", options->assignments, "A value for this version: JSON, else text. May be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--script", options->script, "stored: the script of the version repeated; current: the instrument's present one")
      ->check(CLI::IsMember({"stored", "current"}))
      ->type_name("WHICH")
      ->capture_default_str();
  command->add_option("--interpreter", options->interpreter, "One of the instrument's interpreters by name, or \"instrument\" for its own")->type_name("NAME");
  command->add_flag("--fresh-variables", options->fresh_variables, "Variables as they are set now, not those of the version repeated");
  command->add_flag("--wait", options->wait,
                    "Wait for the end and say what each came to; exit code 2 unless all succeeded or were skipped");
  add_change_options(*command, options->change);
  command->footer(fmt::format("A version may be named to be repeated: MARI/28001/v2. More than {} runs are a campaign: runledger campaign start.\n"
                              "Example: runledger rerun MARI/28001 --set mon=3 --script stored --wait", kMostRuns));
  command->callback([&context, options] { context.finish(rerun(context, *options)); });
}

}  // namespace tools
