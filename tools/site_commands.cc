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
  const char* unused = context.options.json ? "--json" : context.options.address ? "--connect" : context.options.token_file ? "--token-file" : nullptr;
  if (command == "init" && context.options.site) unused = "--site";
  if (unused == nullptr) return base::Status::ok();
  return {base::Code::kInvalidArgument, fmt::format("{} does nothing with {}; leave it out", unused, command)};
}

/// This process goes on as a program beside it.
base::Status become(std::string_view name, std::vector<std::string> words) {
  const std::filesystem::path program = base::companion_program(name);
  words.insert(words.begin(), program.string());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  return {base::Code::kInternal, fmt::format("{}: {}; is the installation whole?", program.string(), strerror(errno))};
}

base::Status become_up(const Context& context, const UpOptions& options) {
  if (base::Status status = refuse_unused(context, "up"); !status.is_ok()) return status;
  std::optional<std::string> given = options.folder.empty() ? context.options.site : options.folder;
  base::Result<std::filesystem::path> folder = site::find(given, std::filesystem::current_path());
  if (!folder.is_ok()) return folder.status();
  std::vector<std::string> words = {"--site", folder->string()};
  if (!options.name.empty()) words.insert(words.end(), {"--name", options.name});
  if (!options.log_level.empty()) words.insert(words.end(), {"--log-level", options.log_level});
  return become("runledger-up", std::move(words));
}

base::Result<int> verify_offline(const Context& context, uint64_t from) {
  if (const char* unused = context.options.address ? "--connect" : context.options.token_file ? "--token-file" : nullptr) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{} does nothing with verify --offline, which reads the files of a site; leave it out", unused));
  }
  base::Result<std::filesystem::path> folder = site::find(context.options.site, std::filesystem::current_path());
  if (!folder.is_ok()) return base::Status(base::Code::kInvalidArgument, folder.status().message());
  base::Result<site::Site> site = site::load(*folder);
  if (!site.is_ok()) return base::Status(base::Code::kInvalidArgument, site.status().message());
  std::vector<std::string> words = {site->ledger.string(), "--witness", site->witness.file};
  if (from > 0) words.insert(words.end(), {"--from", std::to_string(from)});
  if (context.options.json) words.push_back("--json");
  return become("runledger-verify-ledger", std::move(words));
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

void add_verify(CLI::App& app, Context& context) {
  auto from = std::make_shared<uint64_t>(0);
  auto offline = std::make_shared<bool>(false);
  CLI::App* verify = app.add_subcommand("verify", "Read every stored byte again: is the record what was recorded? Exit code 1: it is not");
  verify->add_option("--from", *from, "Only events from this one on, behind the last witnessed checkpoint before it")->type_name("SEQ");
  verify->add_flag("--offline", *offline, "Read the files of a ledger that is not running, in the site folder");
  verify->footer("Example: runledger verify --json");
  verify->callback([&context, from, offline] {
    context.finish(*offline ? verify_offline(context, *from) : verify_running(context, *from));
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
