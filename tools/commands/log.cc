#include <fmt/format.h>

#include <memory>

#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/words.h"

namespace tools {
namespace {

struct LogOptions {
  std::vector<std::string> words;
  uint64_t job = 0;  // 0 = the words name a version
  uint16_t attempt = 0;
  uint64_t tail = 0;
  bool raw = false;
};

std::string_view last_lines(std::string_view text, uint64_t count) {
  size_t begin = text.size();
  if (begin > 0 && text[begin - 1] == '\n') --begin;
  while (begin > 0) {
    if (text[begin - 1] == '\n' && --count == 0) break;
    --begin;
  }
  return text.substr(begin);
}

/// Whose log it is. Borrows the row from the answer it came in.
struct LogOf {
  std::optional<ShownVersion> version;
  std::optional<ShownJob> other;
  schema::JobRow::Reader job;
  std::string name;  // "MARI 28001 v2", "MARI 28001 sum v1"
};

base::Result<LogOf> find_job(Context& context, const LogOptions& options) {
  LogOf found;
  if (options.job != 0) {
    base::Result<Client*> client = context.client();
    if (!client.is_ok()) return client.status();
    base::Result<ShownJob> shown = show_job(**client, options.job);
    if (!shown.is_ok()) return shown.status();
    found.other = std::move(*shown);
    found.job = found.other->getJob();
    found.name = job_name(found.job);
    return found;
  }
  base::Result<RunName> name = context.run(options.words);
  if (!name.is_ok()) return name.status();
  base::Result<ShownVersion> version = show_version(**context.client(), *name);
  if (!version.is_ok()) return version.status();
  found.version = std::move(*version);
  found.job = found.version->job;
  found.name = found.version->name;
  return found;
}

base::Result<schema::AttemptRow::Reader> choose_attempt(const LogOf& version, uint16_t number) {
  std::optional<schema::AttemptRow::Reader> chosen;
  for (auto attempt : version.job.getAttempts()) {
    if (number == 0 || attempt.getNumber() == number) chosen = attempt;
  }
  if (chosen) return *chosen;
  size_t attempts = version.job.getAttempts().size();
  if (attempts > 0) {
    return base::Status(base::Code::kNotFound,
                        fmt::format("{} has no attempt {}; the last is attempt {}", version.name, number, attempts));
  }
  if (!is_final(version.job.getState())) {
    return base::Status(base::Code::kNotFound,
                        fmt::format("{} has not been started yet; it is {}", version.name, enum_word(version.job.getState())));
  }
  return base::Status(base::Code::kNotFound,
                      fmt::format("{} was never started, so there is no log; it is {}: {}", version.name,
                                  enum_word(version.job.getState()), text_of(version.job.getReason().getText())));
}

/// How an attempt ended, where that is not what its version asked for; empty when it went well.
std::string ending(schema::AttemptRow::Reader attempt, const std::string& name) {
  switch (attempt.getOutcome()) {
    case schema::AttemptRow::Outcome::FAILED:
      return fmt::format("{} failed ({}): {}", name, enum_word(attempt.getKind()), text_of(attempt.getMessage()));
    case schema::AttemptRow::Outcome::LOST:  // also one that was cancelled; the message says which
      return fmt::format("{} was ended before it was done: {}", name, text_of(attempt.getMessage()));
    default:
      return "";
  }
}

base::Result<int> print_log(Context& context, const LogOptions& options) {
  if (options.words.empty() != (options.job != 0)) {
    return base::Status(base::Code::kInvalidArgument, "name a run or version, or a job with --job, and not both");
  }
  base::Result<LogOf> version = find_job(context, options);
  if (!version.is_ok()) return version.status();
  Client& client = **context.client();
  const auto key = version->job.getQueued().getRuns()[0];
  const std::string instrument(text_of(key.getInstrument()));
  base::Result<schema::AttemptRow::Reader> attempt = choose_attempt(*version, options.attempt);
  if (!attempt.is_ok()) return attempt.status();
  const std::string attempt_name = fmt::format("{} attempt {}", version->name, attempt->getNumber());
  using Outcome = schema::AttemptRow::Outcome;
  if (attempt->getOutcome() == Outcome::RUNNING) {
    return base::Status(base::Code::kNotFound,
                        fmt::format("{} is still running; its log is kept when it ends, see runledger watch {}", attempt_name,
                                    run_text(instrument, key.getRunNumber())));
  }

  // A script that broke before it could print has a traceback only.
  std::string_view hash = bytes_of(attempt->getLog());
  if (hash.empty()) hash = bytes_of(attempt->getTraceback());
  // The worker of a lost attempt may be gone, and what its script printed with it: that is not the same as an empty log.
  const bool kept = !hash.empty() || attempt->getOutcome() != Outcome::LOST;
  bool whole = context.options.json || options.tail > 0;
  std::string text;
  if (!hash.empty()) {
    base::Status status = stream_blob(client, hash, [&](std::string_view piece) {
      if (whole) {
        text += piece;
      } else if (options.raw) {
        context.out << piece;
      } else {
        context.print_raw(piece);
      }
    });
    if (!status.is_ok()) return status;
  }
  std::string_view shown_text = options.tail > 0 ? last_lines(text, options.tail) : std::string_view(text);
  if (context.options.json) {
    context.print(Json{{"instrument", base::to_utf8(instrument)},
                       {"run_number", key.getRunNumber()},
                       {"version", version->job.getQueued().getVersion() == 0 ? Json() : Json(version->job.getQueued().getVersion())},
                       {"stage", text_or_null(text_of(version->job.getQueued().getStage()))},
                       {"job", version->job.getJob()},
                       {"attempt", attempt->getNumber()},
                       {"outcome", enum_word(attempt->getOutcome())},
                       {"message", text_or_null(text_of(attempt->getMessage()))},
                       {"log_sha256", hash_or_null(bytes_of(attempt->getLog()))},
                       {"text", kept ? Json(base::to_utf8(shown_text)) : Json()}});
    return kept ? kDone : kNothingFound;
  }
  if (whole && options.raw) {
    context.out << shown_text;
  } else if (whole) {
    context.print_raw(shown_text);
  }
  context.out.flush();
  if (std::string how = ending(*attempt, attempt_name); !how.empty()) context.say(how);
  if (!kept) {
    context.say(fmt::format("what {} had printed until then was not kept; `runledger explain {} {}` says what happened next",
                            attempt_name, instrument, key.getRunNumber()));
    return kNothingFound;
  }
  if (hash.empty()) context.say(fmt::format("{} printed nothing", attempt_name));
  return kDone;
}

}  // namespace

void add_log(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("log", "The reduction log: what a script printed");
  auto options = std::make_shared<LogOptions>();
  command->add_option("run", options->words, "Run or version; without a version the latest")->type_name("RUN");
  command->add_option("--job", options->job, "Of this job instead: of a stage or a trial, as runledger show lists them")->type_name("JOB")->check(CLI::PositiveNumber);
  command->add_option("--attempt", options->attempt, "This attempt instead of the last; counted from 1")->type_name("N");
  command->add_option("--tail", options->tail, "Only the last N lines; 0 = all")->type_name("N");
  command->add_flag("--raw", options->raw, "Control characters as they are, also on a terminal");
  command->footer("Example: runledger log MARI/28001/v2 --tail 20");
  command->callback([&context, options] { context.finish(print_log(context, *options)); });
}

}  // namespace tools
