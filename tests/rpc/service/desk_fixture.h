// A served ledger with [access], and callers at its door.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/event_bytes.h"
#include "ledger/subjects.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/daemon_name.h"
#include "tests/rpc/service/fake_accounts.h"
#include "tests/support/served_ledger.h"

namespace support {

using Code = schema::Refusal::Code;
using Body = schema::Event::Body;

class DeskTest : public testing::Test {
 protected:
  DeskTest() {
    accounts->known = {{"alice", {"open sesame", {scientist("MARI")}}}, {"bob", {"builder", {member("2010001")}}}, {"ann", {"admin", {administrator()}}}};
    settings.enforced = true;
    served.service->use_access(settings, accounts);
  }

  rpc::AccessDesk& desk() { return served.service->access(); }
  static rpc::Peer socket_of(std::string account) { return {.account = std::move(account), .proof = "peer uid 1000", .source = "unix"}; }
  static rpc::Peer network(std::string host = "192.0.2.1") { return {.source = std::move(host)}; }
  schema::Gateway::Client at(const rpc::Peer& peer) { return served.service->gateway(peer); }

  template <typename Request>
  auto ask(Request request) {
    return served.loop.wait(request.send().then([](auto&& response) { return kj::mv(response); }));
  }
  auto by_connection(schema::Gateway::Client gateway) { return ask(gateway.loginRequest()); }
  auto by_password(const std::string& name, const std::string& password, const rpc::Peer& peer = network()) {
    auto request = at(peer).loginRequest();
    auto credentials = request.initCredentials().initPassword();
    credentials.setName(name);
    credentials.setPassword(password);
    return ask(kj::mv(request));
  }
  auto by_token(const std::string& token, const rpc::Peer& peer = network()) {
    auto request = at(peer).loginRequest();
    request.initCredentials().setToken(token);
    return ask(kj::mv(request));
  }
  /// A session that must be given.
  template <typename Response>
  static schema::Session::Client session(Response&& response) {
    EXPECT_EQ(response.getRefusal().getCode(), Code::OK) << response.getRefusal().getText().cStr();
    return response.getSession();
  }
  schema::Session::Client alice() { return session(by_password("alice", "open sesame")); }
  schema::Session::Client ann() { return session(by_password("ann", "admin")); }

  struct Token {
    std::string text, id;
    base::Status refusal;
  };
  /// `wish` may change what is asked for: a machine's token with all its owner's roles.
  Token issue(schema::Session::Client from, const std::function<void(schema::TokenRequest::Builder)>& wish = [](auto) {}) {
    auto request = from.issueTokenRequest();
    request.setCommandId("issue " + std::to_string(++commands));
    auto wanted = request.initRequest();
    wanted.setKind(schema::TokenIssued::Kind::MACHINE);
    wish(wanted);
    auto answer = ask(kj::mv(request));
    return {answer.getToken().cStr(), answer.getRecord().getIssued().getToken().cStr(), status_of(answer.getRefusal())};
  }
  base::Status revoke(schema::Session::Client from, const std::string& id) {
    auto request = from.revokeTokenRequest();
    request.setCommandId("revoke " + std::to_string(++commands));
    request.setToken(id);
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  static base::Status status_of(schema::Refusal::Reader refusal) { return {static_cast<base::Code>(refusal.getCode()), refusal.getText().cStr()}; }

  /// "scientist MARI", "member 2010001"; of the session, as whoami shows them.
  std::vector<std::string> roles(schema::Session::Client of) {
    auto answer = ask(of.whoamiRequest());
    std::vector<std::string> found;
    for (auto row : answer.getRights().getGrants()) found.push_back(role_words(row.getGrant()));
    return found;
  }
  std::vector<std::string> recorded_roles(const std::string& account) {
    std::vector<std::string> found;
    for (const auto& row : ledger::grants(*served.ledger->snapshot(), account)) found.push_back(role_words(row.get().getGrant()));
    return found;
  }
  static std::string role_words(schema::Grant::Reader grant) {
    switch (grant.getRole()) {
      case schema::Role::SCIENTIST: return std::string("scientist ") + grant.getInstrument().cStr();
      case schema::Role::MEMBER: return std::string("member ") + grant.getExperiment().cStr();
      case schema::Role::OPERATOR: return "operator";
      case schema::Role::AUDITOR: return "auditor";
      case schema::Role::ADMINISTRATOR: return "administrator";
      default: return "?";
    }
  }
  /// Why a call on the session fails; empty = it does not.
  std::string why_broken(schema::Session::Client of) {
    return served.loop.wait(of.whoamiRequest().send().then([](auto&&) { return std::string(); }, [](kj::Exception&& problem) { return std::string(problem.getDescription().cStr()); }));
  }

  /// Every event of a kind, oldest first.
  std::vector<ledger::Row<schema::Event>> events(Body::Which kind) {
    std::vector<ledger::Row<schema::Event>> found;
    const auto snapshot = served.ledger->snapshot();
    for (uint64_t seq = 1; seq <= snapshot->head(); ++seq) {
      const auto words = snapshot->event(seq);
      const auto bytes = words->asBytes();
      ledger::Row<schema::Event> event({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
      if (event.get().getBody().which() == kind) found.push_back(std::move(event));
    }
    return found;
  }
  /// "alice log_in wrong_password", of all denials once they are on record.
  std::vector<std::string> denials() {
    served.loop.wait(desk().close());
    std::vector<std::string> found;
    for (const auto& event : events(Body::ACCESS_DENIED)) {
      auto body = event.get().getBody().getAccessDenied();
      found.push_back(std::string(event.get().getActor().getName().cStr()) + " " + body.getAction().cStr() + " " + body.getReason().getCode().cStr());
    }
    return found;
  }

  std::shared_ptr<FakeAccounts> accounts = std::make_shared<FakeAccounts>();
  rpc::AccessSettings settings;
  ServedLedger served;
  int commands = 0;
};

}  // namespace support
