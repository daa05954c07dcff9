#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json_text.h"
#include "tools/commands/commands.h"
#include "tools/commands/missing.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

constexpr uint32_t kPage = 1000;

struct RunsOptions {
  std::vector<std::string> words;
  std::string experiment;
  std::vector<std::string> states;
  uint64_t limit = 0;
  bool missing = false;
};

/// Rows as they come, page by page: an array that may be long is never held as a whole.
class RunPrinter {
 public:
  explicit RunPrinter(Context& context) : context_(context) {}

  void add(schema::RunRow::Reader run) {
    if (context_.options.json) {
      std::string text = base::json_text(run_json(run));
      context_.out << (count_ == 0 ? "[\n" : ",\n") << text;
    } else {
      std::string note(text_of(run.getReason().getText()));
      if (run.getState() == schema::RunState::SUCCEEDED) note.clear();
      for (auto problem : run.getProblems()) note += fmt::format("{}{}", note.empty() ? "" : "; ", text_of(problem));
      table_.add({run.getRun().getInstrument().cStr(), std::to_string(run.getRun().getRunNumber()), enum_word(run.getState()),
                  run.getVersion() == 0 ? "-" : fmt::format("v{}", run.getVersion()), or_dash(text_of(run.getExperiment())),
                  human_time(run.getDetectedAt()), or_dash(text_of(run.getTitle())), note});
    }
    ++count_;
  }
  void finish() {
    if (context_.options.json) {
      context_.out << (count_ == 0 ? "[]\n" : "\n]\n");
    } else if (count_ > 0) {
      context_.print(table_);
    }
  }
  uint64_t count() const { return count_; }

 private:
  Context& context_;
  uint64_t count_ = 0;
  Table table_{{{"INSTRUMENT"}, {"RUN", Table::Align::kRight}, {"STATE"}, {"VERSION"}, {"EXPERIMENT"}, {"DETECTED"},
                {"TITLE", Table::Align::kLeft, true}, {"NOTE", Table::Align::kLeft, true}}};
};

base::Result<int> missing_runs(Context& context, const RunsOptions& options) {
  if (!options.experiment.empty() || !options.states.empty() || options.limit != 0) {
    return base::Status(base::Code::kInvalidArgument, "--missing goes with an instrument or nothing else: what is not there has no state");
  }
  if (options.words.empty()) return list_missing(context, {});
  base::Result<RunSelection> selection = context.selection(options.words);
  if (!selection.is_ok()) return selection.status();
  if (!selection->ranges.empty()) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("--missing is about all runs of an instrument; write runledger runs {} --missing", selection->instrument));
  }
  return list_missing(context, selection->instrument);
}

base::Result<int> list_runs(Context& context, const RunsOptions& options) {
  std::vector<schema::RunState> states;
  for (const std::string& word : options.states) {
    std::optional<schema::RunState> state = parse_state(word);
    if (!state) return base::Status(base::Code::kInvalidArgument, fmt::format("'{}' is no state; there are {}", word, state_words(", ")));
    states.push_back(*state);
  }
  RunSelection selection;
  if (!options.words.empty()) {
    base::Result<RunSelection> named = context.selection(options.words);
    if (!named.is_ok()) return named.status();
    selection = *named;
  }
  if (selection.ranges.empty()) selection.ranges.push_back({0, 0});
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  schema::Runs::Client runs = (*client)->session().runsRequest().send().getRuns();

  RunPrinter printer(context);
  bool more = false;
  for (const RunRange& range : selection.ranges) {
    std::string after;
    do {
      uint64_t left = options.limit == 0 ? kPage : options.limit - std::min(options.limit, printer.count());
      if (left == 0) {
        more = true;
        break;
      }
      auto request = runs.listRequest();
      auto filter = request.getFilter();
      filter.setInstrument(kj_text(selection.instrument));
      filter.setExperiment(kj_text(options.experiment));
      filter.setFirstRun(range.first);
      filter.setLastRun(range.last);
      auto wanted = filter.initStates(states.size());
      for (uint32_t i = 0; i < states.size(); ++i) wanted.set(i, states[i]);
      request.setLimit(static_cast<uint32_t>(std::min<uint64_t>(left, kPage)));
      request.setAfter(data_of(after));
      auto answer = ask(**client, std::move(request));
      if (!answer.is_ok()) return answer.status();
      for (auto run : answer->getRuns()) printer.add(run);
      after = bytes_of(answer->getNext());
    } while (!after.empty() && context.out.good());
  }
  printer.finish();
  if (more) context.say(fmt::format("there may be more than these {}; raise --limit", printer.count()));
  if (printer.count() > 0) return kDone;
  context.say("no runs match");
  return kNothingFound;
}

}  // namespace

void add_runs(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("runs", "The runs, by instrument and number");
  auto options = std::make_shared<RunsOptions>();
  command->add_option("runs", options->words, "Instrument, run or runs; without one every run")->type_name("INSTRUMENT [RUNS]");
  command->add_option("--experiment", options->experiment, "Only runs of this experiment")->type_name("NUMBER");
  command
      ->add_option("--state", options->states, fmt::format("Only runs in this state; several with commas: {}", state_words(", ")))
      ->type_name("STATE")
      ->allow_extra_args(false)
      ->delimiter(',');
  command->add_option("--limit", options->limit, "At most so many; 0 = all")->type_name("N");
  command->add_flag("--missing", options->missing, "Instead the numbers between first and last of which there is no run, and what is known");
  command->footer("Example: runledger runs MARI 28001-28010 --state failed");
  command->callback([&context, options] { context.finish(options->missing ? missing_runs(context, *options) : list_runs(context, *options)); });
}

}  // namespace tools
