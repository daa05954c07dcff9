#include <fmt/format.h>

#include <memory>

#include "base/json_text.h"
#include "tools/commands/choosing.h"
#include "tools/commands/commands.h"
#include "tools/commands/missing.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

struct RunsOptions {
  RunChoice choice;
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
  if (options.choice.has_options() || options.limit != 0) {
    return base::Status(base::Code::kInvalidArgument, "--missing goes with an instrument or nothing else: what is not there has no state");
  }
  if (options.choice.words.empty()) return list_missing(context, {});
  base::Result<RunSelection> selection = context.selection(options.choice.words);
  if (!selection.is_ok()) return selection.status();
  if (!selection->ranges.empty()) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("--missing is about all runs of an instrument; write runledger runs {} --missing", selection->instrument));
  }
  return list_missing(context, selection->instrument);
}

base::Result<int> list_runs(Context& context, const RunsOptions& options) {
  base::Result<ChosenRuns> chosen = choose(context, options.choice);
  if (!chosen.is_ok()) return chosen.status();
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  RunPrinter printer(context);
  base::Result<bool> more = read_runs(**client, *chosen->filter, options.limit, [&](schema::RunRow::Reader run) {
    printer.add(run);
    return context.out.good();
  });
  if (!more.is_ok()) return more.status();
  printer.finish();
  if (*more) context.say(fmt::format("there may be more than these {}; raise --limit", printer.count()));
  if (printer.count() > 0) return kDone;
  context.say("no runs match");
  return kNothingFound;
}

}  // namespace

void add_runs(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("runs", "The runs, by instrument and number");
  auto options = std::make_shared<RunsOptions>();
  add_choice_options(*command, options->choice);
  command->add_option("--limit", options->limit, "At most so many; 0 = all")->type_name("N");
  command->add_flag("--missing", options->missing, "Instead the numbers between first and last of which there is no run, and what is known");
  command->footer("Example: runledger runs MARI 28001-28010 --state failed");
  command->callback([&context, options] { context.finish(options->missing ? missing_runs(context, *options) : list_runs(context, *options)); });
}

}  // namespace tools
