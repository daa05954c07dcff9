// Who the command line is: a token given to it, the login kept for this ledger, or what the connection itself proves.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tools/client.h"
#include "tools/secret.h"
#include "tools/token_store.h"

namespace tools {

/// The id in a token `rlt_ID_SECRET`, or `text` itself where it is an id; nullopt: it is neither.
std::optional<std::string> token_id_in(std::string_view text);
/// The file a token is to be read from: --token-file, else RUNLEDGER_TOKEN_FILE; nullopt: none is named.
std::optional<std::string> token_file(const std::optional<std::string>& given);
/// The token in a file that only its owner may read.
base::Result<std::string> read_token(const std::string& file);

/// Enters a session: with the token of `file` if one is named, else with the login kept for this ledger, else with what the connection
/// proves. A kept login past half of its life is renewed on the way; that it cannot be is said once it matters.
/// Answers the token; empty: it was the connection. kPermissionDenied: the token is not, or no longer, good; the message says what to do.
base::Result<std::string> log_in(Client& client, const std::optional<std::string>& file, const TokenStore& logins, const std::function<void(std::string_view)>& say);

/// Enters a session with one credential. The refusal as the ledger gave it.
base::Status log_in_by_token(Client& client, std::string_view token);
base::Status log_in_by_password(Client& client, const std::string& name, Secret password);

/// The id of the ledger that answers.
base::Result<std::string> ledger_id(Client& client);
/// Has the session's account get a token to keep, in place of the one named (empty: of none). Not kept yet.
base::Result<StoredLogin> issue_login(Client& client, const std::string& ledger, const std::string& replaces);

}  // namespace tools
