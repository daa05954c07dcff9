#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "base/json_text.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"
#include "tools/near_words.h"

namespace tools {
namespace {

struct WatchOptions {
  std::vector<std::string> words;
  uint64_t from_seq = 0;
  std::string experiment, worker, by;
  uint64_t job = 0;
  std::vector<std::string> kinds;
};

base::Result<std::vector<uint16_t>> parse_kinds(const std::vector<std::string>& words) {
  std::vector<uint16_t> kinds;
  for (const std::string& word : words) {
    const std::optional<uint16_t> kind = kind_named(word);
    if (!kind) {
      const auto names = kind_names();
      return base::Status(base::Code::kInvalidArgument, fmt::format("'{}' is no kind of event{}; there are {}", word, did_you_mean(word, names), fmt::join(names, ", ")));
    }
    kinds.push_back(*kind);
  }
  return kinds;
}

bool is_about(const EventSubject& subject, const RunSelection& selection) {
  if (selection.ranges.empty()) return true;
  if (subject.instrument != selection.instrument) return false;
  bool in_range = std::any_of(selection.ranges.begin(), selection.ranges.end(), [&](const RunRange& range) {
    return subject.run_number >= range.first && subject.run_number <= range.last;
  });
  return in_range && subject.fits_version(selection.version);
}

void print_line(Context& context, const EventLine& line) {
  if (context.options.json) {
    context.out << base::json_text(watch_json(line), -1) << '\n';
  } else {
    std::string text = base::printable(fmt::format("{}  {:>6}  {}", human_time(line.time_ns), line.seq, line.text));
    context.out << (context.terminal.columns > 0 ? cut_to_width(text, context.terminal.columns) : text) << '\n';
  }
  context.out.flush();
}

/// Prints what was recorded about the run from event `from` on: following ends with the run, even where old events were still to
/// come.
base::Status print_rest(Context& context, Client& client, const RunSelection& selection, uint64_t from,
                        const std::function<bool(const EventLine&)>& is_wanted) {
  base::Result<Events> events = run_history(client, selection.instrument, selection.ranges[0].first);
  if (!events.is_ok()) return events.status();
  JobNames jobs;
  for (const auto& event : *events) jobs.learn(event.get());
  for (const auto& event : *events) {
    EventLine line = event_line(event.get(), jobs);
    if (line.seq >= from && is_wanted(line)) print_line(context, line);
  }
  return base::Status::ok();
}

base::Result<int> watch(Context& context, const WatchOptions& options) {
  RunSelection selection;
  if (!options.words.empty()) {
    base::Result<RunSelection> named = context.selection(options.words);
    if (!named.is_ok()) return named.status();
    selection = *named;
  }
  if (!selection.ranges.empty() && (!options.experiment.empty() || !options.worker.empty() || options.job != 0)) {
    return base::Status(base::Code::kInvalidArgument, "name a run, or --experiment, --worker or --job, but not both");
  }
  auto kinds = parse_kinds(options.kinds);
  if (!kinds.is_ok()) return kinds.status();
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  Follow order;
  order.from_seq = options.from_seq;
  order.about.instrument = selection.instrument;
  std::function<bool(const EventLine&)> is_wanted = [&](const EventLine& line) { return is_about(line.subject, selection); };
  if (selection.is_one_run()) {
    // Whether it is finished is seen from events that are not asked for, too.
    order.about.run = RunName{selection.instrument, selection.ranges[0].first};
    is_wanted = [&](const EventLine& line) {
      const bool of_kind = kinds->empty() || std::find(kinds->begin(), kinds->end(), kind_named(line.kind)) != kinds->end();
      return of_kind && (options.by.empty() || line.actor == options.by) && is_about(line.subject, selection);
    };
  } else {
    order.about.experiment = options.experiment;
    order.about.worker = options.worker;
    order.about.by = options.by;
    order.about.job = options.job;
    order.about.kinds = *kinds;
  }
  uint64_t next_seq = options.from_seq;
  order.use = [&](const EventLine& line) {
    if (is_wanted(line)) print_line(context, line);
    next_seq = line.seq + 1;
    return context.out.good();
  };
  if (selection.is_one_run()) {
    RunName name{selection.instrument, selection.ranges[0].first, selection.version};
    base::Result<ShownRun> shown = show_run(**client, name);
    if (!shown.is_ok() && shown.status().code() != base::Code::kNotFound) return shown.status();
    if (!shown.is_ok())
      context.say(fmt::format("{} is not there yet; waiting for it", run_text(name.instrument, name.run_number, name.version)));
    order.until_finished.push_back(std::move(name));
  }
  base::Result<std::vector<schema::RunState>> states = follow(**client, std::move(order));
  if (!states.is_ok()) return states.status();
  if (states->empty()) return kDone;  // nobody reads any more
  if (options.from_seq != 0) {
    if (base::Status status = print_rest(context, **client, selection, next_seq, is_wanted); !status.is_ok()) return status;
  }
  schema::RunState state = states->front();
  context.say(fmt::format("{} is {}", run_text(selection.instrument, selection.ranges[0].first, selection.version), enum_word(state)));
  return state == schema::RunState::SUCCEEDED || state == schema::RunState::SKIPPED ? kDone : kError;
}

}  // namespace

void add_watch(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("watch", "Events as they happen, in sentences; with a run, until it is finished");
  auto options = std::make_shared<WatchOptions>();
  command->add_option("run", options->words, "Instrument, run or runs; without one everything")->type_name("RUN|INSTRUMENT");
  command->add_option("--from", options->from_seq, "Begin with this event instead of the next; 1 is the first there is")
      ->type_name("SEQ");
  command->add_option("--experiment", options->experiment, "Only what is about this experiment and its runs")->type_name("NUMBER");
  command->add_option("--job", options->job, "Only what is about this job")->type_name("JOB")->check(CLI::PositiveNumber);
  command->add_option("--worker", options->worker, "Only what is about this worker and what it ran")->type_name("NAME");
  command->add_option("--by", options->by, "Only what this person or daemon did, or what was done to its roles and tokens")->type_name("NAME");
  command->add_option("--kind", options->kinds, "Only events of this kind, as --json names it; several with commas")
      ->type_name("KIND")
      ->allow_extra_args(false)
      ->delimiter(',');
  command->footer(
      "What is asked for must all hold: runledger watch MARI --by alice --kind variablesSet\n"
      "With one run it ends when that run is finished: exit code 0 when it succeeded or was skipped, else 2.\n"
      "Else it goes on until it is interrupted (Ctrl-C). With --json each event is one line.\n"
      "Example: runledger watch MARI 28001");
  command->callback([&context, options] { context.finish(watch(context, *options)); });
}

}  // namespace tools
