#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"

namespace tools {
namespace {

struct WatchOptions {
  std::vector<std::string> words;
  uint64_t from_seq = 0;
};

bool is_about(const EventSubject& subject, const RunSelection& selection) {
  if (selection.ranges.empty()) return true;
  if (subject.instrument != selection.instrument) return false;
  bool in_range = std::any_of(selection.ranges.begin(), selection.ranges.end(), [&](const RunRange& range) {
    return subject.run_number >= range.first && subject.run_number <= range.last;
  });
  return in_range && (selection.version == 0 || subject.version == 0 || subject.version == selection.version);
}

void print_line(Context& context, const EventLine& line) {
  if (context.options.json) {
    context.out << json_text(watch_json(line), -1) << '\n';
  } else {
    std::string text = base::printable(fmt::format("{}  {:>6}  {}", human_time(line.time_ns), line.seq, line.text));
    context.out << (context.terminal.columns > 0 ? cut_to_width(text, context.terminal.columns) : text) << '\n';
  }
  context.out.flush();
}

/// Prints what was recorded about the run from event `from` on: following ends with the run, even where old events were still to
/// come.
base::Status print_rest(Context& context, Client& client, const RunSelection& selection, uint64_t from) {
  base::Result<Events> events = run_history(client, selection.instrument, selection.ranges[0].first);
  if (!events.is_ok()) return events.status();
  JobNames jobs;
  for (const auto& event : *events) jobs.learn(event.get());
  for (const auto& event : *events) {
    EventLine line = event_line(event.get(), jobs);
    if (line.seq >= from && is_about(line.subject, selection)) print_line(context, line);
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
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  Follow order;
  order.from_seq = options.from_seq;
  order.instrument = selection.instrument;
  uint64_t next_seq = options.from_seq;
  order.use = [&](const EventLine& line) {
    if (is_about(line.subject, selection)) print_line(context, line);
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
    if (base::Status status = print_rest(context, **client, selection, next_seq); !status.is_ok()) return status;
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
  command->footer(
      "With one run it ends when that run is finished: exit code 0 when it succeeded or was skipped, else 2.\n"
      "Else it goes on until it is interrupted (Ctrl-C). With --json each event is one line.\n"
      "Example: runledger watch MARI 28001");
  command->callback([&context, options] { context.finish(watch(context, *options)); });
}

}  // namespace tools
