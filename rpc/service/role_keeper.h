// Keeps the roles on record those that the directory and the site file give. Rules: docs/access.md.
#pragma once

#include <kj/async.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "ledger/ledger.h"
#include "rpc/access/caller.h"
#include "rpc/service/accounts.h"
#include "schema/api.capnp.h"

namespace rpc {

class LedgerService;
class Sessions;

/// Owns:    what it remembers of the directory's last answers. Borrows the service and the sessions.
/// Threads: loop thread; views are read on the pool where that may take long.
/// Errors:  kUnavailable, kTimedOut: the directory cannot be asked; kConflict: what it answers is not believed.
class RoleKeeper {
 public:
  /// An answer that takes away more roles than this, and more than half of them, is not believed.
  static constexpr size_t kBelievedLosses = 10;

  struct Changed {
    uint32_t granted = 0, revoked = 0;
  };

  RoleKeeper(LedgerService& service, std::shared_ptr<Accounts> accounts, std::shared_ptr<Sessions> sessions, uint64_t refresh_ms);

  /// The roles an account has now: those on record, but for what was taken away and is not off the record yet (or, while the directory is not
  /// believed, will not go off it).
  base::Result<std::vector<Grant>> roles_of(const std::string& account) const;
  /// Puts what was found out about an account on record; answers the roles it has for a session of now.
  kj::Promise<base::Result<std::vector<Grant>>> learn(KnownAccount account);
  /// It was looked up within `refresh`.
  bool is_fresh(const std::string& account) const;
  /// The directory answered at the last reading that there is no such account: its tokens are no longer good, whatever the record says yet.
  bool is_gone(const std::string& account) const { return gone_.contains(account); }

  /// Reads the whole directory and puts the differences on record; living sessions change with it. One after the other.
  kj::Promise<base::Result<Changed>> refresh(bool believe, std::string asked_by = {});
  /// Again and again. In the copy of another ledger, whose record has the roles: looks at that one instead.
  kj::Promise<void> keep_refreshed();

  /// What the directory last said of itself, for the status.
  void heard(const base::Status& status);
  void write_status(schema::AccessStatus::Builder status) const;

 private:
  struct Read;
  struct Change;
  struct Plan;
  using Given = std::map<std::string, std::vector<Grant>>;
  using Names = std::vector<std::string>;

  kj::Promise<base::Result<Changed>> refresh_now(bool believe, std::string asked_by);
  /// Which of `names` from `index` on the directory does not know any more, put into `gone`; or why that is not known.
  kj::Promise<base::Status> look_up(std::shared_ptr<Read> read, size_t index);
  static Plan plan(const ledger::Snapshot& snapshot, const Read& read);
  kj::Promise<base::Result<Changed>> carry_out(std::shared_ptr<Plan> plan);
  kj::Promise<base::Status> carry_out_some(std::shared_ptr<Plan> plan, size_t index);
  /// Sessions, and what roles_of() and is_gone() answer; the record follows.
  void take_effect(const Plan& plan);
  kj::Promise<base::Status> put_on_record(const Change& change);
  kj::Promise<base::Status> change_roles(const Change& wanted);
  kj::Promise<base::Status> end_tokens(std::string account, std::vector<std::string> tokens, std::string asked_by);
  void follow_record();
  /// Sessions opened while something was on its way to the record have it, too.
  void compare_sessions();
  base::Status doubt(const Plan& plan);

  LedgerService& service_;
  const std::shared_ptr<Accounts> accounts_;
  const std::shared_ptr<Sessions> sessions_;
  const uint64_t refresh_ms_;
  std::map<std::string, kj::TimePoint> looked_up_;
  Given withheld_;      // on record, but taken away since: not off the record yet, or the directory is not believed
  std::set<std::string> gone_;  // accounts, at the last reading that was believed
  std::string doubt_;   // why it is not; empty = it is
  std::string problem_; // why it was not read; empty = it was
  int64_t problem_since_ns_ = 0;
  int64_t refreshed_at_ns_ = 0;
  kj::ForkedPromise<void> last_refresh_ = kj::Promise<void>(kj::READY_NOW).fork();
};

}  // namespace rpc
