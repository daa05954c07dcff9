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

/// Asks one change of an instrument, which takes a comment and an id and nothing else.
template <typename Request>
base::Result<int> ask_of_instrument(Context& context, const OperateOptions& options,
                                    Request (schema::Instrument::Client::*request_of)(kj::Maybe<capnp::MessageSize>),
                                    std::string_view done, std::string_view already) {
  base::Result<std::string> name = context.instrument(options.instrument);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<schema::Instrument::Client> of = instrument(client, *name);
  if (!of.is_ok()) return of.status();
  Request request = ((*of).*request_of)(nullptr);
  request.setCommandId(kj_text(command_id(options.change)));
  request.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("{} {}", *name, done), fmt::format("{} {}", *name, already));
}

base::Result<int> pause(Context& context, const OperateOptions& options) {
  return ask_of_instrument(context, options, &schema::Instrument::Client::pauseRequest, "is paused: runs are recorded and wait",
                           "was paused already");
}

base::Result<int> resume(Context& context, const OperateOptions& options) {
  return ask_of_instrument(context, options, &schema::Instrument::Client::resumeRequest, "goes on", "was not paused");
}

base::Result<schema::Operator::Client> operator_of(Client& client) {
  auto answer = ask(client, client.session().operatorRequest());
  if (!answer.is_ok()) return answer.status();
  return answer->getOperator();
}

EventSubject subject_of(schema::QueueRow::Reader row) {
  EventSubject subject;
  subject.instrument = text_of(row.getRun().getInstrument());
  subject.run_number = row.getRun().getRunNumber();
  subject.version = row.getVersion();
  subject.stage = text_of(row.getStage());
  subject.is_trial = row.getKind() == schema::JobKind::TRIAL;
  return subject;
}

base::Result<int> show_queue(Context& context, const OperateOptions& options) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  base::Result<schema::Operator::Client> operate = operator_of(**client);
  if (!operate.is_ok()) return operate.status();
  Json json = Json::array();
  Table table({{"JOB", Table::Align::kRight}, {"VERSION"}, {"EXPERIMENT"}, {"PRIORITY", Table::Align::kRight}, {"CAMPAIGN", Table::Align::kRight}, {"QUEUED"}, {"WAITS BECAUSE", Table::Align::kLeft, true}});
  std::string after;
  do {
    auto request = operate->queueRequest();
    request.setAfter(data_of(after));
    auto answer = ask(**client, std::move(request));
    if (!answer.is_ok()) return answer.status();
    for (auto row : answer->getWaiting()) {
      if (options.limit != 0 && json.size() >= options.limit) break;
      json.push_back(queue_json(row));
      table.add({std::to_string(row.getJob()),
                 subject_text(subject_of(row)), or_dash(text_of(row.getExperiment())), std::to_string(row.getPriority()),
                 row.getCampaign() == 0 ? "-" : std::to_string(row.getCampaign()), human_time(row.getQueuedAt()),
                 fmt::format("{}{}", row.getHeld() ? "held: " : "", text_of(row.getReason().getText()))});
    }
    after = bytes_of(answer->getNext());
  } while (!after.empty() && (options.limit == 0 || json.size() < options.limit));
  return context.print_listing(json, table, "nothing is waiting");
}

base::Result<int> cancel(Context& context, const OperateOptions& options) {
  base::Result<RunName> name = context.run(options.words);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownVersion> shown = show_version(client, *name);
  if (!shown.is_ok()) return shown.status();
  base::Result<schema::Operator::Client> operate = operator_of(client);
  if (!operate.is_ok()) return operate.status();
  auto request = operate->cancelRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  request.setJob(shown->job.getJob());
  request.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("{} is cancelled", shown->name),
                fmt::format("{} is {}; there was nothing to cancel", shown->name, enum_word(shown->job.getState())));
}

}  // namespace

void add_pause(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("pause", "Reduce nothing of an instrument for now; its runs are recorded and wait");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("instrument", options->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  add_change_options(*command, options->change);
  command->footer("Example: runledger pause MARI --comment 'new script being tried'");
  command->callback([&context, options] { context.finish(pause(context, *options)); });
}

void add_resume(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("resume", "Go on with a paused instrument; what waits is reduced");
  auto options = std::make_shared<OperateOptions>();
  command->add_option("instrument", options->instrument, "Instrument, as runledger status lists it")->type_name("NAME")->required();
  add_change_options(*command, options->change);
  command->footer("Example: runledger resume MARI");
  command->callback([&context, options] { context.finish(resume(context, *options)); });
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
