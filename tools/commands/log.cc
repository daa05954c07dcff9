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

base::Result<schema::AttemptRow::Reader> choose_attempt(schema::JobRow::Reader job, uint16_t number, const std::string& version) {
  std::optional<schema::AttemptRow::Reader> chosen;
  for (auto attempt : job.getAttempts()) {
    if (number == 0 || attempt.getNumber() == number) chosen = attempt;
  }
  if (chosen) return *chosen;
  size_t attempts = job.getAttempts().size();
  if (attempts == 0) return base::Status(base::Code::kNotFound, fmt::format("{} has not been started yet; it is {}", version, enum_word(job.getState())));
  return base::Status(base::Code::kNotFound, fmt::format("{} has no attempt {}; there are {}", version, number, attempts));
}

base::Result<int> print_log(Context& context, const LogOptions& options) {
  base::Result<RunName> name = context.run(options.words);
  if (!name.is_ok()) return name.status();
  Client& client = **context.client();
  base::Result<ShownRun> shown = show_run(client, *name);
  if (!shown.is_ok()) return shown.status();
  std::optional<schema::JobRow::Reader> job = chosen_version(*shown, name->version);
  if (!job) {
    return base::Status(base::Code::kNotFound, fmt::format("{} has no version yet; it is {}: {}", run_text(name->instrument, name->run_number),
                                                           enum_word(shown->getRun().getState()), text_of(shown->getRun().getReason().getText())));
  }
  std::string version = run_text(name->instrument, name->run_number, job->getQueued().getVersion());
  base::Result<schema::AttemptRow::Reader> attempt = choose_attempt(*job, options.attempt, version);
  if (!attempt.is_ok()) return attempt.status();
  using Outcome = schema::AttemptRow::Outcome;
  if (attempt->getOutcome() == Outcome::RUNNING) {
    return base::Status(base::Code::kNotFound, fmt::format("{} attempt {} is still running; its log is kept when it ends, see runledger watch {}", version,
                                                           attempt->getNumber(), run_text(name->instrument, name->run_number)));
  }

  // A script that broke before it could print has a traceback only.
  std::string_view hash = bytes_of(attempt->getLog());
  if (hash.empty()) hash = bytes_of(attempt->getTraceback());
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
    context.print(Json{{"instrument", name->instrument},
                       {"run_number", name->run_number},
                       {"version", job->getQueued().getVersion()},
                       {"attempt", attempt->getNumber()},
                       {"outcome", enum_word(attempt->getOutcome())},
                       {"message", text_or_null(text_of(attempt->getMessage()))},
                       {"log_sha256", hash_or_null(bytes_of(attempt->getLog()))},
                       {"text", base::to_utf8(shown_text)}});
    return kDone;
  }
  if (whole && options.raw) {
    context.out << shown_text;
  } else if (whole) {
    context.print_raw(shown_text);
  }
  if (hash.empty()) context.say(fmt::format("{} attempt {} printed nothing", version, attempt->getNumber()));
  if (attempt->getOutcome() == Outcome::FAILED || attempt->getOutcome() == Outcome::LOST) {
    context.out.flush();
    context.say(fmt::format("{} attempt {} {} ({}): {}", version, attempt->getNumber(), enum_word(attempt->getOutcome()),
                            enum_word(attempt->getKind()), text_of(attempt->getMessage())));
  }
  return kDone;
}

}  // namespace

void add_log(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("log", "The reduction log: what a script printed");
  auto options = std::make_shared<LogOptions>();
  command->add_option("run", options->words, "Run or version; without a version the latest")->type_name("RUN")->required();
  command->add_option("--attempt", options->attempt, "This attempt instead of the last")->type_name("N");
  command->add_option("--tail", options->tail, "Only the last N lines")->type_name("N");
  command->add_flag("--raw", options->raw, "Control characters as they are, also on a terminal");
  command->footer("Example: runledger log MARI/28001/v2 --tail 20");
  command->callback([&context, options] { context.finish(print_log(context, *options)); });
}

}  // namespace tools
