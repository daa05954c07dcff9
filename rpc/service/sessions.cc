#include "rpc/service/sessions.h"

#include "rpc/service/authority.h"

namespace rpc {
namespace {

using Index = std::map<std::string, std::set<Authority*>>;

void take_out(Index& index, const std::string& key, Authority& session) {
  auto found = index.find(key);
  if (found == index.end()) return;
  found->second.erase(&session);
  if (found->second.empty()) index.erase(found);
}

std::set<Authority*> those_of(const Index& index, const std::string& key) {
  auto found = index.find(key);
  return found == index.end() ? std::set<Authority*>() : found->second;
}

std::vector<std::string> keys_of(const Index& index) {
  std::vector<std::string> keys;
  for (const auto& [key, sessions] : index) keys.push_back(key);
  return keys;
}

}  // namespace

void Sessions::enter(Authority& session) {
  const Caller& caller = session.caller();
  if (caller.kind == Caller::Kind::kPerson) by_account_[caller.name].insert(&session);
  if (!caller.token.empty()) by_token_[caller.token].insert(&session);
}

void Sessions::leave(Authority& session) {
  take_out(by_account_, session.caller().name, session);
  take_out(by_token_, session.caller().token, session);
}

std::vector<std::string> Sessions::accounts() const { return keys_of(by_account_); }
std::vector<std::string> Sessions::tokens() const { return keys_of(by_token_); }

size_t Sessions::of_account(const std::string& account) const {
  const auto found = by_account_.find(account);
  return found == by_account_.end() ? 0 : found->second.size();
}

void Sessions::become(const std::string& account, const std::vector<Grant>& grants) {
  for (Authority* session : those_of(by_account_, account)) session->become(grants);
}

void Sessions::end_account(const std::string& account, const std::string& why) {
  for (Authority* session : those_of(by_account_, account)) session->end(why);
}

void Sessions::renew_token(const std::string& token, const std::string& next) {
  for (Authority* session : those_of(by_token_, token)) {
    leave(*session);
    session->renew(next);
    enter(*session);
  }
}

void Sessions::end_token(const std::string& token, const std::string& why, const Authority* but) {
  for (Authority* session : those_of(by_token_, token)) {
    if (session != but) session->end(why);
  }
}

}  // namespace rpc
