#include "tests/tools/fake_access.h"

#include <fmt/format.h>
#include <kj/debug.h>

#include "base/time.h"

namespace fake {
namespace {

void refuse(schema::Refusal::Builder refusal, schema::Refusal::Code code, const std::string& text) {
  refusal.setCode(code);
  refusal.setText(text.c_str());
}

class Gateway final : public schema::Gateway::Server {
 public:
  Gateway(Access& access, OpenSession open) : access_(access), open_(std::move(open)) {}

  kj::Promise<void> info(InfoContext context) override {
    context.getResults().initInfo().setLedgerId(access_.ledger_id.c_str());
    return kj::READY_NOW;
  }

  kj::Promise<void> login(LoginContext context) override {
    auto credentials = context.getParams().getCredentials();
    auto results = context.getResults();
    switch (credentials.which()) {
      case schema::Credentials::CONNECTION: {
        access_.asked.push_back("login by connection");
        results.setSession(open_("machine", ""));
        return kj::READY_NOW;
      }
      case schema::Credentials::PASSWORD: {
        const std::string name = credentials.getPassword().getName().cStr();
        access_.asked.push_back("login of " + name);
        const auto known = access_.passwords.find(name);
        if (known != access_.passwords.end() && known->second == credentials.getPassword().getPassword().cStr()) {
          results.setSession(open_(name, ""));
          return kj::READY_NOW;
        }
        break;
      }
      case schema::Credentials::TOKEN: {
        for (const auto& token : access_.tokens) {
          if (token.text != credentials.getToken().cStr() || !token.is_good()) continue;
          access_.asked.push_back("login by token " + token.id());
          results.setSession(open_(token.account(), token.id()));
          return kj::READY_NOW;
        }
        break;
      }
    }
    refuse(results.initRefusal(), schema::Refusal::Code::PERMISSION_DENIED, "name and password, or the token, are not good");
    return kj::READY_NOW;
  }

 private:
  Access& access_;
  const OpenSession open_;
};

class Administrator final : public schema::Administrator::Server {
 public:
  explicit Administrator(Access& access) : access_(access) {}
  kj::Promise<void> refreshRoles(RefreshRolesContext context) override {
    access_.asked.push_back(context.getParams().getBelieve() ? "refresh roles, believe" : "refresh roles");
    if (!context.getParams().getBelieve() && !access_.refuse_tokens.empty()) {
      refuse(context.getResults().initRefusal(), schema::Refusal::Code::CONFLICT, access_.refuse_tokens);
      return kj::READY_NOW;
    }
    context.getResults().setGranted(3);
    context.getResults().setRevoked(1);
    return kj::READY_NOW;
  }

 private:
  Access& access_;
};

}  // namespace

bool Access::Token::is_good() const {
  return row.read().getRevokedSeq() == 0 && row.read().getIssued().getExpiresAt() > base::system_clock().now_ns();
}

Access::Token& Access::add_token(const std::string& account, schema::TokenIssued::Kind kind, int64_t issued_ns, int64_t expires_ns) {
  Token& token = tokens.emplace_back();
  const std::string id = fmt::format("{:016x}", 0xabc0 + tokens.size());
  token.text = fmt::format("rlt_{}_{:064x}", id, 0xdef0 + tokens.size());
  auto row = token.row.get();
  row.setSeq(500 + tokens.size());
  row.setIssuedAt(issued_ns);
  row.setIssuedBy(account.c_str());
  row.getIssued().setToken(id.c_str());
  row.getIssued().setAccount(account.c_str());
  row.getIssued().setKind(kind);
  row.getIssued().setExpiresAt(expires_ns);
  return token;
}

Access::Token* Access::find(const std::string& id) {
  for (Token& token : tokens) {
    if (token.id() == id) return &token;
  }
  return nullptr;
}

void AccessSession::require_good() {
  if (token_.empty()) return;
  const Access::Token* token = access_.find(token_);
  KJ_REQUIRE(token != nullptr && token->is_good(), "this session has ended: its token is not good any more");
}

kj::Promise<void> AccessSession::whoami(WhoamiContext context) {
  require_good();
  auto results = context.getResults();
  results.initActor().setKind(schema::Actor::Kind::PERSON);
  results.getActor().setName(account_.c_str());
  results.getActor().setProof(token_.empty() ? "peer uid 1000" : fmt::format("token {}", token_).c_str());
  results.setRights(access_.rights.read());
  if (!token_.empty()) {
    results.getRights().setToken(token_.c_str());
    results.getRights().setScope(access_.find(token_)->row.read().getIssued().getScope());
  }
  return kj::READY_NOW;
}

kj::Promise<void> AccessSession::issueToken(IssueTokenContext context) {
  require_good();
  const auto request = context.getParams().getRequest();
  auto results = context.getResults();
  if (!access_.refuse_tokens.empty()) {
    refuse(results.initRefusal(), schema::Refusal::Code::UNAVAILABLE, access_.refuse_tokens);
    return kj::READY_NOW;
  }
  constexpr int64_t kHour = 3600 * kSecond;
  const int64_t now = base::system_clock().now_ns();
  const int64_t lifetime = request.getLifetimeMs() == 0 ? 12 * kHour : static_cast<int64_t>(request.getLifetimeMs()) * 1'000'000;
  Access::Token& token = access_.add_token(account_, request.getKind(), now, now + lifetime);
  auto issued = token.row.get().getIssued();
  issued.setLabel(request.getLabel());
  issued.setScope(request.getScope());
  issued.setReplaces(request.getReplaces());
  if (Access::Token* replaced = access_.find(request.getReplaces().cStr())) replaced->row.get().setRevokedSeq(600);
  access_.asked.push_back(fmt::format("issue {} of {}", token.id(), account_));
  results.setToken(token.text.c_str());
  results.setRecord(token.row.read());
  return kj::READY_NOW;
}

kj::Promise<void> AccessSession::tokens(TokensContext context) {
  require_good();
  const std::string of = context.getParams().getAccount().size() == 0 ? account_ : context.getParams().getAccount().cStr();
  std::vector<const Access::Token*> found;
  for (const auto& token : access_.tokens) {
    if (token.is_good() && (of == "*" || token.account() == of)) found.push_back(&token);
  }
  auto list = context.getResults().initTokens(static_cast<unsigned>(found.size()));
  for (uint32_t i = 0; i < list.size(); ++i) list.setWithCaveats(i, found[i]->row.read());
  return kj::READY_NOW;
}

kj::Promise<void> AccessSession::revokeToken(RevokeTokenContext context) {
  require_good();
  const std::string id = context.getParams().getToken().cStr();
  access_.asked.push_back(fmt::format("revoke {} by {} ({})", id, account_, context.getParams().getReason().cStr()));
  auto answer = context.getResults().initAnswer();
  if (Access::Token* token = access_.find(id)) {
    token->row.get().setRevokedSeq(600);
    answer.initEvents(1).set(0, 600);
  } else {
    refuse(answer.initRefusal(), schema::Refusal::Code::NOT_FOUND, fmt::format("there is no token {}", id));
  }
  return kj::READY_NOW;
}

kj::Promise<void> AccessSession::administrator(AdministratorContext context) {
  context.getResults().setAdministrator(kj::heap<Administrator>(access_));
  return kj::READY_NOW;
}

schema::Gateway::Client make_gateway(Access& access, OpenSession open) { return kj::heap<Gateway>(access, std::move(open)); }

void who_could_see(Access& access, schema::Auditor::WhoCouldSeeParams::Reader params, schema::Auditor::WhoCouldSeeResults::Builder results) {
  const auto moment = params.getMoment();
  const std::string when = !params.hasMoment() ? "now" : moment.isSeq() ? fmt::format("event {}", moment.getSeq()) : fmt::format("time {}", moment.getTime());
  access.asked.push_back(fmt::format("who could see {} at {}", params.getExperiment().cStr(), when));
  auto accounts = results.initAccounts(static_cast<unsigned>(access.seeing.size()));
  for (uint32_t i = 0; i < accounts.size(); ++i) accounts.setWithCaveats(i, access.seeing[i].read());
  results.setSeq(12);
  results.setTime(kNoon);
}

}  // namespace fake
