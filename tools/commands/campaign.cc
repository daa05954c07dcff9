// campaign, replay: many runs reduced again as one thing. Planned, started, steered; what there is to read is in campaign_read.cc.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "base/counted.h"
#include "base/text.h"
#include "tools/campaign_text.h"
#include "tools/commands/campaign_follow.h"
#include "tools/commands/campaign_read.h"
#include "tools/commands/changes.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/password.h"
#include "tools/progress.h"

namespace tools {
namespace {

using base::Code;
using Kind = schema::CampaignStarted::Kind;

struct StartOptions {
  Kind kind = Kind::REPROCESS;
  RunChoice choice;
  std::string purpose;
  std::string script = "stored";
  std::vector<std::string> assignments;
  bool fresh_variables = false;
  std::string interpreter;
  bool dry_run = false, wait = false, yes = false;
  ChangeOptions change;
};

/// The values given, in the group that the script of the first run chosen, or its instrument's present one, has them in.
base::Result<std::vector<Assignment>> parse_values(Client& client, const ChosenRuns& chosen, const std::vector<std::string>& texts) {
  KnownVariables known;
  if (texts.empty()) return std::vector<Assignment>();
  std::optional<RunName> first;
  base::Result<bool> read = read_runs(client, *chosen.filter, 1, [&](schema::RunRow::Reader run) {
    first = RunName{run.getRun().getInstrument().cStr(), run.getRun().getRunNumber()};
    return false;
  });
  if (!read.is_ok()) return read.status();
  if (first) {
    base::Result<KnownVariables> of_first = known_variables(client, *first);
    if (!of_first.is_ok()) return of_first.status();
    known = std::move(*of_first);
  }
  auto parsed = parse_assignments(texts, known);
  if (!parsed.is_ok() && first) return parsed.status().in(run_text(first->instrument, first->run_number));
  return parsed;
}

/// All that is asked for, ready to be planned and started.
struct Wish {
  ChosenRuns chosen;
  std::vector<Assignment> values;
  const StartOptions& options;

  void write(schema::CampaignRequest::Builder request) const {
    request.setPurpose(kj_text(purpose()));
    request.setKind(options.kind);
    request.setFilter(*chosen.filter);
    request.setSelection(kj_text(chosen.text));
    request.setScript(options.script == "current" ? schema::ReductionRequested::ScriptChoice::CURRENT : schema::ReductionRequested::ScriptChoice::STORED);
    write_assignments(values, request.initVariables(static_cast<uint32_t>(values.size())));
    request.setFreshVariables(options.fresh_variables);
    request.setInterpreter(kj_text(options.interpreter));
  }

 private:
  std::string purpose() const {
    if (!options.purpose.empty()) return options.purpose;
    return options.kind == Kind::REPLAY ? fmt::format("try again what went wrong: {}", chosen.text) : "a plan";  // one that is started has its own
  }
};

base::Result<Wish> understand(Context& context, const StartOptions& options) {
  base::Result<ChosenRuns> chosen = choose(context, options.choice);
  if (!chosen.is_ok()) return chosen.status();
  if (chosen->named.version != 0) {
    return base::Status(Code::kInvalidArgument, "a campaign takes runs, not versions of them; leave the version out");
  }
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto values = parse_values(**client, *chosen, options.assignments);
  if (!values.is_ok()) return values.status();
  return Wish{std::move(*chosen), std::move(*values), options};
}

using Planned = capnp::Response<schema::Campaigns::PlanResults>;

base::Result<Planned> plan(Context& context, const Wish& wish) {
  Client& client = **context.client();
  auto request = client.session().campaignsRequest().send().getCampaigns().planRequest();
  wish.write(request.initRequest());
  request.setProgress(shown_progress(context));
  return ask(client, std::move(request));
}

template <typename Rows>
std::string which_text(Rows rows) {
  std::map<std::string, std::vector<uint64_t>> runs;
  for (auto row : rows) runs[row.getRun().getInstrument().cStr()].push_back(row.getRun().getRunNumber());
  std::string text;
  for (auto& [instrument, numbers] : runs) text += fmt::format("{}{} {}", text.empty() ? "" : "; ", instrument, run_ranges_text(std::move(numbers)));
  return text;
}

std::string cost_text(schema::CampaignEstimate::Reader estimate) {
  const auto duration = [](uint64_t ms) { return human_duration(static_cast<int64_t>(ms) * 1'000'000); };
  std::string text = estimate.getEstimateMs() == 0 ? "how long it takes is not known" : fmt::format("about {} of work", duration(estimate.getEstimateMs()));
  if (estimate.getWorkers() == 0) {
    text += "; no worker is there now, it would wait for one";
  } else if (estimate.getEstimateMs() != 0) {
    text += fmt::format(": {} with the {} that {} at once now, if nothing else does", duration(estimate.getEstimateMs() / estimate.getWorkers()),
                        base::counted(estimate.getWorkers(), "job"), estimate.getWorkers() == 1 ? "runs" : "run");
  }
  if (estimate.getUnknownDurations() > 0 && estimate.getEstimateMs() != 0) {
    text += fmt::format("; without {} of which no duration is known", base::counted(estimate.getUnknownDurations(), "run"));
  }
  return text;
}

/// "987 of 1001 runs (MARI 28001-30000, state failed) would be reduced again".
std::string count_text(schema::CampaignEstimate::Reader estimate, const Wish& wish) {
  return fmt::format("{} of {} would be reduced again ({})", estimate.getRunCount(), base::counted(estimate.getRunCount() + estimate.getPassedCount(), "run"),
                     wish.chosen.text);
}

/// Why there is nothing to do.
std::string why_none(schema::CampaignEstimate::Reader estimate, const Wish& wish) {
  return estimate.getProblems().size() > 0 ? std::string(text_of(estimate.getProblems()[0])) : count_text(estimate, wish);
}

/// Those that are chosen and would not be reduced, by why.
Table passed_table(schema::CampaignEstimate::Reader estimate) {
  struct Group {
    std::map<std::string, std::vector<uint64_t>> runs;
    uint64_t count = 0;
    std::string sentence;
  };
  std::map<std::string, Group> groups;
  for (auto passed : estimate.getPassed()) {
    Group& group = groups[passed.getReason().getCode().cStr()];
    if (++group.count == 1) group.sentence = passed.getReason().getText().cStr();
    group.runs[passed.getRun().getInstrument().cStr()].push_back(passed.getRun().getRunNumber());
  }
  Table table({{"NOT", Table::Align::kRight}, {"REASON"}, {"WHICH", Table::Align::kLeft, true}, {"FOR EXAMPLE", Table::Align::kLeft, true}});
  for (auto& [code, group] : groups) {
    std::string which;
    for (auto& [instrument, numbers] : group.runs) which += fmt::format("{}{} {}", which.empty() ? "" : "; ", instrument, run_ranges_text(std::move(numbers)));
    table.add({std::to_string(group.count), code, which, group.sentence});
  }
  return table;
}

/// What starting would do. Exit code 2, as of the start itself, where it would be refused.
int print_plan(Context& context, schema::CampaignEstimate::Reader estimate, const Wish& wish) {
  if (context.options.json) {
    Json json = {{"selection", base::to_utf8(wish.chosen.text)}};
    const Json planned = estimate_json(estimate);
    for (const auto& [field, value] : planned.items()) json[field] = value;
    context.print(std::move(json));
  } else {
    context.out << printable_lines(count_text(estimate, wish)) << '\n';
    if (estimate.getRunCount() > 0) {
      context.out << cost_text(estimate) << '\n';
      const uint64_t unlisted = estimate.getRunCount() - std::min<uint64_t>(estimate.getRunCount(), estimate.getRuns().size());
      context.out << which_text(estimate.getRuns()) << (unlisted > 0 ? fmt::format(" and {} more", unlisted) : "") << '\n';
    }
    if (const Table passed = passed_table(estimate); !passed.is_empty()) {
      context.out << '\n';
      context.print(passed);
    }
    if (estimate.getPassedCount() > estimate.getPassed().size()) {
      context.say(fmt::format("only the first {} of {} that would not be reduced are listed", estimate.getPassed().size(), estimate.getPassedCount()));
    }
  }
  if (estimate.getRunCount() == 0) {
    context.say(why_none(estimate, wish));
    return kNothingFound;
  }
  for (auto problem : estimate.getProblems()) context.say(fmt::format("would be refused: {}", text_of(problem)));
  return estimate.getProblems().size() > 0 ? kError : kDone;
}

/// Whoever starts it has seen how much it is: on a terminal is asked, elsewhere has said --yes.
base::Result<bool> is_wanted(Context& context, const Wish& wish) {
  if (wish.options.yes) return true;
  base::Result<Planned> planned = plan(context, wish);
  if (!planned.is_ok()) return planned.status();
  const auto estimate = planned->getPlan();
  if (estimate.getRunCount() == 0) return base::Status(Code::kNotFound, why_none(estimate, wish));
  if (estimate.getProblems().size() > 0) return base::Status(Code::kInvalidArgument, std::string(text_of(estimate.getProblems()[0])));
  const std::string what = fmt::format("{}; {}", count_text(estimate, wish), cost_text(estimate));
  if (!context.terminal.is_tty || context.options.json) {
    return base::Status(Code::kInvalidArgument, fmt::format("{}: give --yes to start it", what));
  }
  context.out.flush();
  base::Result<std::string> answer = ask_line(fmt::format("{}.\nStart it? [y/N] ", printable_lines(what)), "n");
  if (!answer.is_ok()) return answer.status();
  const std::string word = base::ascii_lower(*answer);
  return word == "y" || word == "yes";
}

base::Result<int> start(Context& context, const StartOptions& options) {
  base::Result<Wish> wish = understand(context, options);
  if (!wish.is_ok()) return wish.status();
  Client& client = **context.client();
  if (options.dry_run) {
    base::Result<Planned> planned = plan(context, *wish);
    if (!planned.is_ok()) return planned.status();
    return print_plan(context, planned->getPlan(), *wish);
  }
  if (options.purpose.empty() && options.kind == Kind::REPROCESS) {
    return base::Status(Code::kInvalidArgument, "what is it for? say it with --purpose TEXT; it is kept with the campaign and every version of it");
  }
  base::Result<bool> wanted = is_wanted(context, *wish);
  if (!wanted.is_ok()) return wanted.status();
  if (!*wanted) return base::Status(Code::kInvalidArgument, "nothing was started");
  auto request = client.session().campaignsRequest().send().getCampaigns().startRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  wish->write(request.initRequest());
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const uint64_t campaign = answer->getCampaign();
  if (!options.wait) {
    if (context.options.json) {
      context.print(Json{{"campaign", campaign}, {"event", campaign}, {"repeated", answer->getAnswer().getRepeated()}});
    } else {
      context.out << fmt::format("campaign {0} is started; runledger campaign show {0} says how far it is\n", campaign);
    }
    return kDone;
  }
  if (!context.options.json) {
    context.out << fmt::format("campaign {0} is started; Ctrl-C ends the waiting, runledger campaign stop {0} the campaign\n", campaign);
    context.out.flush();
  }
  return follow_campaign(context, client, campaign);
}

struct SteerOptions {
  uint64_t campaign = 0;
  bool keep_queued = false;
  ChangeOptions change;
};

/// Asks one change of a campaign.
template <typename Request, typename Fill>
base::Result<int> steer(Context& context, const SteerOptions& options, Request (schema::Campaigns::Client::*request_of)(kj::Maybe<capnp::MessageSize>),
                        std::string_view done, std::string_view already, Fill fill) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  schema::Campaigns::Client campaigns = (*client)->session().campaignsRequest().send().getCampaigns();
  Request request = (campaigns.*request_of)(nullptr);
  request.setCommandId(kj_text(command_id(options.change)));
  request.setCampaign(options.campaign);
  request.setComment(kj_text(options.change.comment));
  fill(request);
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("campaign {} {}", options.campaign, done), fmt::format("campaign {} {}", options.campaign, already));
}

base::Result<int> pause(Context& context, const SteerOptions& options) {
  return steer(context, options, &schema::Campaigns::Client::pauseRequest, "is paused: what waits is held, what runs goes on", "was paused already", [](auto&) {});
}

base::Result<int> resume(Context& context, const SteerOptions& options) {
  return steer(context, options, &schema::Campaigns::Client::resumeRequest, "goes on", "was not paused", [](auto&) {});
}

base::Result<int> stop(Context& context, const SteerOptions& options) {
  const char* done = options.keep_queued ? "is stopped: what is queued is still done, nothing more is" : "is stopped: what had not begun is taken back";
  return steer(context, options, &schema::Campaigns::Client::stopRequest, done, "was over already", [&](auto& request) { request.setKeepQueued(options.keep_queued); });
}

void add_request_options(CLI::App& command, StartOptions& options) {
  add_choice_options(command, options.choice);
  command.add_option("--script", options.script, "stored: each run's script as it was; current: the instrument's present one")
      ->check(CLI::IsMember({"stored", "current"}))
      ->type_name("WHICH")
      ->capture_default_str();
  command.add_option("--set", options.assignments, "A value for every version of it: JSON, else text; @FILE: what the file holds. May be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--fresh-variables", options.fresh_variables, "Variables as they are set when it is queued, not those of the version before");
  command.add_option("--interpreter", options.interpreter, "One of the instrument's interpreters by name, or \"instrument\" for its own")->type_name("NAME");
}

void add_start_options(CLI::App& command, StartOptions& options) {
  command.add_flag("--dry-run", options.dry_run, "Only say what it would do, as campaign plan does");
  command.add_flag("--yes", options.yes, "Start it without asking; needed where there is no terminal");
  command.add_flag("--wait", options.wait, "Wait for the end and show how far it is; exit code 2 unless every run succeeded, was skipped or passed over");
  add_command_id(command, options.change);
}

void add_plan(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("plan", "What starting a campaign would do: how many runs, which not and why, how long");
  auto options = std::make_shared<StartOptions>();
  options->dry_run = true;
  add_request_options(*command, *options);
  command->footer("Example: runledger campaign plan MARI --support-file /archive/masks/mari.xml --stale");
  command->callback([&context, options] { context.finish(start(context, *options)); });
}

void add_start(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("start", "Reduce many runs again, behind everything else");
  auto options = std::make_shared<StartOptions>();
  command->add_option("--purpose", options->purpose, "What it is for; kept with it and with every version it makes")->type_name("TEXT");
  add_request_options(*command, *options);
  add_start_options(*command, *options);
  command->footer("Example: runledger campaign start MARI 28001-28400 --stale --purpose 'the mask was wrong' --script current");
  command->callback([&context, options] { context.finish(start(context, *options)); });
}

using Steer = base::Result<int> (*)(Context&, const SteerOptions&);
std::shared_ptr<SteerOptions> add_steering(CLI::App* command, Context& context, Steer act) {
  auto options = std::make_shared<SteerOptions>();
  command->add_option("campaign", options->campaign, "Its number, as runledger campaign list shows it")->type_name("NUMBER")->required()->check(CLI::PositiveNumber);
  add_change_options(*command, options->change);
  command->callback([&context, options, act] { context.finish(act(context, *options)); });
  return options;
}

void add_watch_campaign(CLI::App& campaign, Context& context) {
  CLI::App* command = campaign.add_subcommand("watch", "Show how far a campaign is until it is over");
  auto number = std::make_shared<uint64_t>(0);
  command->add_option("campaign", *number, "Its number, as runledger campaign list shows it")->type_name("NUMBER")->required()->check(CLI::PositiveNumber);
  command->footer("Exit code 2 unless every run succeeded, was skipped or passed over.\nExample: runledger campaign watch 812");
  command->callback([&context, number] {
    base::Result<Client*> client = context.client();
    context.finish(client.is_ok() ? follow_campaign(context, **client, *number) : client.status());
  });
}

}  // namespace

void add_campaign(CLI::App& app, Context& context) {
  CLI::App* campaign = app.add_subcommand("campaign", "Many runs reduced again as one thing: plan, start, show, report, stop");
  campaign->require_subcommand(1);
  campaign->footer("Example: runledger campaign list");
  add_plan(*campaign, context);
  add_start(*campaign, context);
  add_campaign_list(*campaign, context);
  add_campaign_show(*campaign, context);
  add_campaign_runs(*campaign, context);
  add_campaign_report(*campaign, context);
  add_watch_campaign(*campaign, context);
  CLI::App* pausing = campaign->add_subcommand("pause", "Hold what waits of a campaign; what runs goes on");
  add_steering(pausing, context, pause);
  pausing->footer("Example: runledger campaign pause 812 --comment 'beam is back'");
  CLI::App* resuming = campaign->add_subcommand("resume", "Go on with a paused campaign");
  add_steering(resuming, context, resume);
  resuming->footer("Example: runledger campaign resume 812");
  CLI::App* stopping = campaign->add_subcommand("stop", "Queue nothing more for a campaign and take back what has not begun");
  auto options = add_steering(stopping, context, stop);
  stopping->add_flag("--keep-queued", options->keep_queued, "What is queued is still done");
  stopping->footer("What has a result keeps it; runs taken back show the version they had before.\nExample: runledger campaign stop 812 --comment 'the new mask is wrong too'");
}

void add_replay(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("replay", "A campaign over what went wrong: failed versions again as they were, runs without one as if they were new");
  auto options = std::make_shared<StartOptions>();
  options->kind = Kind::REPLAY;
  add_choice_options(*command, options->choice);
  command->add_option("--purpose", options->purpose, "What it is for; without it a sentence that says which runs")->type_name("TEXT");
  add_start_options(*command, *options);
  command->footer("Example: runledger replay MARI --since -2d --reason worker --dry-run");
  command->callback([&context, options] { context.finish(start(context, *options)); });
}

}  // namespace tools
