// The door of the fake ledger: accounts with passwords, tokens and the sessions they open, roles as a test puts them there.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "schema/api.capnp.h"
#include "tests/tools/fake_message.h"

namespace fake {

/// Owns: all of it; must outlive what is made with it.
struct Access {
  struct Token {
    Message<schema::TokenRow> row;
    std::string text;
    std::string id() const { return row.read().getIssued().getToken().cStr(); }
    std::string account() const { return row.read().getIssued().getAccount().cStr(); }
    bool is_good() const;
  };

  std::string ledger_id = "0123";
  std::map<std::string, std::string> passwords;  // by account
  std::vector<Token> tokens;
  Message<schema::Rights> rights;                 // of everybody
  std::vector<Message<schema::GrantRow>> seeing;  // whoCouldSee answers them
  std::string refuse_tokens;                      // not empty: none is issued (unavailable)

  std::vector<std::string> asked;  // logins and changes, as text; a password is not part of it

  /// One that is good between these times; "rlt_ID_SECRET" is its text.
  Token& add_token(const std::string& account, schema::TokenIssued::Kind kind, int64_t issued_ns, int64_t expires_ns);
  Token* find(const std::string& id);
};

/// The part of a session that knows who came, and how.
class AccessSession : public schema::Session::Server {
 public:
  AccessSession(Access& access, std::string account, std::string token) : access_(access), account_(std::move(account)), token_(std::move(token)) {}
  kj::Promise<void> whoami(WhoamiContext context) override;
  kj::Promise<void> issueToken(IssueTokenContext context) override;
  kj::Promise<void> tokens(TokensContext context) override;
  kj::Promise<void> revokeToken(RevokeTokenContext context) override;
  kj::Promise<void> administrator(AdministratorContext context) override;

 protected:
  /// Throws once its token has ended, as a session does then.
  void require_good();

 private:
  Access& access_;
  const std::string account_, token_;
};

using OpenSession = std::function<schema::Session::Client(std::string account, std::string token)>;
schema::Gateway::Client make_gateway(Access& access, OpenSession open);
/// Answers whoCouldSee.
void who_could_see(Access& access, schema::Auditor::WhoCouldSeeParams::Reader params, schema::Auditor::WhoCouldSeeResults::Builder results);

}  // namespace fake
