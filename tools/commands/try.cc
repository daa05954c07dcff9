// try: a script that is being written, on a real run, in a place of its own.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/counted.h"
#include "base/text.h"
#include "scripts/capture.h"
#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/commands/follow.h"
#include "tools/json_output.h"
#include "tools/version_text.h"
#include "tools/words.h"

namespace tools {
namespace {

using base::Code;
using Job = capnp::Response<schema::Runs::JobResults>;

struct TryOptions {
  std::vector<std::string> words;
  std::string script, interpreter, output;
  std::vector<std::string> assignments;
  ChangeOptions change;
};

/// The values given. A name the run's script does not have may be new in the one that is tried.
base::Result<std::vector<Assignment>> parse_values(Client& client, const RunName& run, const std::vector<std::string>& texts) {
  base::Result<KnownVariables> known = known_variables(client, run);
  if (!known.is_ok()) return known.status();
  std::vector<Assignment> values;
  for (const std::string& text : texts) {
    base::Result<Assignment> value = parse_assignment(text);
    if (!value.is_ok()) return value.status();
    if (known->has(value->name)) {
      if (base::Status status = known->complete(*value); !status.is_ok()) return status;
    }
    values.push_back(std::move(*value));
  }
  return values;
}

base::Result<schema::Contract> contract_of(Client& client, const std::string& name) {
  base::Result<schema::Instrument::Client> of = instrument(client, name);
  if (!of.is_ok()) return of.status();
  auto row = ask(client, of->showRequest());
  if (!row.is_ok()) return row.status();
  return row->getInstrument().getConfig().getContract();
}

capnp::Data::Reader hash_of(const scripts::CapturedFile& file) { return data_of(base::as_bytes(file.sha256)); }

/// Asks for the trial; the seq of its event.
base::Result<uint64_t> request_trial(Client& client, const RunName& run, const scripts::CapturedScript& captured, const std::string& path,
                                     const std::vector<Assignment>& values, const TryOptions& options) {
  auto request = client.session().runsRequest().send().getRuns().trialRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  auto wish = request.getRequest();
  wish.getRun().setInstrument(kj_text(run.instrument));
  wish.getRun().setRunNumber(run.run_number);
  wish.setScriptPath(kj_text(path));
  wish.setScriptSha256(hash_of(captured.script));
  const auto count = static_cast<uint32_t>(captured.siblings.size());
  auto siblings = wish.initSiblings(count);
  auto files = request.initFiles(count + 1);
  files.set(0, data_of(captured.script.bytes));
  for (uint32_t i = 0; i < count; ++i) {
    siblings[i].setName(kj_text(captured.siblings[i].name));
    siblings[i].setSha256(hash_of(captured.siblings[i]));
    files.set(i + 1, data_of(captured.siblings[i].bytes));
  }
  write_assignments(values, wish.initVariables(static_cast<uint32_t>(values.size())));
  wish.setInterpreter(kj_text(options.interpreter));
  wish.setComment(kj_text(options.change.comment));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const auto events = answer->getAnswer().getEvents();
  if (events.size() == 0) return base::Status(Code::kInternal, fmt::format("{}: ledgerd took the request without an event", run_text(run.instrument, run.run_number)));
  return events[0];
}

/// The job that the request led to, once it has ended. kInvalidArgument: there was none; the message says why.
base::Result<Job> wait_for(Context& context, Client& client, const RunName& run, uint64_t request) {
  uint64_t job = 0;
  std::string refused;
  Follow order;
  order.from_seq = request;
  order.about.run = run;
  order.use = [&](const EventLine& line) {
    if (line.cause == request && line.kind == "jobQueued") job = line.seq;
    if (line.cause == request && line.kind == "runSkipped") refused = line.text;
    const bool is_ours = job != 0 && line.subject.job == job;
    if (is_ours && !context.options.json) context.say(line.text);
    return refused.empty() && !(is_ours && ends_a_version(line.kind));
  };
  auto followed = follow(client, std::move(order));
  if (!followed.is_ok()) return followed.status();
  if (!refused.empty()) return base::Status(Code::kInvalidArgument, "no trial: " + refused);
  auto asked = client.session().runsRequest().send().getRuns().jobRequest();
  asked.setJob(job);
  return ask(client, std::move(asked));
}

/// What the script printed; of one that broke before it could, the traceback.
base::Result<std::string> log_of(Client& client, schema::JobRow::Reader job) {
  std::string_view hash;
  for (auto attempt : job.getAttempts()) {
    hash = bytes_of(attempt.getLog());
    if (hash.empty()) hash = bytes_of(attempt.getTraceback());
  }
  if (hash.empty()) return std::string();
  return blob(client, hash);
}

/// "the trial failed (job 72): ValueError: no monitor".
std::string end_text(schema::JobRow::Reader job) {
  const std::string text = fmt::format("the trial {} (job {})", enum_word(job.getState()), job.getJob());
  if (job.getState() == schema::RunState::SUCCEEDED) return text;
  std::string_view why = text_of(job.getReason().getText());
  for (auto attempt : job.getAttempts()) {
    if (attempt.getMessage().size() > 0) why = text_of(attempt.getMessage());
  }
  return fmt::format("{}: {}", text, why);
}

/// Copies what was written to a folder that may be there already; no file in it is replaced.
base::Status copy_outputs(const VersionDetail& detail, const std::filesystem::path& target) {
  namespace fs = std::filesystem;
  const fs::path source(detail.output_directory);
  std::error_code error;
  for (auto file : detail.outputs.get().getFiles()) {
    const fs::path name(text_of(file.getPath()));
    const fs::path to = target / name;
    fs::create_directories(to.parent_path(), error);
    if (!error) fs::copy_file(source / name, to, error);
    if (error) {
      return {Code::kInvalidArgument, fmt::format("{} cannot be copied to {}: {}; the outputs lie in {}", name.string(), to.string(), error.message(), source.string())};
    }
  }
  return {};
}

Table output_table(const VersionDetail& detail) {
  Table table({{"OUTPUT"}, {"SIZE", Table::Align::kRight}, {"SHA256"}});
  for (auto file : detail.outputs.get().getFiles()) {
    table.add({std::string(text_of(file.getPath())), human_size(file.getSizeBytes()), short_hash(bytes_of(file.getSha256()))});
  }
  return table;
}

base::Result<int> try_script(Context& context, const TryOptions& options) {
  base::Result<RunName> run = context.run(options.words);
  if (!run.is_ok()) return run.status();
  if (run->version != 0) return base::Status(Code::kInvalidArgument, "a script is tried on a run, not on a version of it; leave the version out");
  Client& client = **context.client();
  base::Result<std::vector<Assignment>> values = parse_values(client, *run, options.assignments);
  if (!values.is_ok()) return values.status();
  const auto contract = contract_of(client, run->instrument);
  if (!contract.is_ok()) return contract.status();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(options.script, error).lexically_normal();
  base::Result<scripts::CapturedScript> captured = scripts::capture(path, *contract);
  if (!captured.is_ok()) return base::Status(Code::kInvalidArgument, captured.status().message());
  for (const std::string& remark : captured->remarks) context.say(remark);

  base::Result<uint64_t> request = request_trial(client, *run, *captured, path.string(), *values, options);
  if (!request.is_ok()) return request.status();
  if (!context.options.json) {
    context.say(fmt::format("a trial of {} with {} of its folder is asked for (event {})", base::printable(path.string()),
                            base::counted(captured->siblings.size(), "file"), *request));
  }
  base::Result<Job> job = wait_for(context, client, *run, *request);
  if (!job.is_ok()) return job.status();
  const auto row = job->getJob();
  base::Result<VersionDetail> detail = version_detail(client, row);
  if (!detail.is_ok()) return detail.status();
  base::Result<std::string> log = log_of(client, row);
  if (!log.is_ok()) return log.status();
  const int code = row.getState() == schema::RunState::SUCCEEDED || row.getState() == schema::RunState::SKIPPED ? kDone : kError;

  std::string copied_to;
  if (!options.output.empty() && detail->outputs.get().getFiles().size() > 0) {
    if (!std::filesystem::is_directory(detail->output_directory, error)) {
      context.say(fmt::format("{} cannot be read here, so nothing is copied; it lies on the machines of the ledger", detail->output_directory));
    } else {
      if (base::Status copied = copy_outputs(*detail, options.output); !copied.is_ok()) return copied;
      copied_to = options.output;
    }
  }
  if (context.options.json) {
    Json json = {{"instrument", run->instrument}, {"run_number", run->run_number}};
    const Json version = version_json(*detail);
    for (const auto& [field, value] : version.items()) json[field] = value;
    json["log"] = base::to_utf8(*log);
    json["copied_to"] = text_or_null(copied_to);
    context.print(std::move(json));
    return code;
  }
  context.print_raw(*log);
  if (!log->empty() && !log->ends_with('\n')) context.out << '\n';
  if (const Table outputs = output_table(*detail); !outputs.is_empty()) {
    context.out << '\n';
    context.print(outputs);
    context.out << fmt::format("in {}{}\n", printable_lines(detail->output_directory), copied_to.empty() ? "" : ", copied to " + copied_to);
  }
  context.out << printable_lines(end_text(row)) << '\n';
  return code;
}

}  // namespace

void add_try(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("try", "Run a changed script on a real run: log and outputs, on record as a trial, and no result is touched");
  auto options = std::make_shared<TryOptions>();
  command->add_option("run", options->words, "The run whose raw files and variables it gets")->type_name("RUN")->required();
  command->add_option("--script", options->script, "The script on this machine; what it needs of its folder goes with it")->type_name("FILE")->required();
  command->add_option("--set", options->assignments, "A value for this trial: JSON, else text; @FILE: what the file holds. May be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_option("--interpreter", options->interpreter, "One of the instrument's interpreters by name, or \"instrument\" for its own")->type_name("NAME");
  command->add_option("--output", options->output, "Copy what it wrote to this folder, where it can be read from here; no file is replaced")->type_name("DIR");
  add_change_options(*command, options->change);
  command->footer(
      "It waits for the end; exit code 0 when the script succeeded or skipped the run, else 2.\n"
      "Example: runledger try MARI 28001 --script reduce.py --set mon=3 --output /tmp/mine");
  command->callback([&context, options] { context.finish(try_script(context, *options)); });
}

}  // namespace tools
