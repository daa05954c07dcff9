#include "tools/site_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/program.h"
#include "site/site.h"

namespace tools {
namespace {

struct UpOptions {
  std::string folder;
  std::string name;
  std::string log_level;
};

/// Options of every other command that would do nothing here.
base::Status refuse_unused(const Context& context, std::string_view command) {
  const char* unused = context.options.json ? "--json" : context.options.address ? "--connect" : nullptr;
  if (command == "init" && context.options.site) unused = "--site";
  if (unused == nullptr) return base::Status::ok();
  return {base::Code::kInvalidArgument, fmt::format("{} does nothing with {}; leave it out", unused, command)};
}

base::Status become_up(const Context& context, const UpOptions& options) {
  if (base::Status status = refuse_unused(context, "up"); !status.is_ok()) return status;
  std::optional<std::string> given = options.folder.empty() ? context.options.site : options.folder;
  base::Result<std::filesystem::path> folder = site::find(given, std::filesystem::current_path());
  if (!folder.is_ok()) return folder.status();
  std::filesystem::path program = base::companion_program("runledger-up");
  std::vector<std::string> words = {program.string(), "--site", folder->string()};
  if (!options.name.empty()) words.insert(words.end(), {"--name", options.name});
  if (!options.log_level.empty()) words.insert(words.end(), {"--log-level", options.log_level});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  return {base::Code::kInternal, fmt::format("{}: {}; is the installation whole?", program.string(), strerror(errno))};
}

}  // namespace

void add_init(CLI::App& app, Context& context) {
  auto folder = std::make_shared<std::string>();
  CLI::App* init = app.add_subcommand("init", "Make a new site: a folder with a commented site.toml");
  init->add_option("folder", *folder, "Folder of the site; made when it is not there")->type_name("DIR")->required();
  init->footer("Example: runledger init /srv/runledger");
  init->callback([&context, folder] {
    base::Status made = refuse_unused(context, "init");
    if (made.is_ok()) made = site::create(*folder);
    if (made.is_ok()) {
      context.out << fmt::format("{0}/site.toml is there: name your instruments in it, then start it with: runledger up {0}\n", *folder);
    }
    context.finish(made.is_ok() ? base::Result<int>(kDone) : base::Result<int>(made));
  });
}

void add_up(CLI::App& app, Context& context) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* up = app.add_subcommand("up", "Run a site in the foreground: ledger, monitor, coordinator and worker");
  up->add_option("folder", options->folder, "Site folder; else --site, RUNLEDGER_SITE, or the one this folder is in")
      ->type_name("DIR");
  up->add_option("--name", options->name, "Name of its worker; default: the host's")->type_name("NAME");
  up->add_option("--log-level", options->log_level, "How much it says: debug, info, warn or error; default: info")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  up->footer("It ends cleanly on Ctrl-C (SIGINT) and SIGTERM.\nExample: runledger up /srv/runledger");
  up->callback([&context, options] { context.finish(become_up(context, *options)); });
}

}  // namespace tools
