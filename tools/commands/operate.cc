// pause, resume, queue, cancel: what whoever looks after an instrument does.
#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

struct OperateOptions {
  std::vector<std::string> words;
  std::string instrument;
  uint64_t limit = 0;
  ChangeOptions change;
};

int report(Context& context, schema::Answer::Reader answer, const std::string& done, const std::string& already) {
  uint64_t seq = answer.getEvents().size() == 0 ? 0 : answer.getEvents()[0];
  if (context.options.json) {
    context.print(Json{{"event", seq == 0 ? Json() : Json(seq)}, {"repeated", answer.getRepeated()}});
  } else {
    context.out << printable_lines(seq == 0 ? already : fmt::format("{} (event {})", done, seq)) << '\n';
  }
  return kDone;
}

std::string command_id(const OperateOptions& options) { return options.change.command_id.empty() ? random_id() : options.change.command_id; }

base::Result<int> set_paused(Context& context, const OperateOptions& options, bool paused) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<schema::Instrument::Client> of = instrument(**client, options.instrument);
  if (!of.is_ok()) return of.status();
  std::string name = base::ascii_upper(options.instrument);
  if (paused) {
    auto request = of->pauseRequest();
    request.setCommandId(kj_text(command_id(options)));
    request.setComment(kj_text(options.change.comment));
    auto answer = ask(**client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    return report(context, answer->getAnswer(), fmt::format("{} is paused: runs are recorded and wait", name), fmt::format("{} was paused already", name));
  }
  auto request = of->resumeRequest();
  request.setCommandId(kj_text(command_id(options)));
  request.setComment(kj_text(options.change.comment));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("{} goes on", name), fmt::format("{} was not paused", name));
}

base::Result<schema::Operator::Client> operator_of(Client& client) {
  auto answer = ask(client, client.session().operatorRequest());
  if (!answer.is_ok()) return answer.status();
  return answer->getOperator();
}

base::Result<int> show_queue(Context& context, const OperateOptions& options) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<schema::Operator::Client> operate = operator_of(**client);
  if (!operate.is_ok()) return operate.status();
  Json json = Json::array();
  Table table({{"JOB", Table::Align::kRight}, {"VERSION"}, {"EXPERIMENT"}, {"PRIORITY", Table::Align::kRight}, {"QUEUED"}, {"WAITS BECAUSE", Table::Align::kLeft, true}});
  std::string after;
  do {
    auto request = operate->queueRequest();
    request.setAfter(data_of(after));
    auto answer = ask(**client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto row : answer->getWaiting()) {
      if (options.limit != 0 && json.size() >= options.limit) break;
      json.push_back(queue_json(row));
      table.add({std::to_string(row.getJob()), run_text(text_of(row.getRun().getInstrument()), row.getRun().getRunNumber(), row.getVersion()),
                 row.getExperiment().size() == 0 ? "-" : row.getExperiment().cStr(), std::to_string(row.getPriority()), human_time(row.getQueuedAt()),
                 fmt::format("{}{}", row.getHeld() ? "held: " : "", text_of(row.getReason().getText()))});
    }
    after = bytes_of(answer->getNext());
  } while (!after.empty() && (options.limit == 0 || json.size() < options.limit));
  if (context.options.json) {
    context.print(json);
  } else if (!table.is_empty()) {
    context.print(table);
  }
  if (!json.empty()) return kDone;
  context.say("nothing is waiting");
  return kNothingFound;
}

base::Result<int> cancel(Context& context, const OperateOptions& options) {
  base::Result<RunName> name = context.run(options.words);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownRun> shown = show_run(client, *name);
  if (!shown.is_ok()) return shown.status();
  std::optional<schema::JobRow::Reader> job = chosen_version(*shown, name->version);
  if (!job) return base::Status(base::Code::kNotFound, fmt::format("{} has no version that could be cancelled", run_text(name->instrument, name->run_number)));
  base::Result<schema::Operator::Client> operate = operator_of(client);
  if (!operate.is_ok()) return operate.status();
  auto request = operate->cancelRequest();
  request.setCommandId(kj_text(command_id(options)));
  request.setJob(job->getJob());
  request.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  std::string version = run_text(name->instrument, name->run_number, job->getQueued().getVersion());
  return report(context, answer->getAnswer(), fmt::format("{} is cancelled", version), fmt::format("{} is {}; there was nothing to cancel", version, enum_word(job->getState())));
}

}  // namespace

void add_pause(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("pause", "Reduce nothing of an instrument for now; its runs are recorded and wait");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("instrument", options->instrument, "Instrument")->required();
  add_change_options(*command, options->change);
  command->footer("Example: runledger pause MARI --comment 'new script being tried'");
  command->callback([&context, options] { context.finish(set_paused(context, *options, true)); });
}

void add_resume(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("resume", "Go on with a paused instrument; what waits is reduced");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("instrument", options->instrument, "Instrument")->required();
  add_change_options(*command, options->change);
  command->footer("Example: runledger resume MARI");
  command->callback([&context, options] { context.finish(set_paused(context, *options, false)); });
}

void add_queue(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("queue", "The jobs that wait, in the order they will run, and why they wait");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("--limit", options->limit, "At most so many; 0 = all")->type_name("N");
  command->footer("Example: runledger queue");
  command->callback([&context, options] { context.finish(show_queue(context, *options)); });
}

void add_cancel(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("cancel", "End a version that waits or runs");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("run", options->words, "Run or version; without a version the latest")->type_name("RUN")->required();
  add_change_options(*command, options->change);
  command->footer("Example: runledger cancel MARI/28001/v2 --comment 'wrong sample'");
  command->callback([&context, options] { context.finish(cancel(context, *options)); });
}

}  // namespace tools
