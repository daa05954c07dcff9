// Access: roles, tokens, sessions and denials. Who may send these commands is not asked here: rpc/access/ has the policy.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "ledger/decide/question.h"

namespace ledger {
namespace {

using base::Code;

base::Status check_account(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxAccountBytes) return base::Status::ok();
  return invalid("an account's name has 1 to ", std::to_string(kMaxAccountBytes), " bytes; this one has ", std::to_string(name.size()));
}

base::Status check_short(std::string_view text, std::string_view what) {
  if (text.size() <= kMaxLabelBytes) return base::Status::ok();
  return invalid(what, " is longer than ", std::to_string(kMaxLabelBytes), " bytes");
}

base::Status check_grant(schema::Grant::Reader grant, std::string_view account) {
  const bool has_instrument = grant.getInstrument().size() > 0, has_experiment = grant.getExperiment().size() > 0;
  if (grant.getRole() == schema::Role::UNSET) return invalid(quoted(account), ": a grant names no role");
  if (has_instrument != (grant.getRole() == schema::Role::SCIENTIST)) return invalid(quoted(account), ": a scientist is one of an instrument, no other role is");
  if (has_experiment != (grant.getRole() == schema::Role::MEMBER)) return invalid(quoted(account), ": a member is one of an experiment, no other role is");
  if (has_instrument) LEDGER_CHECK(check_instrument_name(view(grant.getInstrument())));
  if (grant.getExperiment().size() > kMaxExperimentBytes) return invalid(quoted(account), ": the experiment's name is longer than ", std::to_string(kMaxExperimentBytes), " bytes");
  if (grant.getGroup().size() > kMaxAccountBytes) return invalid(quoted(account), ": the group's name is longer than ", std::to_string(kMaxAccountBytes), " bytes");
  return base::Status::ok();
}

bool is_action_word(std::string_view word) {
  return !word.empty() && word.size() <= kMaxReasonCodeBytes &&
         std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_token_id(std::string_view id) {
  return id.size() == kTokenIdBytes && std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

base::Status check_scope_of_token(schema::TokenScope::Reader scope) {
  for (auto instrument : scope.getInstruments()) LEDGER_CHECK(check_instrument_name(view(instrument)));
  return check_short(view(scope.getDaemon()), "a daemon's name");
}

}  // namespace

Decided decide_open_session(const Question& question, schema::SessionOpened::Reader wanted) {
  LEDGER_CHECK(check_short(view(wanted.getSource()), "a session's source"));
  LEDGER_CHECK(check_short(view(wanted.getToken()), "a token's id"));
  Proposal proposal(question);
  proposal.add().setSessionOpened(wanted);
  return proposal.take();
}

Decided decide_deny(const Question& question, schema::AccessDenied::Reader wanted) {
  if (!is_action_word(view(wanted.getAction()))) return invalid("a denial names no action; it is a lower_snake_case word");
  if (wanted.getCount() == 0) return invalid("a denial counts none; count at least one");
  LEDGER_CHECK(check_reason(wanted.getReason(), "a denial"));
  Proposal proposal(question);
  proposal.add().setAccessDenied(wanted);
  return proposal.take();
}

Decided decide_change_roles(const Question& question, schema::ChangeRoles::Reader wanted) {
  const std::string_view account = view(wanted.getAccount());
  LEDGER_CHECK(check_account(account));
  LEDGER_CHECK(check_reason(wanted.getReason(), quoted(account)));
  for (auto grant : wanted.getGranted()) LEDGER_CHECK(check_grant(grant, account));
  for (auto grant : wanted.getRevoked()) LEDGER_CHECK(check_grant(grant, account));
  Proposal proposal(question);
  for (auto grant : wanted.getRevoked()) {
    if (!find_grant(question.rows, account, grant)) continue;
    auto revoked = proposal.add().initRoleRevoked();
    revoked.setAccount(wanted.getAccount());
    revoked.setGrant(grant);
    revoked.setReason(wanted.getReason());
  }
  for (auto grant : wanted.getGranted()) {
    if (find_grant(question.rows, account, grant)) continue;
    auto granted = proposal.add().initRoleGranted();
    granted.setAccount(wanted.getAccount());
    granted.setGrant(grant);
    granted.setReason(wanted.getReason());
  }
  return proposal.take();
}

Decided decide_issue_token(const Question& question, schema::TokenIssued::Reader wanted) {
  LEDGER_CHECK(check_account(view(wanted.getAccount())));
  const std::string_view id = view(wanted.getToken());
  if (!is_token_id(id)) return invalid("a token's id has 16 hexadecimal digits");
  if (find_token(question.rows, id)) return refuse(Code::kAlreadyExists, "token ", id, " is issued already; ask for another");
  if (wanted.getKind() == schema::TokenIssued::Kind::UNSET) return invalid("token ", id, ": no kind is given; it is login or machine");
  if (wanted.getSecretSha256().size() == 0) return invalid("token ", id, ": the hash of its secret is missing");
  if (wanted.getExpiresAt() <= question.context.now_ns) return invalid("token ", id, ": it would have expired already; give it a time to come");
  LEDGER_CHECK(check_short(view(wanted.getLabel()), "a token's label"));
  LEDGER_CHECK(check_scope_of_token(wanted.getScope()));
  if (const std::string_view replaced = view(wanted.getReplaces()); !replaced.empty()) {
    const auto row = find_token(question.rows, replaced);
    const bool good = row && row->get().getRevokedSeq() == 0 && view(row->get().getIssued().getAccount()) == view(wanted.getAccount());
    if (!good) return refuse(Code::kConflict, "token ", quoted(replaced), " cannot be renewed: it is not (or no longer) good; log in again");
  }
  Proposal proposal(question);
  proposal.add().setTokenIssued(wanted);
  return proposal.take();
}

Decided decide_revoke_token(const Question& question, schema::TokenRevoked::Reader wanted) {
  const auto row = find_token(question.rows, view(wanted.getToken()));
  if (!row) return refuse(Code::kNotFound, "there is no token ", quoted(wanted.getToken()), "; `runledger token list` shows those there are");
  if (row->get().getRevokedSeq() != 0) return nothing();
  LEDGER_CHECK(check_reason(wanted.getReason(), "a token's end"));
  Proposal proposal(question);
  auto revoked = proposal.add().initTokenRevoked();
  revoked.setToken(wanted.getToken());
  revoked.setAccount(row->get().getIssued().getAccount());
  revoked.setReason(wanted.getReason());
  return proposal.take();
}

}  // namespace ledger
