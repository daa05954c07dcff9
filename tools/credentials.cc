#include "tools/credentials.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/secret_file.h"
#include "base/time.h"
#include "tools/command_id.h"
#include "tools/document.h"
#include "tools/table.h"

namespace tools {
namespace {

using base::Code;

constexpr std::string_view kTokenMark = "rlt_";
constexpr size_t kTokenIdDigits = 16;

bool is_token_id(std::string_view text) {
  return text.size() == kTokenIdDigits && std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

template <typename Write>
base::Status enter(Client& client, const Write& write) {
  auto request = client.gateway().loginRequest();
  write(request.initCredentials());
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  client.enter(answer->getSession());
  return {};
}

base::Result<std::string> log_in_by_connection(Client& client) {
  base::Status status = enter(client, [](schema::Credentials::Builder credentials) { credentials.setConnection(); });
  if (!status.is_ok()) return status;
  return std::string();
}

/// A refusal of a kept login, as what to do about it.
base::Status log_in_again(const base::Status& refused, const StoredLogin& login, int64_t now_ns) {
  if (refused.code() != Code::kPermissionDenied) return refused;
  const std::string when = login.expires_ns <= now_ns ? fmt::format("ended at {}", human_time(login.expires_ns)) : "is no longer good";
  return {Code::kPermissionDenied, fmt::format("the login of {} at {} {}; log in again: runledger login", login.account, login.address, when)};
}

/// Another token in the place of this one, which ends with it; then a session by the new one. Without success all stays as it is.
/// Answers the token that is good.
base::Result<std::string> renew(Client& client, const StoredLogin& login, const TokenStore& logins, const std::function<void(std::string_view)>& say) {
  const auto turn = logins.try_turn();
  if (!turn) return login.token;  // somebody else is at it, or it cannot be kept
  const auto now_kept = logins.find(login.address, login.ledger);
  if (!now_kept.is_ok() || !now_kept.value() || now_kept.value()->token != login.token) return login.token;
  auto renewed = issue_login(client, login.ledger, login.token_id);
  if (!renewed.is_ok()) return login.token;  // the old one is good to its end
  if (base::Status kept = logins.keep(*turn, *renewed); !kept.is_ok()) say(fmt::format("{}; this login ends with this command, log in again", kept.message()));
  if (base::Status status = log_in_by_token(client, renewed->token); !status.is_ok()) return status;
  return renewed->token;
}

base::Result<std::string> log_in_as_kept(Client& client, StoredLogin login, const TokenStore& logins, const std::function<void(std::string_view)>& say) {
  base::Status status = log_in_by_token(client, login.token);
  if (status.code() == Code::kPermissionDenied) {
    // Another command may have renewed it since it was read.
    const auto now_kept = logins.find(login.address, login.ledger);
    if (now_kept.is_ok() && now_kept.value() && now_kept.value()->token != login.token) {
      login = *now_kept.value();
      status = log_in_by_token(client, login.token);
    }
  }
  const int64_t now_ns = base::system_clock().now_ns();
  if (!status.is_ok()) return log_in_again(status, login, now_ns);
  const bool past_half = now_ns > login.issued_ns + (login.expires_ns - login.issued_ns) / 2;
  return past_half ? renew(client, login, logins, say) : login.token;
}

}  // namespace

std::optional<std::string> token_id_in(std::string_view text) {
  if (text.starts_with(kTokenMark)) text = text.substr(kTokenMark.size(), kTokenIdDigits);
  if (!is_token_id(text)) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> token_file(const std::optional<std::string>& given) {
  if (given) return given;
  const char* named = getenv("RUNLEDGER_TOKEN_FILE");
  return named && *named ? std::optional<std::string>(named) : std::nullopt;
}

base::Result<std::string> read_token(const std::string& file) {
  base::Result<std::string> text = base::read_secret_file(file);
  // Not to find the token is an error, unlike not to find a run.
  if (!text.is_ok() && text.status().code() == Code::kNotFound) return base::Status(Code::kInvalidArgument, text.status().message());
  if (!text.is_ok()) return text;
  if (text->starts_with(kTokenMark)) return text;
  return base::Status(Code::kInvalidArgument, fmt::format("{}: holds no token; its first line should be one, as runledger token create prints it", file));
}

base::Result<std::string> log_in(Client& client, const std::optional<std::string>& file, const TokenStore& logins, const std::function<void(std::string_view)>& say) {
  if (file) {
    base::Result<std::string> token = read_token(*file);
    if (!token.is_ok()) return token;
    base::Status status = log_in_by_token(client, *token);
    if (status.is_ok()) return token;
    if (status.code() != Code::kPermissionDenied) return status;
    return base::Status(status.code(), fmt::format("{}: the token in it is not, or no longer, good; make another one: runledger token create", *file));
  }
  auto kept = logins.all();
  if (!kept.is_ok()) return kept.status();
  const bool has_logins = std::any_of(kept->begin(), kept->end(), [&](const StoredLogin& login) { return login.address == client.address(); });
  if (!has_logins) return log_in_by_connection(client);
  base::Result<std::string> ledger = ledger_id(client);
  if (!ledger.is_ok()) return ledger.status();
  const auto login = std::find_if(kept->begin(), kept->end(), [&](const StoredLogin& each) { return each.address == client.address() && each.ledger == *ledger; });
  return login == kept->end() ? log_in_by_connection(client) : log_in_as_kept(client, *login, logins, say);
}

base::Status log_in_by_token(Client& client, std::string_view token) {
  const std::string text(token);
  return enter(client, [&](schema::Credentials::Builder credentials) { credentials.setToken(kj_text(text)); });
}

base::Status log_in_by_password(Client& client, const std::string& name, Secret password) {
  return enter(client, [&](schema::Credentials::Builder credentials) {
    auto given = credentials.initPassword();
    given.setName(kj_text(name));
    const std::string_view text = password.view();
    memcpy(given.initPassword(static_cast<unsigned>(text.size())).begin(), text.data(), text.size());
    password.wipe();
  });
}

base::Result<std::string> ledger_id(Client& client) {
  auto answer = ask(client, client.gateway().infoRequest());
  if (!answer.is_ok()) return answer.status();
  return std::string(text_of(answer->getInfo().getLedgerId()));
}

base::Result<StoredLogin> issue_login(Client& client, const std::string& ledger, const std::string& replaces) {
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  auto request = client.session().issueTokenRequest();
  request.setCommandId(kj_text(new_command_id()));
  request.getRequest().setKind(schema::TokenIssued::Kind::LOGIN);
  request.getRequest().setLabel(fmt::format("runledger login on {}", host).c_str());
  request.getRequest().setReplaces(kj_text(replaces));
  auto answer = ask(client, std::move(request));
  if (!answer.is_ok()) return answer.status();
  const auto issued = answer->getRecord().getIssued();
  return StoredLogin{.address = client.address(),
                     .ledger = ledger,
                     .account = std::string(text_of(issued.getAccount())),
                     .token_id = std::string(text_of(issued.getToken())),
                     .token = std::string(text_of(answer->getToken())),
                     .issued_ns = answer->getRecord().getIssuedAt(),
                     .expires_ns = issued.getExpiresAt()};
}

}  // namespace tools
