#include "rpc/service/role_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "base/time.h"
#include "ledger/view_rows.h"
#include "rpc/service/answers.h"
#include "rpc/service/grants.h"
#include "rpc/service/service.h"
#include "rpc/service/sessions.h"
#include "rpc/service/tokens.h"

namespace rpc {
namespace {

constexpr size_t kGrantsACommand = 200;
constexpr size_t kChangesAtOnce = 64;
constexpr size_t kMaxLookedUp = 20'000;

ledger::Identity keeper(const std::string& asked_by) {
  return {schema::Actor::Kind::DAEMON, "ledgerd", "this process", asked_by.empty() ? std::string("keeps roles") : "keeps roles, as " + base::printable(asked_by) + " asked"};
}

bool is_by_group(const Grant& grant) { return !grant.group.empty(); }

}  // namespace

/// One reading of the directory.
struct RoleKeeper::Read {
  Given given;
  Names names;  // to be looked up: who has sessions or tokens, and whom the site file names
  std::set<std::string> gone;
  std::set<std::string> gone_for_sure;  // at the reading before, too, or an administrator says so: their tokens end
};

struct RoleKeeper::Change {
  std::string account = {};
  bool is_gone = false;
  std::vector<Grant> given = {}, granted = {}, revoked = {};
  std::vector<std::string> tokens = {};  // that end
  std::string asked_by = {};             // whoever had the directory read; empty = it was due
};

struct RoleKeeper::Plan {
  base::Status status;
  std::vector<Change> changes;
  std::set<std::string> all_gone;
  size_t by_groups = 0, going = 0;     // roles on record that groups give, and how many would go
  size_t looked_up = 0, gone = 0;      // accounts
  Changed changed;
};

RoleKeeper::RoleKeeper(LedgerService& service, std::shared_ptr<Accounts> accounts, std::shared_ptr<Sessions> sessions, uint64_t refresh_ms)
    : service_(service), accounts_(std::move(accounts)), sessions_(std::move(sessions)), refresh_ms_(refresh_ms) {}

base::Result<std::vector<Grant>> RoleKeeper::roles_of(const std::string& account) const {
  const auto snapshot = service_.snapshot();
  std::vector<Grant> found = grants_on_record(*snapshot, account);
  if (base::Status status = snapshot->status(); !status.is_ok()) return status;
  if (auto held = withheld_.find(account); held != withheld_.end()) found = without(found, held->second);
  return found;
}

bool RoleKeeper::is_fresh(const std::string& account) const {
  auto found = looked_up_.find(account);
  return found != looked_up_.end() && !is_gone(account) && service_.loop().timer().now() - found->second < static_cast<int64_t>(refresh_ms_) * kj::MILLISECONDS;
}

kj::Promise<base::Result<std::vector<Grant>>> RoleKeeper::learn(KnownAccount account) {
  using Roles = base::Result<std::vector<Grant>>;
  if (looked_up_.size() >= kMaxLookedUp) looked_up_.clear();
  looked_up_.insert_or_assign(account.name, service_.loop().timer().now());
  if (service_.following()) return roles_of(account.name);
  const auto snapshot = service_.snapshot();
  const std::vector<Grant> recorded = grants_on_record(*snapshot, account.name);
  if (base::Status status = snapshot->status(); !status.is_ok()) return Roles(status);
  const std::vector<Grant> granted = without(account.grants, recorded);
  std::vector<Grant> revoked = without(recorded, account.grants);
  gone_.erase(account.name);
  withheld_.erase(account.name);
  if (!revoked.empty()) withheld_[account.name] = revoked;
  if (!doubt_.empty()) revoked.clear();
  sessions_->become(account.name, account.grants);
  Change change;
  change.account = account.name;
  change.granted = granted;
  change.revoked = revoked;
  return change_roles(change).then([this, account = std::move(account)](base::Status status) -> Roles {
    if (!status.is_ok()) spdlog::warn("roles cannot be put on record: {}", status.message());
    if (is_gone(account.name)) return base::Status(base::Code::kPermissionDenied, fmt::format("{} is no account of the facility's directory any more", base::printable(account.name)));
    if (!status.is_ok()) return account.grants;
    Roles roles = roles_of(account.name);
    if (roles.is_ok()) sessions_->become(account.name, *roles);  // those opened meanwhile, too
    return roles;
  });
}

kj::Promise<base::Status> RoleKeeper::change_roles(const Change& wanted) {
  const auto& [account, is_gone, given, granted, revoked, tokens, asked_by] = wanted;
  kj::Vector<kj::Promise<base::Status>> parts;
  for (size_t from = 0; from < std::max(granted.size(), revoked.size()); from += kGrantsACommand) {
    CommandMessage command("roles/" + random_hex(16));
    auto change = command.get().getBody().initChangeRoles();
    change.setAccount(account);
    const auto write = [from](const std::vector<Grant>& grants, auto init) {
      const size_t count = from < grants.size() ? std::min(kGrantsACommand, grants.size() - from) : 0;
      auto list = init(count);
      for (size_t i = 0; i < count; ++i) write_grant(grants[from + i], list[i]);
    };
    write(granted, [&](size_t count) { return change.initGranted(count); });
    write(revoked, [&](size_t count) { return change.initRevoked(count); });
    auto reason = change.initReason();
    if (is_gone) {
      reason.setCode("account_gone");
      reason.setText(fmt::format("{} is no account of the directory any more", base::to_utf8(account)));
    } else if (std::none_of(granted.begin(), granted.end(), is_by_group) && std::none_of(revoked.begin(), revoked.end(), is_by_group)) {
      reason.setCode("site_file");
      reason.setText("so the site file has it now");
    } else {
      reason.setCode("directory");
      reason.setText("so the groups of the directory have it now");
    }
    parts.add(service_.submit(command.reader(), keeper(asked_by)).then([](ledger::Answer answer) { return answer.status; }));
  }
  return kj::joinPromises(parts.releaseAsArray()).then([](kj::Array<base::Status> done) {
    for (base::Status& status : done) {
      if (!status.is_ok()) return std::move(status);
    }
    return base::Status();
  });
}

kj::Promise<base::Status> RoleKeeper::end_tokens(std::string account, std::vector<std::string> tokens, std::string asked_by) {
  kj::Vector<kj::Promise<base::Status>> parts;
  for (const std::string& token : tokens) {
    CommandMessage command("roles/" + random_hex(16));
    auto revoked = command.get().getBody().initRevokeToken();
    revoked.setToken(token);
    auto reason = revoked.initReason();
    reason.setCode("account_gone");
    reason.setText(fmt::format("{} is no account of the directory any more", base::to_utf8(account)));
    parts.add(service_.submit(command.reader(), keeper(asked_by)).then([this, token](ledger::Answer answer) {
      if (answer.status.is_ok()) sessions_->end_token(token, fmt::format("token {} was revoked: this session has ended; log in again", token));
      return answer.status;
    }));
  }
  return kj::joinPromises(parts.releaseAsArray()).then([](kj::Array<base::Status> done) {
    for (base::Status& status : done) {
      if (!status.is_ok()) return std::move(status);
    }
    return base::Status();
  });
}

// ---- the whole directory

kj::Promise<base::Result<RoleKeeper::Changed>> RoleKeeper::refresh(bool believe, std::string asked_by) {
  auto pair = kj::newPromiseAndFulfiller<base::Result<Changed>>();
  auto turn = last_refresh_.addBranch()
                  .then([this, believe, asked_by = std::move(asked_by)] { return refresh_now(believe, asked_by); })
                  .catch_([](kj::Exception&& problem) -> base::Result<Changed> {
                    return base::Status(base::Code::kInternal, fmt::format("the roles were not read: {}", problem.getDescription().cStr()));
                  })
                  .then([this](base::Result<Changed> changed) {
                    heard(changed.status());
                    if (changed.is_ok()) refreshed_at_ns_ = service_.clock().now_ns();
                    return changed;
                  })
                  .then([fulfiller = kj::mv(pair.fulfiller)](base::Result<Changed> changed) mutable { fulfiller->fulfill(std::move(changed)); });
  last_refresh_ = turn.eagerlyEvaluate([](kj::Exception&& problem) { spdlog::error("roles were not refreshed: {}", problem.getDescription().cStr()); }).fork();
  return kj::mv(pair.promise);
}

kj::Promise<base::Result<RoleKeeper::Changed>> RoleKeeper::refresh_now(bool believe, std::string asked_by) {
  using Result = base::Result<Changed>;
  auto read = std::make_shared<Read>();
  return accounts_->all()
      .then([this, read](base::Result<Given> given) -> kj::Promise<base::Status> {
        if (!given.is_ok()) return given.status();
        read->given = std::move(*given);
        auto with_tokens = [snapshot = std::shared_ptr<const ledger::Snapshot>(service_.snapshot()), now_ns = service_.clock().now_ns()] {
          std::set<std::string> names;
          for (const auto& row : ledger::all_tokens(*snapshot)) {
            auto issued = row.get().getIssued();
            if (row.get().getRevokedSeq() == 0 && issued.getExpiresAt() > now_ns && issued.getScope().getDaemon().size() == 0) names.emplace(view(issued.getAccount()));
          }
          return names;
        };
        return service_.loop().on_pool(std::move(with_tokens)).then([this, read](std::set<std::string> names) -> kj::Promise<base::Status> {
          if (!accounts_->has_directory()) return base::Status();
          for (std::string& name : sessions_->accounts()) names.insert(std::move(name));
          for (const auto& [name, grants] : read->given) {
            if (!std::all_of(grants.begin(), grants.end(), is_by_group)) names.insert(name);
          }
          read->names.assign(names.begin(), names.end());
          return look_up(read, 0);
        });
      })
      .then([this, read, believe, asked_by = std::move(asked_by)](base::Status status) -> kj::Promise<Result> {
        if (!status.is_ok()) return Result(status);
        if (believe) {
          read->gone_for_sure = read->gone;
        } else {
          std::set_intersection(read->gone.begin(), read->gone.end(), gone_.begin(), gone_.end(), std::inserter(read->gone_for_sure, read->gone_for_sure.end()));
        }
        return service_.loop()
            .on_pool([snapshot = std::shared_ptr<const ledger::Snapshot>(service_.snapshot()), read] { return plan(*snapshot, *read); })
            .then([this, believe, asked_by](Plan made) -> kj::Promise<Result> {
              if (!made.status.is_ok()) return Result(made.status);
              for (Change& change : made.changes) change.asked_by = asked_by;
              if (!believe) {
                if (base::Status doubted = doubt(made); !doubted.is_ok()) return Result(doubted);
              }
              doubt_.clear();
              return carry_out(std::make_shared<Plan>(std::move(made)));
            });
      });
}

kj::Promise<base::Status> RoleKeeper::look_up(std::shared_ptr<Read> read, size_t index) {
  if (index == read->names.size()) return base::Status();
  return accounts_->find(read->names[index]).then([this, read, index](base::Result<KnownAccount> found) -> kj::Promise<base::Status> {
    const base::Status& status = found.status();
    const std::string& name = read->names[index];
    if (status.code() == base::Code::kConflict) {
      spdlog::warn("{}: {}", base::printable(name), status.message());  // neither gone nor another's
    } else if (!status.is_ok() && status.code() != base::Code::kNotFound) {
      return status;
    } else if (!status.is_ok()) {
      read->gone.insert(name);
    } else if (found->name != name && read->given.erase(name) > 0) {
      read->given[found->name] = found->grants;  // the site file spells it otherwise
    }
    return look_up(read, index + 1);
  });
}

RoleKeeper::Plan RoleKeeper::plan(const ledger::Snapshot& snapshot, const Read& read) {
  Plan plan;
  plan.looked_up = read.names.size();
  plan.gone = read.gone.size();
  plan.all_gone = read.gone;
  Given recorded;
  for (const auto& row : ledger::all_grants(snapshot)) recorded[std::string(view(row.get().getAccount()))].push_back(read_grant(row.get().getGrant()));
  Names accounts(read.gone.begin(), read.gone.end());
  for (auto& [name, grants] : recorded) {
    std::sort(grants.begin(), grants.end());
    accounts.push_back(name);
  }
  for (const auto& [name, grants] : read.given) accounts.push_back(name);
  std::sort(accounts.begin(), accounts.end());
  accounts.erase(std::unique(accounts.begin(), accounts.end()), accounts.end());
  for (const std::string& account : accounts) {
    Change change;
    change.account = account;
    change.is_gone = read.gone.contains(account);
    const auto given = read.given.find(account);
    if (given != read.given.end() && !change.is_gone) change.given = given->second;
    const std::vector<Grant>& had = recorded[account];
    change.granted = without(change.given, had);
    change.revoked = without(had, change.given);
    plan.by_groups += static_cast<size_t>(std::count_if(had.begin(), had.end(), is_by_group));
    plan.going += static_cast<size_t>(std::count_if(change.revoked.begin(), change.revoked.end(), [&](const Grant& lost) {
      return is_by_group(lost) && std::none_of(change.given.begin(), change.given.end(), [&](const Grant& kept) { return is_same_role(kept, lost); });
    }));
    if (read.gone_for_sure.contains(account)) {
      for (const auto& row : ledger::tokens(snapshot, account)) {
        if (row.get().getRevokedSeq() == 0) change.tokens.emplace_back(view(row.get().getIssued().getToken()));
      }
    }
    plan.changed.granted += static_cast<uint32_t>(change.granted.size());
    plan.changed.revoked += static_cast<uint32_t>(change.revoked.size());
    if (change.is_gone || !change.granted.empty() || !change.revoked.empty()) plan.changes.push_back(std::move(change));
  }
  plan.status = snapshot.status();
  return plan;
}

base::Status RoleKeeper::doubt(const Plan& plan) {
  std::string what;
  if (plan.going > kBelievedLosses && plan.going * 2 > plan.by_groups) {
    what = fmt::format("{} of the {} roles on record that groups give", plan.going, plan.by_groups);
  } else if (plan.gone > kBelievedLosses && plan.gone * 2 > plan.looked_up) {
    what = fmt::format("{} of the {} accounts that have sessions or tokens", plan.gone, plan.looked_up);
  }
  if (what.empty()) return base::Status();
  doubt_ = fmt::format("the directory does not have {} any more, which is not believed: roles stay as they are on record until it has them again, or an "
                       "administrator says `runledger admin refresh-roles --believe`", what);
  return {base::Code::kConflict, doubt_};
}

kj::Promise<base::Result<RoleKeeper::Changed>> RoleKeeper::carry_out(std::shared_ptr<Plan> plan) {
  take_effect(*plan);
  return carry_out_some(plan, 0).then([this, plan](base::Status status) -> base::Result<Changed> {
    if (!status.is_ok()) return status;
    compare_sessions();
    return plan->changed;
  });
}

kj::Promise<base::Status> RoleKeeper::carry_out_some(std::shared_ptr<Plan> plan, size_t index) {
  if (index >= plan->changes.size()) return base::Status();
  kj::Vector<kj::Promise<base::Status>> some;
  const size_t end = std::min(plan->changes.size(), index + kChangesAtOnce);
  for (size_t i = index; i < end; ++i) some.add(put_on_record(plan->changes[i]));
  return kj::joinPromises(some.releaseAsArray()).then([this, plan, end](kj::Array<base::Status> done) -> kj::Promise<base::Status> {
    for (base::Status& status : done) {
      if (!status.is_ok()) return std::move(status);
    }
    return carry_out_some(plan, end);
  });
}

/// Before anything is on record: what cannot be put there now holds all the same, for sessions of now and of later.
void RoleKeeper::take_effect(const Plan& plan) {
  gone_ = plan.all_gone;
  withheld_.clear();
  for (const Change& change : plan.changes) {
    if (!change.revoked.empty()) withheld_[change.account] = change.revoked;
    if (change.is_gone) {
      sessions_->end_account(change.account, fmt::format("{} is no account of the facility's directory any more: this session has ended", base::printable(change.account)));
      looked_up_.erase(change.account);
    } else {
      sessions_->become(change.account, change.given);
    }
  }
}

kj::Promise<base::Status> RoleKeeper::put_on_record(const Change& change) {
  auto changed = change_roles(change);
  if (change.tokens.empty()) return changed;
  return changed.then([this, account = change.account, tokens = change.tokens, asked_by = change.asked_by](base::Status status) mutable -> kj::Promise<base::Status> {
    if (!status.is_ok()) return status;
    return end_tokens(std::move(account), std::move(tokens), std::move(asked_by));
  });
}

void RoleKeeper::compare_sessions() {
  for (const std::string& account : sessions_->accounts()) {
    auto roles = roles_of(account);
    if (roles.is_ok()) sessions_->become(account, *roles);
  }
}

// ---- again and again

kj::Promise<void> RoleKeeper::keep_refreshed() {
  auto once = kj::evalNow([this]() -> kj::Promise<void> {
    if (service_.following()) {
      follow_record();
      return kj::READY_NOW;
    }
    return refresh(false).then([](base::Result<Changed> changed) {
      if (!changed.is_ok()) return spdlog::error("roles were not refreshed: {}", changed.status().message());
      if (changed->granted + changed->revoked > 0) spdlog::info("roles: {} granted, {} revoked", changed->granted, changed->revoked);
    });
  });
  return once
      .catch_([this](kj::Exception&& problem) { heard({base::Code::kInternal, fmt::format("the roles were not looked at: {}", problem.getDescription().cStr())}); })
      .then([this] { return service_.loop().timer().afterDelay(static_cast<int64_t>(refresh_ms_) * kj::MILLISECONDS); })
      .then([this] { return keep_refreshed(); });
}

void RoleKeeper::follow_record() {
  for (const std::string& token : sessions_->tokens()) {
    const auto row = ledger::find_token(*service_.snapshot(), token);
    if (row && row->get().getRevokedSeq() != 0) sessions_->end_token(token, fmt::format("token {} was revoked: this session has ended; log in again", token));
  }
  compare_sessions();
}

// ---- what is said of the directory

void RoleKeeper::heard(const base::Status& status) {
  if (status.is_ok() || status.code() == base::Code::kConflict) {
    problem_.clear();
  } else {
    if (problem_.empty()) problem_since_ns_ = service_.clock().now_ns();
    if (problem_ != status.message()) spdlog::warn("the directory gives no answer: {}", status.message());
    problem_ = status.message();
  }
}

void RoleKeeper::write_status(schema::AccessStatus::Builder status) const {
  status.setConfigured(accounts_->has_directory());
  status.setRefreshedAt(refreshed_at_ns_);
  if (!problem_.empty()) {
    status.setProblem(fmt::format("since {}: {}", base::iso_time(problem_since_ns_ - problem_since_ns_ % 1'000'000'000), problem_));
  } else {
    status.setProblem(doubt_);
  }
}

}  // namespace rpc
