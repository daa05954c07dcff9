// token: credentials for programs, made, listed and revoked.
#include <fmt/format.h>

#include <memory>

#include "base/daemon_name.h"
#include "base/text.h"
#include "site/site.h"
#include "tools/access_json.h"
#include "tools/access_text.h"
#include "tools/command_id.h"
#include "tools/commands/changes.h"
#include "tools/commands/commands.h"
#include "tools/credentials.h"
#include "tools/private_file.h"

namespace tools {
namespace {

using base::Code;

struct CreateOptions {
  std::string label;
  bool read_only = false;
  std::vector<std::string> instruments;
  std::string daemon;
  std::string expires;
  std::string output;
};

base::Status check_daemon(const std::string& name) {
  if (base::is_daemon_name(name)) return {};
  return {Code::kInvalidArgument, fmt::format("--daemon '{}' is none; write monitord, coordinatord or workerd/NAME", base::printable(name))};
}

base::Status write_request(Context& context, const CreateOptions& options, schema::TokenRequest::Builder request) {
  request.setKind(schema::TokenIssued::Kind::MACHINE);
  request.setLabel(kj_text(options.label));
  auto scope = request.initScope();
  scope.setReadOnly(options.read_only);
  scope.setDaemon(kj_text(options.daemon));
  auto instruments = scope.initInstruments(static_cast<unsigned>(options.instruments.size()));
  for (unsigned i = 0; i < instruments.size(); ++i) {
    base::Result<std::string> name = context.instrument(options.instruments[i]);
    if (!name.is_ok()) return name.status();
    instruments.set(i, kj_text(*name));
  }
  if (options.expires.empty()) return {};
  const auto lifetime_ms = site::parse_duration_ms(options.expires);
  if (!lifetime_ms || *lifetime_ms == 0) {
    return {Code::kInvalidArgument, fmt::format("--expires '{}' is no duration; write 90d or 12h", base::printable(options.expires))};
  }
  request.setLifetimeMs(*lifetime_ms);
  return {};
}

base::Result<int> create(Context& context, const CreateOptions& options) {
  if (!options.daemon.empty()) {
    if (base::Status status = check_daemon(options.daemon); !status.is_ok()) return status;
  }
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto request = (*client)->session().issueTokenRequest();
  request.setCommandId(kj_text(new_command_id()));
  if (base::Status status = write_request(context, options, request.initRequest()); !status.is_ok()) return status;
  // The file is there before the token is: one that could not be written would be lost.
  std::optional<NewPrivateFile> file;
  if (!options.output.empty()) {
    base::Result<NewPrivateFile> made = NewPrivateFile::create(options.output);
    if (!made.is_ok()) return made.status().code() == Code::kNotFound ? base::Status(Code::kUnavailable, made.status().message()) : made.status();
    file.emplace(std::move(*made));
  }
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const auto issued = answer->getRecord().getIssued();
  const std::string token(text_of(answer->getToken()));
  if (file) {
    base::Status status = file->write(token + "\n");
    if (status.is_ok()) status = file->keep();
    if (!status.is_ok()) return base::Status(status.code(), fmt::format("{}; revoke what is lost: runledger token revoke {}", status.message(), text_of(issued.getToken())));
  }
  const std::string what = fmt::format("token {} of {}: {}, until {}", text_of(issued.getToken()), text_of(issued.getAccount()), scope_text(issued.getScope()),
                                       human_time(issued.getExpiresAt()));
  if (context.options.json) {
    Json json = token_json(answer->getRecord());
    json["file"] = text_or_null(options.output);
    json["token"] = file ? Json() : Json(token);
    context.print(json);
  } else if (file) {
    context.out << printable_lines(fmt::format("{}: {}", options.output, what)) << '\n';
  } else {
    context.out << token << '\n';
    context.say(what + "; it is not shown again");
  }
  return kDone;
}

struct ListOptions {
  std::string account;
  bool all = false;
};

base::Result<int> list(Context& context, const ListOptions& options) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto request = (*client)->session().tokensRequest();
  request.setAccount(options.all ? "*" : kj_text(options.account));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  Json json = Json::array();
  Table table({{"TOKEN"}, {"ACCOUNT"}, {"KIND"}, {"FOR", Table::Align::kLeft, true}, {"MAY", Table::Align::kLeft, true}, {"ISSUED"}, {"UNTIL"}});
  for (auto row : answer->getTokens()) {
    const auto issued = row.getIssued();
    json.push_back(token_json(row));
    table.add({std::string(text_of(issued.getToken())), std::string(text_of(issued.getAccount())), json.back()["kind"].get<std::string>(), or_dash(text_of(issued.getLabel())),
               scope_text(issued.getScope()), human_time(row.getIssuedAt()), human_time(issued.getExpiresAt())});
  }
  return context.print_listing(json, table, "there are no tokens");
}

struct RevokeOptions {
  std::string token;
  ChangeOptions change;
};

base::Result<int> revoke(Context& context, const RevokeOptions& options) {
  // Of a whole token only its id goes on: its secret is nobody's business.
  const std::optional<std::string> id = token_id_in(options.token);
  if (!id) return base::Status(Code::kInvalidArgument, "this is no token's id, which has 16 digits; `runledger token list` shows those there are");
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto request = (*client)->session().revokeTokenRequest();
  request.setCommandId(kj_text(command_id(options.change)));
  request.setToken(kj_text(*id));
  request.setReason(kj_text(options.change.comment));
  auto answer = ask(**client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  return report(context, answer->getAnswer(), fmt::format("token {} is revoked, and its sessions have ended", *id), fmt::format("token {} was revoked already", *id));
}

}  // namespace

void add_token(CLI::App& app, Context& context) {
  CLI::App* token = app.add_subcommand("token", "Tokens for programs: made, listed, revoked");
  token->require_subcommand(1);
  token->footer("Example: runledger token list");

  auto created = std::make_shared<CreateOptions>();
  CLI::App* create_command = token->add_subcommand("create", "Make a token for a program: what you may, or less; it is printed this once");
  create_command->add_option("--label", created->label, "What it is for; kept on record")->type_name("TEXT")->required();
  create_command->add_flag("--read-only", created->read_only, "It changes nothing");
  create_command->add_option("--instrument", created->instruments, "Only about this instrument; may be repeated")->type_name("NAME")->allow_extra_args(false);
  create_command->add_option("--daemon", created->daemon, "For a daemon's work alone: monitord, coordinatord or workerd/NAME")->type_name("DAEMON");
  create_command->add_option("--expires", created->expires, "After so long, as in 90d; else as the site has it")->type_name("DURATION");
  create_command->add_option("-o,--output", created->output, "File to write it to, for you alone; it must not be there")->type_name("FILE");
  create_command->footer("A program uses it with --token-file, or RUNLEDGER_TOKEN_FILE.\nExample: runledger token create --label 'nightly plots' --read-only --instrument MARI -o plots.token");
  create_command->callback([&context, created] { context.finish(create(context, *created)); });

  auto listed = std::make_shared<ListOptions>();
  CLI::App* list_command = token->add_subcommand("list", "The tokens that are good now: yours, or another account's");
  auto* account = list_command->add_option("--account", listed->account, "Those of this account")->type_name("NAME");
  list_command->add_flag("--all", listed->all, "Those of every account")->excludes(account);
  list_command->footer("Example: runledger token list --account alice");
  list_command->callback([&context, listed] { context.finish(list(context, *listed)); });

  auto revoked = std::make_shared<RevokeOptions>();
  CLI::App* revoke_command = token->add_subcommand("revoke", "End a token at once, with every session that came by it");
  revoke_command->add_option("token", revoked->token, "Its id, as token list shows it")->type_name("ID")->required();
  add_change_options(*revoke_command, revoked->change);
  revoke_command->footer("Example: runledger token revoke 7f3a5b0c99d1e2f4 --comment 'left in a log'");
  revoke_command->callback([&context, revoked] { context.finish(revoke(context, *revoked)); });
}

}  // namespace tools
