// admin backup: a whole copy of the running ledger, verified before it counts.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/counted.h"
#include "base/sha256.h"
#include "base/text.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"
#include "tools/words.h"

namespace tools {
namespace {

base::Result<int> back_up(Context& context, const std::string& folder) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto session = ask(**client, (*client)->session().administratorRequest());
  if (!session.is_ok()) return session.status();
  auto request = session->getAdministrator().backupRequest();
  const std::string path = std::filesystem::absolute(folder).lexically_normal().string();
  request.setFolder(kj_text(path));
  request.setProgress(shown_progress(context));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const std::string root = base::hex(bytes_of(answer->getRoot()));
  if (context.options.json) {
    context.print(Json{{"folder", path}, {"events", answer->getEvents()}, {"root", root}});
  } else {
    context.out << fmt::format("{}: {}, root {}, verified\n", path, base::counted(answer->getEvents(), "event"), root);
  }
  return kDone;
}

}  // namespace

void add_backup(CLI::App& admin, Context& context) {
  CLI::App* command = admin.add_subcommand("backup", "A whole copy of the running ledger in a new folder, verified");
  auto folder = std::make_shared<std::string>();
  command->add_option("folder", *folder, "New folder, on the machine of ledgerd; on the ledger's own disk it takes no room at first")
      ->type_name("DIR")
      ->required();
  command->footer("Example: runledger admin backup /backup/monday");
  command->callback([&context, folder] { context.finish(back_up(context, *folder)); });
}

}  // namespace tools
