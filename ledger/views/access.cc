#include "ledger/views/access.h"

#include "ledger/views/edit.h"

namespace ledger {
namespace {

void fold_granted(schema::Event::Reader event, schema::RoleGranted::Reader granted, Rows& rows) {
  RowEdit<schema::GrantRow> row(rows, ViewId::kAccess, AccessView::grant_key(view(granted.getAccount()), granted.getGrant()));
  if (row.found()) return;
  row->setAccount(granted.getAccount());
  row->setGrant(granted.getGrant());
  row->setSeq(event.getSeq());
  row->setSince(event.getTime());
  row.save();
}

void end_token(schema::Event::Reader event, std::string_view token, Rows& rows) {
  RowEdit<schema::TokenRow> row(rows, ViewId::kAccess, AccessView::token_key(token));
  if (!row.found() || row->getRevokedSeq() != 0) return;
  row->setRevokedSeq(event.getSeq());
  row->setRevokedAt(event.getTime());
  row.save();
}

void fold_issued(schema::Event::Reader event, schema::TokenIssued::Reader issued, Rows& rows) {
  RowEdit<schema::TokenRow> row(rows, ViewId::kAccess, AccessView::token_key(view(issued.getToken())));
  row->setIssued(issued);
  row->setSeq(event.getSeq());
  row->setIssuedAt(event.getTime());
  row->setIssuedBy(event.getActor().getName());
  row.save();
  rows.put(ViewId::kAccess, AccessView::tokens_prefix(view(issued.getAccount())).append(text_key(view(issued.getToken()))), "");
  if (issued.getReplaces().size() > 0) end_token(event, view(issued.getReplaces()), rows);
}

}  // namespace

std::string AccessView::grants_prefix(std::string_view account) { return kind_key('g', text_key(account)); }

std::string AccessView::grant_key(std::string_view account, schema::Grant::Reader grant) {
  std::string key = grants_prefix(account);
  key.append(1, static_cast<char>(grant.getRole()));
  append_text(key, view(grant.getInstrument()));
  append_text(key, view(grant.getExperiment()));
  append_text(key, view(grant.getGroup()));
  return key;
}

std::string AccessView::token_key(std::string_view token) { return kind_key('t', text_key(token)); }
std::string AccessView::tokens_prefix(std::string_view account) { return kind_key('o', text_key(account)); }

void AccessView::fold(schema::Event::Reader event, Rows& rows) const {
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::ROLE_GRANTED: return fold_granted(event, body.getRoleGranted(), rows);
    case schema::Event::Body::ROLE_REVOKED:
      return rows.erase(ViewId::kAccess, AccessView::grant_key(view(body.getRoleRevoked().getAccount()), body.getRoleRevoked().getGrant()));
    case schema::Event::Body::TOKEN_ISSUED: return fold_issued(event, body.getTokenIssued(), rows);
    case schema::Event::Body::TOKEN_REVOKED: return end_token(event, view(body.getTokenRevoked().getToken()), rows);
    default: return;
  }
}

}  // namespace ledger
