// stage, combine: scripts over results. What stands as a rule, what came of it, and one result of several runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/text.h"
#include "site/site.h"
#include "tools/commands/changes.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"
#include "tools/reducing_text.h"
#include "tools/stage_text.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

using base::Code;
using Over = schema::StageRule::Over;

base::Result<std::vector<std::string>> instruments_of(Context& context, const std::string& named) {
  if (!named.empty()) {
    base::Result<std::string> name = context.instrument(named);
    if (!name.is_ok()) return name.status();
    return std::vector<std::string>{*name};
  }
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto answer = ask(**client, (*client)->session().runsRequest().send().getRuns().instrumentsRequest());
  if (!answer.is_ok()) return answer.status();
  std::vector<std::string> names;
  for (auto row : answer->getInstruments()) names.emplace_back(row.getConfig().getInstrument().cStr());
  return names;
}

std::string joined(capnp::List<capnp::Text>::Reader texts, std::string_view otherwise) {
  std::string text;
  for (auto item : texts) text += fmt::format("{}{}", text.empty() ? "" : ", ", text_of(item));
  return text.empty() ? std::string(otherwise) : text;
}

base::Result<int> list(Context& context, const std::string& named) {
  auto names = instruments_of(context, named);
  if (!names.is_ok()) return names.status();
  Client& client = **context.client();
  Json json = Json::array();
  Table table({{"INSTRUMENT"}, {"STAGE"}, {"AFTER"}, {"OVER"}, {"SCRIPT", Table::Align::kLeft, true}, {"OUTPUT", Table::Align::kLeft, true}, {"SET BY"}, {"SET AT"}});
  for (const std::string& name : *names) {
    base::Result<schema::Instrument::Client> of = instrument(client, name);
    if (!of.is_ok()) return of.status();
    auto answer = ask(client, of->stagesRequest());
    if (!answer.is_ok()) return answer.status();
    for (auto stage : answer->getStages()) {
      const auto rule = stage.getRule();
      json.push_back(stage_json(stage));
      table.add({name, rule.getName().cStr(), joined(rule.getAfter(), "detection"), over_text(rule.getOver()), rule.getScriptPath().cStr(),
                 or_dash(text_of(rule.getOutputPattern())), rule.getFromSite() ? "the site file" : or_dash(text_of(stage.getSetBy())), human_time(stage.getSetAt())});
    }
  }
  return context.print_listing(json, table, "no stage is set; runledger stage set --help says how");
}

struct SetOptions {
  std::string instrument, name;
  std::vector<std::string> after;
  std::string over = "run", script, contract, interpreter;
  std::vector<std::string> inputs;
  std::string output, time_limit, memory_limit;
  ChangeOptions change;
};

/// "isis" and so on; unset where none is named.
base::Result<schema::Contract> parse_contract(const std::string& word) {
  for (auto enumerant : capnp::Schema::from<schema::Contract>().getEnumerants()) {
    if (word == enumerant.getProto().getName().cStr()) return static_cast<schema::Contract>(enumerant.getOrdinal());
  }
  return base::Status(Code::kInvalidArgument, fmt::format("'{}' is no contract; there are isis, sns, fia", base::printable(word)));
}

base::Result<uint64_t> parse_limit(const char* option, const std::string& text, std::optional<uint64_t> (*parse)(std::string_view), const char* how) {
  if (text.empty()) return uint64_t{0};
  if (const auto value = parse(text)) return *value;
  return base::Status(Code::kInvalidArgument, fmt::format("{} '{}': write {}", option, base::printable(text), how));
}

void write_texts(const std::vector<std::string>& texts, capnp::List<capnp::Text>::Builder list) {
  for (uint32_t i = 0; i < texts.size(); ++i) list.set(i, kj_text(texts[i]));
}

base::Result<int> set(Context& context, const SetOptions& options) {
  const auto time_limit_ms = parse_limit("--time-limit", options.time_limit, site::parse_duration_ms, "60m or 2h");
  if (!time_limit_ms.is_ok()) return time_limit_ms.status();
  const auto memory_limit = parse_limit("--memory-limit", options.memory_limit, site::parse_size_bytes, "8GiB or 512MiB");
  if (!memory_limit.is_ok()) return memory_limit.status();
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto request = of->setStageRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  auto rule = request.getRule();
  rule.setInstrument(kj_text(*name));
  rule.setName(kj_text(options.name));
  write_texts(options.after, rule.initAfter(static_cast<uint32_t>(options.after.size())));
  rule.setOver(options.over == "experiment" ? Over::EXPERIMENT : options.over == "runs" ? Over::RUNS : Over::RUN);
  rule.setScriptPath(kj_text(options.script));
  if (options.contract.empty()) {
    auto row = ask(client, of->showRequest());
    if (!row.is_ok()) return row.status();
    rule.setContract(row->getInstrument().getConfig().getContract());
  } else {
    const auto contract = parse_contract(options.contract);
    if (!contract.is_ok()) return contract.status();
    rule.setContract(*contract);
  }
  rule.setInterpreter(kj_text(options.interpreter));
  write_texts(options.inputs, rule.initInputPatterns(static_cast<uint32_t>(options.inputs.size())));
  rule.setOutputPattern(kj_text(options.output));
  rule.setTimeLimitMs(*time_limit_ms);
  rule.setMemoryLimitBytes(*memory_limit);
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const std::string what = fmt::format("{}: stage {}", *name, options.name);
  return report(context, answer->getAnswer(), what + " is set", what + " was set so already");
}

struct RemoveOptions {
  std::string instrument, name;
  ChangeOptions change;
};

base::Result<int> remove(Context& context, const RemoveOptions& options) {
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  auto request = of->removeStageRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  request.setName(kj_text(options.name));
  request.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const std::string what = fmt::format("{}: stage {}", *name, options.name);
  return report(context, answer->getAnswer(), what + " is removed; what it made stays", what + " was not there");
}

/// Every result of the stage, empty = of all, until `use` answers false.
template <typename Use>
base::Status read_results(Client& client, const std::string& instrument, const std::string& stage, Use use) {
  schema::Runs::Client runs = client.session().runsRequest().send().getRuns();
  std::string after;
  do {
    auto request = runs.stageResultsRequest();
    request.setInstrument(kj_text(instrument));
    request.setStage(kj_text(stage));
    request.setLimit(1000);
    request.setAfter(data_of(after));
    auto answer = ask(client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto result : answer->getResults()) {
      if (!use(result)) return {};
    }
    after = bytes_of(answer->getNext());
  } while (!after.empty());
  return {};
}

struct ResultsOptions {
  std::string instrument, stage;
};

base::Result<int> results(Context& context, const ResultsOptions& options) {
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Json json = Json::array();
  Table table({{"STAGE"}, {"OF"}, {"STATE"}, {"VERSION"}, {"JOB", Table::Align::kRight}, {"WHY", Table::Align::kLeft, true}});
  base::Status read = read_results(**context.client(), *name, options.stage, [&](schema::StageResultRow::Reader result) {
    json.push_back(stage_result_json(result));
    const bool waits = result.getState() == schema::RunState::DETECTED;
    table.add({result.getStage().cStr(), result_subject(result), waits ? "waits for its inputs" : enum_word(result.getState()),
               result.getVersion() == 0 ? "-" : fmt::format("v{}", result.getVersion()), result.getJob() == 0 ? "-" : std::to_string(result.getJob()),
               result.getState() == schema::RunState::SUCCEEDED ? "" : result.getReason().getText().cStr()});
    return true;
  });
  if (!read.is_ok()) return read;
  return context.print_listing(json, table, fmt::format("{}: no stage has made anything yet", *name));
}

struct CombineOptions {
  std::vector<std::string> words;
  std::string stage;
  bool wait = false;
  ChangeOptions change;
};

/// Those runs of the selection that exist; of each range there must be one.
base::Result<std::vector<uint64_t>> runs_there_are(Context& context, const RunSelection& named) {
  std::vector<uint64_t> numbers;
  RunChoice choice;
  choice.words = {named.instrument, run_ranges_text(std::span<const RunRange>(named.ranges))};
  base::Result<ChosenRuns> chosen = choose(context, choice);
  if (!chosen.is_ok()) return chosen.status();
  base::Result<bool> read = read_runs(**context.client(), *chosen->filter, 0, [&](schema::RunRow::Reader run) {
    numbers.push_back(run.getRun().getRunNumber());
    return true;
  });
  if (!read.is_ok()) return read.status();
  for (const RunRange& range : named.ranges) {
    const bool found = std::any_of(numbers.begin(), numbers.end(), [&](uint64_t number) { return number >= range.first && number <= range.last; });
    if (found) continue;
    return base::Status(Code::kNotFound, fmt::format("{0} {1}: there is no such run, so nothing was asked for; `runledger runs {0}` lists those there are",
                                                     named.instrument, run_ranges_text(std::span(&range, 1))));
  }
  return numbers;
}

/// What a request came to, copied from its row.
struct Combined {
  bool is_there = false;
  uint64_t pending_request = 0;
  schema::RunState state = schema::RunState::DETECTED;
  std::string text;
  Json json;

  bool is_over(uint64_t request) const { return is_there && pending_request != request && is_final(state); }
};

base::Result<Combined> look_up(Client& client, const std::string& instrument, const std::string& stage, const std::vector<uint64_t>& runs) {
  Combined combined;
  base::Status read = read_results(client, instrument, stage, [&](schema::StageResultRow::Reader result) {
    if (numbers_of(result.getRuns()) != runs) return true;
    combined = {true, result.getPendingRequest(), result.getState(),
                fmt::format("{} {}{} {}{}{}", result_subject(result), stage, result.getVersion() == 0 ? "" : fmt::format(" v{}", result.getVersion()),
                            enum_word(result.getState()), result.getReason().getText().size() == 0 ? "" : ": ", text_of(result.getReason().getText())),
                stage_result_json(result)};
    return false;
  });
  if (!read.is_ok()) return read;
  return combined;
}

/// Waits until the stage over these runs has ended; what it says on the way is told.
base::Result<Combined> wait_for(Context& context, Client& client, uint64_t request, const std::string& instrument, const std::string& stage,
                                const std::vector<uint64_t>& runs) {
  const std::set<uint64_t> numbers(runs.begin(), runs.end());
  uint64_t next = request;
  while (true) {
    base::Result<Combined> combined = look_up(client, instrument, stage, runs);
    if (!combined.is_ok() || combined->is_over(request)) return combined;
    bool ended = false;
    Follow order;
    order.from_seq = next;
    order.about.instrument = instrument;
    order.use = [&](const EventLine& line) {
      next = line.seq + 1;
      const bool is_ours = line.cause == request || (line.subject.stage == stage && numbers.contains(line.subject.run_number));
      if (is_ours && !context.options.json) context.say(line.text);
      ended = is_ours && ends_a_version(line.kind);
      return !ended;
    };
    auto followed = follow(client, std::move(order));
    if (!followed.is_ok()) return followed.status();
    if (!ended) return combined;
  }
}

base::Result<int> combine(Context& context, const CombineOptions& options) {
  base::Result<RunSelection> named = context.selection(options.words);
  if (!named.is_ok()) return named.status();
  if (named->ranges.empty() || named->version != 0) {
    return base::Status(Code::kInvalidArgument, fmt::format("name the runs, as in runledger combine {} 28001-28004 --stage NAME", named->instrument));
  }
  auto runs = runs_there_are(context, *named);
  if (!runs.is_ok()) return runs.status();
  Client& client = **context.client();
  auto request = client.session().runsRequest().send().getRuns().combineRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  auto wish = request.getRequest();
  wish.setInstrument(kj_text(named->instrument));
  wish.setStage(kj_text(options.stage));
  wish.setRuns(kj::arrayPtr(runs->data(), runs->size()));
  wish.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const std::string what = fmt::format("{} {}: stage {} asked for", named->instrument, run_ranges_text(*runs), options.stage);
  if (!options.wait) return report(context, answer->getAnswer(), what, what + " already");
  if (!context.options.json) report(context, answer->getAnswer(), what, what + " already");
  context.out.flush();
  const auto events = answer->getAnswer().getEvents();
  base::Result<Combined> combined = wait_for(context, client, events.size() == 0 ? 0 : events[0], named->instrument, options.stage, *runs);
  if (!combined.is_ok()) return combined.status();
  if (context.options.json) {
    context.print(combined->json);
  } else {
    context.out << printable_lines(combined->text) << '\n';
  }
  return combined->state == schema::RunState::SUCCEEDED || combined->state == schema::RunState::SKIPPED ? kDone : kError;
}

}  // namespace

void add_stage(CLI::App& app, Context& context) {
  CLI::App* stage = app.add_subcommand("stage", "Scripts over results: what starts when a reduction has succeeded, and what came of it");
  stage->require_subcommand(1);
  stage->footer("Example: runledger stage list MARI");

  auto listed = std::make_shared<std::string>();
  CLI::App* list_command = stage->add_subcommand("list", "The stages there are");
  list_command->add_option("instrument", *listed, "Instrument, as runledger status lists it; without one of all")->type_name("NAME");
  list_command->footer("Example: runledger stage list MARI");
  list_command->callback([&context, listed] { context.finish(list(context, *listed)); });

  auto to_set = std::make_shared<SetOptions>();
  CLI::App* set_command = stage->add_subcommand("set", "Start a script whenever the stages before it have succeeded; set again it replaces the former rule");
  set_command->add_option("instrument", to_set->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  set_command->add_option("stage", to_set->name, "What the stage is called: lower case, digits and _")->type_name("STAGE")->required();
  set_command->add_option("--after", to_set->after, "Whose results it takes: reduction, or other stages; several with commas. Without it, over runs only, the raw files")
      ->type_name("STAGE")
      ->allow_extra_args(false)
      ->delimiter(',');
  set_command->add_option("--over", to_set->over, "run: each by itself; experiment: once none of its runs is left to reduce; runs: those that combine names")
      ->check(CLI::IsMember({"run", "experiment", "runs"}))
      ->type_name("WHAT")
      ->capture_default_str();
  set_command->add_option("--script", to_set->script, "The script, by its path on the machine of the ledger")->type_name("PATH")->required();
  set_command->add_option("--contract", to_set->contract, "isis, sns or fia; without it the instrument's")->type_name("CONTRACT");
  set_command->add_option("--interpreter", to_set->interpreter, "One of the instrument's interpreters by name; without it the instrument's own")->type_name("NAME");
  set_command->add_option("--inputs", to_set->inputs, "Which of the files it is given, as a shell pattern; without it all. May be repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  set_command->add_option("--output", to_set->output, "Where its results go, with {instrument} {experiment} {run} {stage} {version}")->type_name("PATTERN")->required();
  set_command->add_option("--time-limit", to_set->time_limit, "How long it may run, as in 60m; without it any time")->type_name("DURATION");
  set_command->add_option("--memory-limit", to_set->memory_limit, "How much memory it may take, as in 8GiB; without it any")->type_name("SIZE");
  add_command_id(*set_command, to_set->change);
  set_command->footer(
      "Example: runledger stage set MARI plot --after reduction --script /archive/MARI/plot.py --output /instrument/MARI/plots/{run}-v{version}");
  set_command->callback([&context, to_set] { context.finish(set(context, *to_set)); });

  auto to_remove = std::make_shared<RemoveOptions>();
  CLI::App* remove_command = stage->add_subcommand("remove", "Start nothing more for a stage; what it made stays");
  remove_command->add_option("instrument", to_remove->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  remove_command->add_option("stage", to_remove->name, "The stage, as stage list shows it")->type_name("STAGE")->required();
  add_change_options(*remove_command, to_remove->change);
  remove_command->footer("Example: runledger stage remove MARI plot --comment 'done by hand'");
  remove_command->callback([&context, to_remove] { context.finish(remove(context, *to_remove)); });

  auto shown = std::make_shared<ResultsOptions>();
  CLI::App* results_command = stage->add_subcommand("results", "What stages made of runs and experiments, or wait for");
  results_command->add_option("instrument", shown->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  results_command->add_option("stage", shown->stage, "Only of this stage")->type_name("STAGE");
  results_command->footer("Example: runledger stage results MARI sum");
  results_command->callback([&context, shown] { context.finish(results(context, *shown)); });
}

void add_combine(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("combine", "One result of several runs, by a stage over runs; it waits until all have what the stage takes");
  auto options = std::make_shared<CombineOptions>();
  command->add_option("runs", options->words, "The runs (of a range those there are)")->type_name("RUNS")->required();
  command->add_option("--stage", options->stage, "The stage, as stage list shows it")->type_name("STAGE")->required();
  command->add_flag("--wait", options->wait, "Wait for the end and say what it came to; exit code 2 unless it succeeded or was skipped");
  add_change_options(*command, options->change);
  command->footer("Example: runledger combine MARI 28001-28004 --stage sum --wait");
  command->callback([&context, options] { context.finish(combine(context, *options)); });
}

}  // namespace tools
