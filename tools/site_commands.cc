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

base::Status become_up(const Context& context, const UpOptions& options) {
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
  init->add_option("DIR", *folder, "Folder of the site; made when it is not there")->required();
  init->footer("Example: runledger init /srv/runledger");
  init->callback([&context, folder] {
    base::Status made = site::create(*folder);
    if (made.is_ok()) {
      context.out << fmt::format("{0}/site.toml is there: name your instruments in it, then start it with: runledger up {0}\n", *folder);
    }
    context.finish(made.is_ok() ? base::Result<int>(kDone) : base::Result<int>(made));
  });
}

void add_up(CLI::App& app, Context& context) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* up = app.add_subcommand("up", "Run a site in the foreground: ledger, monitor, coordinator and worker");
  up->add_option("SITE", options->folder, "Site folder; else --site, RUNLEDGER_SITE, or the one this folder is in");
  up->add_option("--name", options->name, "Name of its worker; default: the host's");
  up->add_option("--log-level", options->log_level, "debug, info, warn or error");
  up->footer("It ends cleanly on Ctrl-C (SIGINT) and SIGTERM.\nExample: runledger up /srv/runledger");
  up->callback([&context, options] { context.finish(become_up(context, *options)); });
}

}  // namespace tools
