#include "tools/ledger_commands.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/program.h"

namespace tools {
namespace {

/// Becomes runledger-ledger with the global options and these words.
base::Status become_ledger_program(Context& context, std::vector<std::string> words) {
  const std::filesystem::path program = base::companion_program("runledger-ledger");
  std::vector<std::string> before = {program.string()};
  if (context.options.site) before.insert(before.end(), {"--site", *context.options.site});
  if (context.options.address) before.insert(before.end(), {"--connect", *context.options.address});
  const rpc::TlsClientFiles tls = tls_files(context.options);
  for (const auto& [option, value] : {std::pair("--tls-ca", tls.ca_file), {"--tls-name", tls.server_name}, {"--tls-certificate", tls.certificate}, {"--tls-key", tls.key}}) {
    if (!value.empty()) before.insert(before.end(), {option, value});
  }
  if (context.options.json) before.emplace_back("--json");
  words.insert(words.begin(), before.begin(), before.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  context.out.flush();
  execv(program.c_str(), arguments.data());
  return {base::Code::kInternal, fmt::format("{}: {}; is the installation whole?", program.string(), strerror(errno))};
}

/// Options of every other command that would do nothing here.
base::Status refuse_unused(const Context& context, std::string_view command, bool site) {
  const char* unused = context.options.address ? "--connect" : context.options.token_file ? "--token-file" : context.options.site && !site ? "--site" : nullptr;
  if (unused == nullptr) return {};
  return {base::Code::kInvalidArgument, fmt::format("{} does nothing with {}; leave it out", unused, command)};
}

/// Where the next program reads the token from: an argument could be read by everybody.
base::Result<int> descriptor_with(const std::string& token) {
  const int file = memfd_create("token", 0);
  const bool whole = file >= 0 && write(file, token.data(), token.size()) == static_cast<ssize_t>(token.size()) && lseek(file, 0, SEEK_SET) == 0;
  if (whole) return file;
  return base::Status(base::Code::kInternal, fmt::format("the token cannot be handed on: {}", strerror(errno)));
}

base::Status become_export(Context& context, std::vector<std::string> words) {
  const base::Result<std::string> token = context.token();
  if (!token.is_ok()) return token.status();
  const base::Result<std::string> address = context.address();  // the token is for the ledger there and no other
  if (!address.is_ok()) return address.status();
  context.options.address = *address;
  if (!token->empty()) {
    const base::Result<int> descriptor = descriptor_with(*token);
    if (!descriptor.is_ok()) return descriptor.status();
    words.insert(words.end(), {"--token-fd", std::to_string(*descriptor)});
  }
  return become_ledger_program(context, std::move(words));
}

struct DoctorOptions {
  std::string folder, backup, salvage, reason;
  bool accept_loss = false;
};

base::Status become_doctor(Context& context, const DoctorOptions& options) {
  if (base::Status status = refuse_unused(context, "doctor", true); !status.is_ok()) return status;
  if (options.accept_loss != !options.reason.empty()) {
    return {base::Code::kInvalidArgument, "--accept-loss and --reason go together: the reason is put on record"};
  }
  std::vector<std::string> words = {"doctor"};
  if (!options.backup.empty()) words.insert(words.end(), {"--restore", options.backup});
  if (!options.salvage.empty()) words.insert(words.end(), {"--salvage", options.salvage});
  if (options.accept_loss) words.insert(words.end(), {"--accept-loss", "--reason", options.reason});
  if (!options.folder.empty()) words.insert(words.end(), {"--", options.folder});
  return become_ledger_program(context, std::move(words));
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("export", "Write the whole record into one file, checked on every byte");
  auto file = std::make_shared<std::string>();
  auto from = std::make_shared<uint64_t>(1);
  auto even_unsigned = std::make_shared<bool>(false);
  command->add_option("-o,--output", *file, "File to write; it must not be there")->type_name("FILE")->required();
  command->add_option("--from", *from, "From this event on; what is before it stays out")->type_name("SEQ")->check(CLI::PositiveNumber);
  command->add_flag("--unsigned", *even_unsigned, "Also when no checkpoint can be signed because the log is not the one that was signed before");
  command->footer("Example: runledger export --output ledger.export");
  command->callback([&context, file, from, even_unsigned] {
    std::vector<std::string> words = {"export", "--output", *file, "--from", std::to_string(*from)};
    if (*even_unsigned) words.emplace_back("--unsigned");
    context.finish(become_export(context, std::move(words)));
  });
}

void add_import(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("import", "Make a ledger of an export, or add a later export to one");
  auto words = std::make_shared<std::array<std::string, 2>>();
  command->add_option("file", (*words)[0], "Export to read")->type_name("FILE")->required();
  command->add_option("folder", (*words)[1], "Folder of the ledger: a new one, or one that ends where the export begins")->type_name("DIR")->required();
  command->footer("Example: runledger import ledger.export /srv/runledger/ledger");
  command->callback([&context, words] {
    base::Status status = refuse_unused(context, "import", false);
    if (status.is_ok()) status = become_ledger_program(context, {"import", "--", (*words)[0], (*words)[1]});
    context.finish(status);
  });
}

void add_restore(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("restore", "Verify a backup and copy it to where no ledger is");
  auto words = std::make_shared<std::array<std::string, 2>>();
  command->add_option("backup", (*words)[0], "Folder that admin backup made")->type_name("BACKUP")->required();
  command->add_option("folder", (*words)[1], "Folder of the ledger; it must not be there")->type_name("DIR")->required();
  command->footer("Example: runledger restore /backup/monday /srv/runledger/ledger");
  command->callback([&context, words] {
    base::Status status = refuse_unused(context, "restore", false);
    if (status.is_ok()) status = become_ledger_program(context, {"restore", "--", (*words)[0], (*words)[1]});
    context.finish(status);
  });
}

void add_doctor(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("doctor", "Explain a ledger that will not open; change it only when told to");
  auto options = std::make_shared<DoctorOptions>();
  command->add_option("folder", options->folder, "Folder of the ledger; else that of the site")->type_name("DIR");
  auto* restore = command->add_option("--restore", options->backup, "Put this backup in its place, verified; the folder is kept under another name")
                      ->type_name("BACKUP");
  auto* accept = command->add_flag("--accept-loss", options->accept_loss, "Go on with a ledger that is whole but too short, on record");
  command->add_option("--reason", options->reason, "Why the loss is accepted; kept with the event")->type_name("TEXT");
  auto* salvage = command->add_option("--salvage", options->salvage, "Save the events that are whole into a new ledger folder")->type_name("DIR");
  restore->excludes(accept)->excludes(salvage);
  accept->excludes(salvage);
  command->footer("Example: runledger doctor --site /srv/runledger");
  command->callback([&context, options] { context.finish(become_doctor(context, *options)); });
}

}  // namespace tools
