#include "tools/program.h"

#include <fmt/format.h>
#include <kj/exception.h>

#include <algorithm>

#include "base/version.h"
#include "tools/near_words.h"

namespace tools {
namespace {

constexpr AddCommand kCommands[] = {add_status, add_runs,  add_show,   add_trace,    add_diff,   add_explain, add_log,   add_watch,
                                    add_stale,  add_rerun, add_try,    add_campaign, add_replay, add_stage,   add_combine, add_cancel,
                                    add_queue,  add_vars,  add_script, add_pause,    add_resume, add_prove,   add_login, add_logout,
                                    add_whoami, add_token, add_audit,  add_admin,    add_version};

constexpr const char* kHowRunsAreWritten =
    "A run is written MARI 28001, MARI/28001 or MARI28001, a version MARI/28001/v2, several MARI 28001-28010,28020.\n"
    "Exit codes: 0 done, 1 nothing found or not verified, 2 usage or error.";

/// The innermost subcommand that was being read when parsing ended.
const CLI::App& innermost(const CLI::App& app) {
  auto below = app.get_subcommands();
  return below.empty() ? app : innermost(*below.front());
}

std::string command_line(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : command_line(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

/// "--json" and so on, of a command and of those it is below.
std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names = app.get_parent() == nullptr ? std::vector<std::string>() : options_of(*app.get_parent());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// What is wrong with the words, naming the one that is wrong.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = innermost(app);
  const std::string line = command_line(command);
  const bool wants_command = command.get_require_subcommand_min() > 0;
  const std::vector<std::string> left_over = app.remaining(true);
  bool about_words = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) ||
                     (wants_command && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError));
  if (!about_words) return fmt::format("{}; see {} --help", error.what(), line);
  if (left_over.empty()) return fmt::format("which command? {} --help lists them", line);
  const std::string& word = left_over.front();
  if (word.starts_with("-")) {
    return fmt::format("'{}' is no option of {}; {} --help lists those there are{}", word, line, line,
                       did_you_mean(word, options_of(command)));
  }
  if (wants_command)
    return fmt::format("'{}' is no command; {} --help lists those there are{}", word, line,
                       did_you_mean(word, commands_of(command)));
  return fmt::format("'{}' is one word too many; see {} --help", word, line);
}

/// The commands that --at goes with; the others change something, print bytes, or follow what happens now.
constexpr std::string_view kLookBack[] = {"status", "runs", "show", "trace", "explain", "queue", "diff",
                                          "vars show", "vars history", "vars blame", "script list", "audit who-could-see"};

void check_look_back(const CLI::App& app, const Context& context) {
  if (!context.options.at) return;
  const std::string line = command_line(innermost(app)).substr(app.get_name().size() + 1);
  if (std::find(std::begin(kLookBack), std::end(kLookBack), line) != std::end(kLookBack)) return;
  throw CLI::ValidationError(
      fmt::format("--at does nothing with {}; it goes with {}", line, fmt::join(kLookBack, ", ")));
}

/// Where the options are explained that go with every command.
void finish_help(CLI::App& command) {
  std::string footer = command.get_footer();
  command.footer((footer.empty() ? "" : footer + "\n") + "Options of every command (--site, --connect, --token-file, --tls-ca, --json, --at): runledger --help");
  for (CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) finish_help(*below);
}

}  // namespace

int run_program(std::vector<std::string> arguments, Context& context, std::span<const AddCommand> more) {
  CLI::App app("Automatic data reduction: what was measured, how it was reduced, and why.", "runledger");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--site", context.options.site, "Site folder; else RUNLEDGER_SITE, else the nearest one at or above this folder")
      ->type_name("DIR");
  app.add_option("--connect", context.options.address, "Address of ledgerd, unix:PATH or tls:HOST:PORT; without it and --site RUNLEDGER_CONNECT, else the site's own")->type_name("ADDRESS");
  app.add_option("--token-file", context.options.token_file, "File with the token to log in by; else RUNLEDGER_TOKEN_FILE, else what runledger login got")
      ->type_name("FILE");
  app.add_option("--tls-ca", context.options.tls.ca_file, "Authorities to trust at a tls address; else RUNLEDGER_TLS_CA, else those of the system")
      ->type_name("FILE");
  app.add_option("--tls-name", context.options.tls.server_name, "Name its certificate must have, where that is not the address's host")->type_name("NAME");
  app.add_option("--tls-certificate", context.options.tls.certificate, "Certificate to show there, for a program that has one")->type_name("FILE");
  app.add_option("--tls-key", context.options.tls.key, "The key of that certificate")->type_name("FILE");
  app.add_flag("--json", context.options.json, "Print JSON for programs; its fields are stable");
  app.add_option("--at", context.options.at, "Answer as of then: an ISO 8601 time (UTC unless it names a zone), -2h, or an event's number")
      ->type_name("TIME|SEQ");
  app.parse_complete_callback([&] { check_look_back(app, context); });
  app.set_help_flag("-h,--help", "Say how it is used, and end");
  app.set_version_flag("--version", fmt::format("runledger {}", base::version()), "Print the version, and end");
  for (AddCommand add : more) add(app, context);
  for (AddCommand add : kCommands) add(app, context);
  auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (CLI::App* command : std::span(commands).subspan(more.size())) finish_help(*command);
  app.footer(
      fmt::format("{}\nEach command says more: runledger rerun --help\nExample: runledger --site /srv/runledger status --json",
                  kHowRunsAreWritten));

  std::reverse(arguments.begin(), arguments.end());
  kj::Maybe<kj::Exception> fault = kj::runCatchingExceptions([&] {
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::Success& asked) {
      app.exit(asked, context.out, context.err);
    } catch (const CLI::ParseError& error) {
      context.say(usage_message(app, error));
      context.exit_code = kError;
    } catch (const std::exception& error) {
      context.say(error.what());
      context.exit_code = kError;
    }
  });
  KJ_IF_MAYBE (exception, fault) {
    context.say(status_of(*exception).message());
    context.exit_code = kError;
  }
  return context.exit_code;
}

}  // namespace tools
