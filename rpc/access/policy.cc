#include "rpc/access/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace rpc {
namespace {

using schema::Role;
using Roles = std::vector<Role>;

/// What an action takes.
struct Rule {
  Action action;
  std::string_view word;
  std::string_view doing;  // "alice may not ..."
  Roles roles;             // any of these; a scientist's instrument and a member's experiment must be the resource's
  bool changes = false;    // not with a read-only token
  bool anybody = false;    // whoever could log in
  bool of_instrument = false;  // a token for some instruments has it for these only; else such a token does not have it at all
  bool anywhere = false;  // the role of any instrument or experiment will do
};

const std::vector<Rule>& rules() {
  const Roles everybody = {Role::MEMBER, Role::SCIENTIST, Role::OPERATOR, Role::AUDITOR, Role::ADMINISTRATOR};
  const Roles staff = {Role::OPERATOR, Role::AUDITOR, Role::ADMINISTRATOR};
  static const std::vector<Rule> kRules = {
      {Action::kSeeInstrument, "see_instrument", "see an instrument's settings", everybody, false, false, true, true},
      {Action::kSeeRun, "see_run", "see this run", everybody, false, false, true},
      {Action::kSeeWorkers, "see_workers", "see the workers", staff},
      {Action::kSeeAccount, "see_account", "see what another account did", {Role::AUDITOR, Role::ADMINISTRATOR}},
      {Action::kAudit, "audit", "audit access", {Role::AUDITOR, Role::ADMINISTRATOR}},
      {Action::kProve, "prove", "have proofs made", everybody, false, false, false, true},
      {Action::kVerify, "verify", "have the ledger verified", staff},
      {Action::kCopyLog, "copy_log", "copy the log", {Role::AUDITOR, Role::ADMINISTRATOR}},
      {Action::kSeeCampaign, "see_campaign", "see this campaign", {Role::SCIENTIST, Role::OPERATOR, Role::AUDITOR, Role::ADMINISTRATOR}, false, false, true},
      {Action::kRerun, "rerun", "ask for a reduction", {Role::MEMBER, Role::SCIENTIST}, true, false, true},
      {Action::kStartCampaign, "start_campaign", "have this run reduced in a campaign", {Role::MEMBER, Role::SCIENTIST}, true, false, true},
      {Action::kReplay, "replay", "have this run replayed", {Role::MEMBER, Role::SCIENTIST, Role::OPERATOR}, true, false, true},
      {Action::kControlCampaign, "control_campaign", "pause, resume or stop this campaign", {Role::SCIENTIST, Role::OPERATOR}, true, false, true},
      {Action::kCombine, "combine", "ask for a result of several runs", {Role::MEMBER, Role::SCIENTIST}, true, false, true},
      {Action::kTryScript, "try_script", "try a script", {Role::SCIENTIST}, true, false, true},
      {Action::kSetVariables, "set_variables", "set variables", {Role::SCIENTIST}, true, false, true},
      {Action::kPauseInstrument, "pause_instrument", "pause or resume an instrument", {Role::SCIENTIST}, true, false, true},
      {Action::kSetStage, "set_stage", "set or remove a stage", {Role::SCIENTIST}, true, false, true},
      {Action::kCancelJob, "cancel_job", "cancel a job", {Role::SCIENTIST, Role::OPERATOR}, true, false, true},
      {Action::kMaintain, "maintain", "maintain the ledger", {Role::ADMINISTRATOR}, true},
      {Action::kIssueToken, "issue_token", "make tokens", {}, true, true},
      {Action::kIssueDaemonToken, "issue_daemon_token", "make a daemon's token", {Role::ADMINISTRATOR}, true},
      {Action::kSeeTokens, "see_tokens", "see another account's tokens", {Role::AUDITOR, Role::ADMINISTRATOR}},
      {Action::kRevokeToken, "revoke_token", "revoke another account's token", {Role::ADMINISTRATOR}, true},
      {Action::kBeMonitor, "be_monitor", "be the monitor", {}, true},
      {Action::kBeCoordinator, "be_coordinator", "be the coordinator", {}, true},
      {Action::kBeWorker, "be_worker", "be a worker", {}, true},
  };
  return kRules;
}

const Rule& rule_of(Action action) { return rules()[static_cast<size_t>(action)]; }

std::string_view role_word(Role role) {
  switch (role) {
    case Role::MEMBER: return "member";
    case Role::SCIENTIST: return "scientist";
    case Role::OPERATOR: return "operator";
    case Role::AUDITOR: return "auditor";
    case Role::ADMINISTRATOR: return "administrator";
    case Role::UNSET: break;
  }
  return "nobody";
}

std::string right_words(const Grant& grant) {
  std::string words(role_word(grant.role));
  if (!grant.instrument.empty()) words += " of " + grant.instrument;
  if (!grant.experiment.empty()) words += " of experiment " + base::printable(grant.experiment);
  return words + (grant.group.empty() ? " by the site file" : " by group " + base::printable(grant.group));
}

bool fits(const Grant& grant, const Rule& rule, const Resource& resource) {
  if (std::find(rule.roles.begin(), rule.roles.end(), grant.role) == rule.roles.end()) return false;
  if (rule.anywhere) return true;
  if (grant.role == Role::SCIENTIST) return grant.instrument == resource.instrument;
  if (grant.role == Role::MEMBER) return !resource.experiment.empty() && grant.experiment == resource.experiment;
  return true;
}

/// The role that allows it: the narrowest, so that the record says no more than was needed.
const Grant* find_grant(const Caller& caller, const Rule& rule, const Resource& resource) {
  const Grant* found = nullptr;
  for (const Grant& grant : caller.grants) {
    if (fits(grant, rule, resource) && (!found || grant.role < found->role)) found = &grant;
  }
  return found;
}

std::string wanted_words(const Rule& rule, const Resource& resource) {
  std::vector<std::string> wanted;
  for (const Role role : rule.roles) {
    std::string words(role_word(role));
    if (role == Role::SCIENTIST && !resource.instrument.empty()) words += " of " + resource.instrument;
    if (role == Role::MEMBER) {
      if (resource.experiment.empty() && !rule.anywhere) continue;
      words += resource.experiment.empty() ? std::string(" of an experiment") : " of experiment " + base::printable(resource.experiment);
    }
    wanted.push_back(std::move(words));
  }
  std::string text;
  for (size_t i = 0; i < wanted.size(); ++i) text += (i == 0 ? "" : i + 1 == wanted.size() ? " or " : ", ") + wanted[i];
  return text;
}

Verdict refuse(std::string_view code, std::string reason) { return {.allowed = false, .code = code, .reason = std::move(reason)}; }
Verdict allow(std::string right) { return {.allowed = true, .right = std::move(right)}; }

Verdict decide_daemon(const Caller& caller, const Rule& rule) {
  const auto is = [&](schema::DaemonRole role) { return caller.daemon == role; };
  bool allowed = false;
  switch (rule.action) {
    case Action::kSeeInstrument: allowed = true; break;
    case Action::kSeeRun:
    case Action::kSeeCampaign:
    case Action::kSeeWorkers: allowed = is(schema::DaemonRole::COORDINATOR); break;
    case Action::kBeMonitor: allowed = is(schema::DaemonRole::MONITOR); break;
    case Action::kBeCoordinator: allowed = is(schema::DaemonRole::COORDINATOR); break;
    case Action::kBeWorker: allowed = is(schema::DaemonRole::WORKER); break;
    default: break;
  }
  if (allowed) return allow("daemon " + caller.name);
  return refuse("not_a_daemons", fmt::format("{} may not {}: it is a daemon, which has its own work and no more", base::printable(caller.name), rule.doing));
}

/// What a token takes away, whoever its bearer is; nullopt = nothing here.
std::optional<Verdict> decide_token(const Caller& caller, const Rule& rule, const Resource& resource) {
  if (!caller.scope) return std::nullopt;
  const auto& instruments = caller.scope->instruments;
  if (rule.changes && caller.scope->read_only) {
    return refuse("token_read_only", fmt::format("{} may not {}: token {} is read-only; log in, or use another token", base::printable(caller.name), rule.doing, caller.token));
  }
  if (instruments.empty()) return std::nullopt;
  if (rule.of_instrument && std::find(instruments.begin(), instruments.end(), resource.instrument) != instruments.end()) return std::nullopt;
  return refuse("token_instruments", fmt::format("{} may not {}: token {} is for some instruments only; log in, or use another token",
                                                 base::printable(caller.name), rule.doing, caller.token));
}

/// What everybody may about himself.
bool is_own(const Caller& caller, const Rule& rule, const Resource& resource) {
  switch (rule.action) {
    case Action::kSeeAccount:
    case Action::kSeeTokens:
    case Action::kSeeCampaign:
    case Action::kControlCampaign:
    case Action::kRevokeToken: return resource.account == caller.name;
    default: return false;
  }
}

/// A member may end what he asked for himself.
const Grant* own_job(const Caller& caller, const Rule& rule, const Resource& resource) {
  if (rule.action != Action::kCancelJob || resource.account != caller.name) return nullptr;
  return find_grant(caller, rule_of(Action::kRerun), resource);
}

}  // namespace

Action action_of(schema::DaemonRole role) {
  switch (role) {
    case schema::DaemonRole::MONITOR: return Action::kBeMonitor;
    case schema::DaemonRole::COORDINATOR: return Action::kBeCoordinator;
    case schema::DaemonRole::WORKER: break;
  }
  return Action::kBeWorker;
}

std::string_view action_word(Action action) { return rule_of(action).word; }

std::string resource_words(const Resource& resource) {
  std::string words = resource.what.empty() ? resource.instrument : base::printable(resource.what);
  if (!resource.experiment.empty()) words += (words.empty() ? "experiment " : ", experiment ") + base::printable(resource.experiment);
  if (!resource.account.empty()) words += (words.empty() ? "account " : ", account ") + base::printable(resource.account);
  return words;
}

Verdict decide(const Caller& caller, Action action, const Resource& resource) {
  const Rule& rule = rule_of(action);
  switch (caller.kind) {
    case Caller::Kind::kOwner: return allow("runs the ledger");
    case Caller::Kind::kDaemon: return decide_daemon(caller, rule);
    case Caller::Kind::kPerson: break;
  }
  if (auto taken = decide_token(caller, rule, resource)) return *taken;
  if (rule.anybody) return allow("logged in");
  if (is_own(caller, rule, resource)) return allow("own account");
  const Grant* grant = find_grant(caller, rule, resource);
  if (!grant) grant = own_job(caller, rule, resource);
  if (grant) return allow(right_words(*grant));
  if (rule.roles.empty()) return refuse("no_role", fmt::format("{} may not {}: that takes a daemon's own credential", base::printable(caller.name), rule.doing));
  return refuse("no_role", fmt::format("{} may not {}: that takes the role {}; `runledger whoami` shows your roles", base::printable(caller.name), rule.doing,
                                       wanted_words(rule, resource)));
}

Sight Sight::of(const Caller& caller) {
  Sight sight;
  if (caller.kind != Caller::Kind::kPerson) {
    sight.everything_ = decide(caller, Action::kSeeRun).allowed;
    return sight;
  }
  if (caller.scope) sight.scope_ = caller.scope->instruments;
  std::sort(sight.scope_.begin(), sight.scope_.end());
  for (const Grant& grant : caller.grants) {
    switch (grant.role) {
      case Role::OPERATOR:
      case Role::AUDITOR:
      case Role::ADMINISTRATOR: sight.everything_ = true; break;
      case Role::SCIENTIST: sight.instruments_.push_back(grant.instrument); break;
      case Role::MEMBER: sight.experiments_.push_back(grant.experiment); break;
      default: break;
    }
  }
  for (auto* list : {&sight.instruments_, &sight.experiments_}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return sight;
}

bool Sight::is_within_scope(std::string_view instrument) const {
  return scope_.empty() || std::binary_search(scope_.begin(), scope_.end(), instrument);
}

bool Sight::sees_all_of(std::string_view instrument) const {
  if (!is_within_scope(instrument)) return false;
  return everything_ || std::binary_search(instruments_.begin(), instruments_.end(), instrument);
}

bool Sight::sees_all_of_experiment(std::string_view experiment) const {
  return scope_.empty() && (everything_ || std::binary_search(experiments_.begin(), experiments_.end(), experiment));
}

bool Sight::sees(std::string_view instrument, std::string_view experiment) const {
  if (sees_all_of(instrument)) return true;
  return is_within_scope(instrument) && !experiment.empty() && std::binary_search(experiments_.begin(), experiments_.end(), experiment);
}

}  // namespace rpc
