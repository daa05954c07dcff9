#include "tools/program.h"

#include <fmt/format.h>
#include <kj/exception.h>

#include <algorithm>

#include "base/version.h"

namespace tools {
namespace {

constexpr AddCommand kCommands[] = {add_status, add_runs,   add_show, add_trace,  add_explain, add_log,    add_watch,  add_rerun,
                                    add_cancel, add_queue, add_vars, add_script, add_pause,   add_resume, add_version};

/// The subcommand that was being read when parsing ended.
std::string command_line(const CLI::App& app) {
  std::string text = app.get_name();
  for (const CLI::App* sub : app.get_subcommands()) text += " " + command_line(*sub);
  return text;
}

}  // namespace

int run_program(std::vector<std::string> arguments, Context& context, std::span<const AddCommand> more) {
  CLI::App app("Automatic data reduction: what was measured, how it was reduced, and why.", "runledger");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--site", context.options.site, "Site folder; else RUNLEDGER_SITE, else the nearest one at or above this folder")
      ->type_name("DIR");
  app.add_option("--connect", context.options.address, "Address of ledgerd, instead of the site's own")->type_name("ADDRESS");
  app.add_flag("--json", context.options.json, "Print JSON for programs; its fields are stable");
  app.set_version_flag("--version", fmt::format("runledger {}", base::version()));
  app.footer("A run is written MARI 28001, MARI/28001 or MARI28001, a version MARI/28001/v2, several MARI 28001-28010,28020.\n"
             "Exit codes: 0 done, 1 nothing found, 2 usage or error.");
  for (AddCommand add : more) add(app, context);
  for (AddCommand add : kCommands) add(app, context);

  std::reverse(arguments.begin(), arguments.end());
  kj::Maybe<kj::Exception> fault = kj::runCatchingExceptions([&] {
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::Success& asked) {
      app.exit(asked, context.out, context.err);
    } catch (const CLI::ParseError& error) {
      context.say(fmt::format("{}; see {} --help", error.what(), command_line(app)));
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
