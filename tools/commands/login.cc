// login, logout, whoami: who the command line is.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <memory>

#include "tools/access_json.h"
#include "tools/access_text.h"
#include "tools/command_id.h"
#include "tools/commands/commands.h"
#include "tools/credentials.h"
#include "tools/password.h"
#include "tools/version_text.h"

namespace tools {
namespace {

using base::Code;

struct LoginOptions {
  std::string name;
  std::optional<int> password_fd;
};

std::string machine_account() {
  const passwd* account = getpwuid(geteuid());
  return account ? account->pw_name : "";
}

base::Status refuse_token_file(const Context& context, std::string_view command) {
  if (!context.options.token_file) return {};
  return {Code::kInvalidArgument, fmt::format("--token-file does nothing with {}; leave it out", command)};
}

base::Result<std::string> account_to_log_in(const LoginOptions& options) {
  if (!options.name.empty()) return options.name;
  std::string account = machine_account();
  if (!options.password_fd) {
    base::Result<std::string> typed = ask_line(account.empty() ? "account: " : fmt::format("account [{}]: ", account), account);
    if (!typed.is_ok()) return typed;
    account = *typed;
  }
  if (account.empty()) return base::Status(Code::kInvalidArgument, "which account? runledger login NAME");
  return account;
}

/// Ends a token by itself, so that nobody's right is needed but its own.
base::Status end_token(Client& client, const StoredLogin& login) {
  if (base::Status status = log_in_by_token(client, login.token); !status.is_ok()) {
    return status.code() == Code::kPermissionDenied ? base::Status() : status;  // it is over already
  }
  auto request = client.session().revokeTokenRequest();
  request.setCommandId(kj_text(new_command_id()));
  request.setToken(kj_text(login.token_id));
  request.setReason("logged out");
  return ask(client, std::move(request)).status();
}

/// Keeps the new login; one that cannot be kept is ended again.
base::Status keep(Context& context, Client& client, const StoredLogin& login) {
  auto turn = context.logins.take_turn();
  base::Status status = turn.status();
  std::optional<StoredLogin> before;
  if (status.is_ok()) {
    auto found = context.logins.find(login.address, login.ledger);
    if (found.is_ok()) before = std::move(*found);
    status = context.logins.keep(*turn, login);
  }
  if (!status.is_ok()) {
    end_token(client, login).ignore();
  } else if (before) {
    end_token(client, *before).ignore();  // that it ends by itself later does no harm
  }
  return status;
}

base::Result<int> log_in(Context& context, const LoginOptions& options) {
  if (base::Status status = refuse_token_file(context, "login"); !status.is_ok()) return status;
  base::Result<std::string> account = account_to_log_in(options);
  if (!account.is_ok()) return account.status();
  keep_out_of_core_dumps();
  base::Result<Secret> password = options.password_fd ? read_password(*options.password_fd) : ask_password(fmt::format("password of {}: ", printable_lines(*account)));
  if (!password.is_ok()) return password.status();
  // Not before: a connection that does not log in soon is ended.
  base::Result<Client*> connected = context.connection();
  if (!connected.is_ok()) return connected.status();
  Client& client = **connected;
  base::Result<std::string> ledger = ledger_id(client);
  if (!ledger.is_ok()) return ledger.status();
  if (base::Status status = log_in_by_password(client, *account, std::move(*password)); !status.is_ok()) return status;
  base::Result<StoredLogin> login = issue_login(client, *ledger, "");
  if (!login.is_ok()) return login.status();
  if (base::Status status = keep(context, client, *login); !status.is_ok()) return status;
  if (context.options.json) {
    context.print(Json{{"account", login->account}, {"address", login->address}, {"ledger", login->ledger}, {"token_id", login->token_id},
                       {"expires_at", time_or_null(login->expires_ns)}});
  } else {
    context.out << printable_lines(fmt::format("logged in as {} until {}; runledger whoami says what that allows", login->account, human_time(login->expires_ns))) << '\n';
  }
  if (token_file(std::nullopt)) context.say("RUNLEDGER_TOKEN_FILE is set: while it is, commands use that token and not this login");
  return kDone;
}

base::Status forget(const TokenStore& logins, const StoredLogin& login) {
  auto turn = logins.take_turn();
  return turn.is_ok() ? logins.remove(*turn, login) : turn.status();
}

/// Forgets the login even where the ledger cannot be told.
base::Status log_out_of(Context& context, const StoredLogin& login) {
  if (base::Status status = forget(context.logins, login); !status.is_ok()) return status;
  base::Result<std::unique_ptr<Client>> client = context.connect_to(login.address);
  base::Status ended = client.status();
  if (client.is_ok()) {
    base::Result<std::string> ledger = ledger_id(**client);
    ended = ledger.is_ok() ? base::Status() : ledger.status();
    if (ledger.is_ok() && *ledger == login.ledger) ended = end_token(**client, login);
    if (ledger.is_ok() && *ledger != login.ledger) ended = {Code::kUnavailable, "another ledger answers there now"};
  }
  if (ended.is_ok()) return {};
  return {ended.code() == Code::kNotFound ? Code::kUnavailable : ended.code(),
          fmt::format("the login of {} at {} is forgotten here, but the ledger could not be told: {}; the token is good until {}", login.account, login.address,
                      ended.message(), human_time(login.expires_ns))};
}

base::Result<int> log_out(Context& context, bool everywhere) {
  if (base::Status status = refuse_token_file(context, "logout"); !status.is_ok()) return status;
  auto kept = context.logins.all();
  if (!kept.is_ok()) return kept.status();
  std::vector<StoredLogin> ending;
  if (everywhere) {
    ending = std::move(*kept);
  } else {
    base::Result<std::string> address = context.address();
    if (!address.is_ok()) return address.status();
    for (StoredLogin& login : *kept) {
      if (login.address == *address) ending.push_back(std::move(login));
    }
    if (ending.empty()) return base::Status(Code::kNotFound, fmt::format("nobody is logged in at {}", *address));
  }
  if (ending.empty()) return base::Status(Code::kNotFound, "nobody is logged in anywhere");
  Json json = Json::array();
  bool all_ended = true;
  for (const StoredLogin& login : ending) {
    const base::Status status = log_out_of(context, login);
    if (!status.is_ok()) context.say(status.message());
    all_ended = all_ended && status.is_ok();
    json.push_back({{"account", login.account}, {"address", login.address}, {"ledger", login.ledger}, {"token_id", login.token_id}, {"revoked", status.is_ok()}});
    if (!context.options.json && status.is_ok()) context.out << printable_lines(fmt::format("{} is logged out of {}", login.account, login.address)) << '\n';
  }
  if (context.options.json) context.print(json);
  return all_ended ? kDone : kError;
}

std::string roles_text(schema::Rights::Reader rights) {
  if (rights.getEverything()) return "everything: this account runs the ledger";
  std::string text;
  for (auto row : rights.getGrants()) {
    text += fmt::format("{}{}, by {}, since {}", text.empty() ? "" : "\n", role_text(row.getGrant()), giver_text(row.getGrant()), human_time(row.getSince()));
  }
  return text.empty() ? "none: no group of this account gives one, nor does the site file" : text;
}

base::Result<int> who_am_i(Context& context) {
  base::Result<Client*> client = context.client();
  if (!client.is_ok()) return client.status();
  auto answer = ask(**client, (*client)->session().whoamiRequest());
  if (!answer.is_ok()) return answer.status();
  const auto rights = answer->getRights();
  if (context.options.json) {
    context.print(whoami_json(answer->getActor(), rights));
    return kDone;
  }
  Labelled lines = {{"name", std::string(text_of(answer->getActor().getName()))},
                    {"known by", std::string(text_of(answer->getActor().getProof()))},
                    {"roles", roles_text(rights)}};
  if (rights.getToken().size() > 0) lines.emplace_back("token", fmt::format("{}: {}", text_of(rights.getToken()), scope_text(rights.getScope())));
  lines.emplace_back("session", rights.getExpiresAt() == 0 ? "until the connection ends" : fmt::format("until {}", human_time(rights.getExpiresAt())));
  if (rights.hasDirectory()) lines.emplace_back("directory", directory_text(rights.getDirectory()));
  if (!rights.getEnforced()) lines.emplace_back("access", "not enforced: the site has no [access]; only the account that runs the ledger connects");
  context.out << labelled(lines);
  return kDone;
}

}  // namespace

void add_login(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("login", "Prove who you are, once for some hours: name and password of the facility");
  auto options = std::make_shared<LoginOptions>();
  command->add_option("name", options->name, "Account; without it you are asked, and offered that of this machine")->type_name("NAME");
  command->add_option("--password-fd", options->password_fd, "Read the password from this file descriptor instead of the terminal")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  command->footer(
      "What comes back is a token, kept for you alone in ~/.local/state/runledger (or XDG_STATE_HOME); commands use it from then on.\n"
      "Example: runledger login alice");
  command->callback([&context, options] { context.finish(log_in(context, *options)); });
}

void add_logout(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("logout", "End the login at this ledger: its token is revoked and forgotten");
  auto everywhere = std::make_shared<bool>(false);
  command->add_flag("--all", *everywhere, "The logins at every ledger");
  command->footer("Example: runledger logout --all");
  command->callback([&context, everywhere] { context.finish(log_out(context, *everywhere)); });
}

void add_whoami(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("whoami", "Who the ledger takes you for, which roles you have and what gives them");
  command->footer("Example: runledger whoami");
  command->callback([&context] { context.finish(who_am_i(context)); });
}

}  // namespace tools
