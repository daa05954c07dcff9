#include "tools/access_json.h"

#include "base/text.h"
#include "tools/table.h"
#include "tools/words.h"

namespace tools {
namespace {

Json text(capnp::Text::Reader value) { return base::to_utf8(text_of(value)); }
Json text_or_null(capnp::Text::Reader value) { return tools::text_or_null(text_of(value)); }

/// Adds {read_only, instruments, daemon}.
void add_scope(Json& json, schema::TokenScope::Reader scope) {
  json["read_only"] = scope.getReadOnly();
  json["instruments"] = Json::array();
  for (auto name : scope.getInstruments()) json["instruments"].push_back(text(name));
  json["daemon"] = text_or_null(scope.getDaemon());
}

}  // namespace

Json grant_json(schema::GrantRow::Reader row, bool with_account) {
  Json json = Json::object();
  if (with_account) json["account"] = text(row.getAccount());
  json["role"] = enum_word(row.getGrant().getRole());
  json["instrument"] = text_or_null(row.getGrant().getInstrument());
  json["experiment"] = text_or_null(row.getGrant().getExperiment());
  json["group"] = text_or_null(row.getGrant().getGroup());
  json["since"] = time_or_null(row.getSince());
  json["event"] = row.getSeq() == 0 ? Json() : Json(row.getSeq());
  return json;
}

Json token_json(schema::TokenRow::Reader row) {
  const auto issued = row.getIssued();
  Json json = {{"id", text(issued.getToken())}, {"account", text(issued.getAccount())}, {"kind", enum_word(issued.getKind())}, {"label", text_or_null(issued.getLabel())}};
  add_scope(json, issued.getScope());
  json["issued_at"] = time_or_null(row.getIssuedAt());
  json["issued_by"] = text_or_null(row.getIssuedBy());
  json["expires_at"] = time_or_null(issued.getExpiresAt());
  json["event"] = row.getSeq() == 0 ? Json() : Json(row.getSeq());
  return json;
}

Json whoami_json(schema::Actor::Reader actor, schema::Rights::Reader rights) {
  Json json = {{"name", text(actor.getName())},
               {"kind", enum_word(actor.getKind())},
               {"proof", text_or_null(actor.getProof())},
               {"everything", rights.getEverything()},
               {"enforced", rights.getEnforced()},
               {"roles", Json::array()},
               {"token", nullptr},
               {"expires_at", time_or_null(rights.getExpiresAt())},
               {"directory", nullptr}};
  for (auto grant : rights.getGrants()) json["roles"].push_back(grant_json(grant, false));
  if (rights.getToken().size() > 0) {
    json["token"] = {{"id", text(rights.getToken())}};
    add_scope(json["token"], rights.getScope());
  }
  if (rights.hasDirectory()) json["directory"] = directory_json(rights.getDirectory());
  return json;
}

Json denial_json(schema::Event::Reader event) {
  const auto denied = event.getBody().getAccessDenied();
  return {{"event", event.getSeq()},
          {"time", exact_time(event.getTime())},
          {"account", text_or_null(event.getActor().getName())},
          {"proof", text_or_null(event.getActor().getProof())},
          {"action", text(denied.getAction())},
          {"subject", text_or_null(denied.getSubject())},
          {"source", text_or_null(denied.getSource())},
          {"count", denied.getCount()},
          {"first_at", exact_time(denied.getFirstAt() == 0 ? event.getTime() : denied.getFirstAt())},
          {"reason", text_or_null(denied.getReason().getText())},
          {"reason_code", text_or_null(denied.getReason().getCode())}};
}

}  // namespace tools
