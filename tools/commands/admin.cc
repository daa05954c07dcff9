// admin: what whoever looks after the ledger does. Views folded again, documents erased, records of commands forgotten, roles read anew.
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/age.h"
#include "base/counted.h"
#include "base/text.h"
#include "base/time.h"
#include "site/site.h"
#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/json_output.h"
#include "tools/progress.h"

namespace tools {
namespace {

base::Result<schema::Administrator::Client> administrator_of(Client& client) {
  auto answer = ask(client, client.session().administratorRequest());
  if (!answer.is_ok()) return answer.status();
  return answer->getAdministrator();
}

struct RebuildOptions {
  std::vector<std::string> views;
  bool check = false;
};

base::Result<int> rebuild(Context& context, const RebuildOptions& options) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto administrator = administrator_of(**client);
  if (!administrator.is_ok()) return administrator.status();
  auto request = administrator->rebuildRequest();
  auto views = request.initViews(static_cast<unsigned>(options.views.size()));
  for (unsigned i = 0; i < views.size(); ++i) views.set(i, kj_text(options.views[i]));
  request.setCheckOnly(options.check);
  request.setProgress(shown_progress(context));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  Json findings = Json::array();
  for (auto finding : answer->getFindings()) findings.push_back(base::to_utf8(text_of(finding)));
  if (context.options.json) {
    context.print(Json{{"checked", options.check}, {"ok", findings.empty()}, {"findings", findings}});
  } else if (!options.check) {
    context.out << "the views are folded again from the log\n";
  } else if (findings.empty()) {
    context.out << "every row is what the log leads to\n";
  } else {
    for (const Json& finding : findings) context.out << base::printable(finding.get<std::string>()) << '\n';
  }
  return findings.empty() ? kDone : kNothingFound;
}

struct EraseOptions {
  std::vector<std::string> words;
  bool log = false;
  std::string reason;
  std::string command_id;
};

/// The reduction logs and tracebacks of a version's attempts.
base::Result<std::vector<std::string>> logs_of(Context& context, const std::vector<std::string>& words) {
  base::Result<RunName> name = context.run(words);
  if (!name.is_ok()) return name.status();
  base::Result<ShownVersion> shown = show_version(**context.client(), *name);
  if (!shown.is_ok()) return shown.status();
  std::vector<std::string> hashes;
  for (auto attempt : shown->job.getAttempts()) {
    for (auto hash : {attempt.getLog(), attempt.getTraceback()}) {
      if (hash.size() > 0) hashes.emplace_back(bytes_of(hash));
    }
  }
  if (hashes.empty()) return base::Status(base::Code::kNotFound, fmt::format("{} has no log", shown->name));
  return hashes;
}

base::Result<std::vector<std::string>> hashes_of(const std::vector<std::string>& words) {
  std::vector<std::string> hashes;
  for (const std::string& word : words) {
    auto bytes = base::from_hex(word);
    if (!bytes || bytes->size() != 32) {
      return base::Status(base::Code::kInvalidArgument,
                          fmt::format("'{}' is no SHA-256 of 64 hex digits; the log of a version is erased with --log", base::printable(word)));
    }
    hashes.push_back(std::move(*bytes));
  }
  return hashes;
}

base::Result<int> erase(Context& context, const EraseOptions& options) {
  auto hashes = options.log ? logs_of(context, options.words) : hashes_of(options.words);
  if (!hashes.is_ok()) return hashes.status();
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto administrator = administrator_of(**client);
  if (!administrator.is_ok()) return administrator.status();
  auto request = administrator->eraseBlobsRequest();
  request.setCommandId(kj_text(command_id({.comment = {}, .command_id = options.command_id})));
  auto blobs = request.initBlobs(static_cast<unsigned>(hashes->size()));
  for (unsigned i = 0; i < blobs.size(); ++i) blobs.set(i, data_of((*hashes)[i]));
  request.setReason(kj_text(options.reason));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("{} erased", base::counted(hashes->size(), "document")), "nothing was erased");
}

struct ForgetOptions {
  std::string older_than;
  std::string reason;
  std::string command_id;
};

/// The last event recorded at or before `time_ns`; 0 = none. Event times never go back, so halving finds it.
base::Result<uint64_t> last_event_before(Client& client, int64_t time_ns) {
  auto runs = client.session().runsRequest().send().getRuns();
  auto status = ask(client, runs.statusRequest());
  if (!status.is_ok()) return status.status();
  uint64_t known = 0, beyond = status->getStatus().getHead() + 1;
  while (beyond - known > 1) {
    const uint64_t middle = known + (beyond - known) / 2;
    auto events = history(client, [&](schema::Subject::Builder subject) { subject.setSeq(middle); });
    if (!events.is_ok()) return events.status();
    if (events->empty()) return base::Status(base::Code::kCorruption, fmt::format("event {} cannot be read", middle));
    (events->front().get().getTime() <= time_ns ? known : beyond) = middle;
  }
  return known;
}

base::Result<int> forget(Context& context, const ForgetOptions& options) {
  const auto age_ms = site::parse_duration_ms(options.older_than);
  if (!age_ms) {
    return base::Status(base::Code::kInvalidArgument,
                        fmt::format("--older-than '{}' is no duration; write 90d or 48h", base::printable(options.older_than)));
  }
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto up_to = last_event_before(**client, base::time_before(base::system_clock().now_ns(), *age_ms));
  if (!up_to.is_ok()) return up_to.status();
  if (*up_to == 0) return base::Status(base::Code::kNotFound, "nothing in the log is that old");
  auto administrator = administrator_of(**client);
  if (!administrator.is_ok()) return administrator.status();
  auto request = administrator->forgetCommandsRequest();
  request.setCommandId(kj_text(command_id({.comment = {}, .command_id = options.command_id})));
  request.setUpTo(*up_to);
  request.setReason(kj_text(options.reason));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("records of commands up to event {} are forgotten", *up_to), "nothing was forgotten");
}

base::Result<int> refresh_roles(Context& context, bool believe) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto administrator = administrator_of(**client);
  if (!administrator.is_ok()) return administrator.status();
  auto request = administrator->refreshRolesRequest();
  request.setBelieve(believe);
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  if (context.options.json) {
    context.print(Json{{"granted", answer->getGranted()}, {"revoked", answer->getRevoked()}});
  } else {
    context.out << fmt::format("the directory is read: {} granted, {} revoked\n", base::counted(answer->getGranted(), "role"), base::counted(answer->getRevoked(), "role"));
  }
  return kDone;
}

void add_reason_options(CLI::App& command, std::string& reason, std::string& id) {
  command.add_option("--reason", reason, "Why; kept with the event")->type_name("TEXT")->required();
  command
      .add_option("--command-id", id, "A name you choose for this change: sent again with the same one, it is carried out once")
      ->type_name("ID");
}

}  // namespace

void add_admin(CLI::App& app, Context& context) {
  CLI::App* admin = app.add_subcommand("admin", "Look after the ledger: back up, rebuild, erase, forget, read roles anew");
  admin->require_subcommand(1);
  admin->footer("Example: runledger admin rebuild --check");
  add_backup(*admin, context);

  auto rebuilt = std::make_shared<RebuildOptions>();
  CLI::App* rebuild_command = admin->add_subcommand("rebuild", "Fold views again from the log, while the ledger serves");
  rebuild_command->add_option("views", rebuilt->views, "Views by name; without one, all")->type_name("VIEW");
  rebuild_command->add_flag("--check", rebuilt->check, "Change nothing: compare every row with what the log leads to");
  rebuild_command->footer("Example: runledger admin rebuild runs --check");
  rebuild_command->callback([&context, rebuilt] { context.finish(rebuild(context, *rebuilt)); });

  auto erased = std::make_shared<EraseOptions>();
  CLI::App* erase_command = admin->add_subcommand("erase", "Take documents out of the ledger; the log keeps who did it and why");
  erase_command->add_option("what", erased->words, "Documents by SHA-256; with --log, one version")->type_name("SHA256|RUN")->required();
  erase_command->add_flag("--log", erased->log, "The reduction logs of that version");
  add_reason_options(*erase_command, erased->reason, erased->command_id);
  erase_command->footer("Example: runledger admin erase MARI/28001/v2 --log --reason 'names a person'");
  erase_command->callback([&context, erased] { context.finish(erase(context, *erased)); });

  auto forgotten = std::make_shared<ForgetOptions>();
  CLI::App* forget_command = admin->add_subcommand("forget", "Drop what is remembered of old commands, so that their ids count as new");
  forget_command->add_option("--older-than", forgotten->older_than, "Commands answered longer ago than this")->type_name("DURATION")->required();
  add_reason_options(*forget_command, forgotten->reason, forgotten->command_id);
  forget_command->footer("Example: runledger admin forget --older-than 90d --reason 'kept for a quarter'");
  forget_command->callback([&context, forgotten] { context.finish(forget(context, *forgotten)); });

  auto believe = std::make_shared<bool>(false);
  CLI::App* refresh_command = admin->add_subcommand("refresh-roles", "Read the directory now and put the roles it gives on record");
  refresh_command->add_flag("--believe", *believe, "Even when it would take away most roles: you have looked, and it is right");
  refresh_command->footer("Example: runledger admin refresh-roles");
  refresh_command->callback([&context, believe] { context.finish(refresh_roles(context, *believe)); });
}

}  // namespace tools
