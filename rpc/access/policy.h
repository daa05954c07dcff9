// Who may do and see what: the one place where it is decided. The same as a table for people: docs/operations/access.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/access/caller.h"

namespace rpc {

/// What can be asked. Words for them: action_word().
enum class Action : uint8_t {
  kSeeInstrument,   // its settings, scripts and variables
  kSeeRun,          // a run, and whatever is about it: versions, events, scripts, logs, outputs' names, proofs
  kSeeWorkers,      // all of them, with the jobs they have open
  kSeeAccount,      // what an account did, its sessions
  kAudit,           // who could see what, denials
  kProve,           // checkpoints, and proofs of what may be seen
  kVerify,          // every stored byte is read again
  kCopyLog,         // the whole log
  kSeeCampaign,     // of one of its instruments; its runs one by one are kSeeRun's
  kRerun,
  kStartCampaign,   // with this run in it
  kReplay,          // a campaign over what went wrong, with this run in it
  kControlCampaign, // pause, resume, stop it
  kCombine,         // with this run among those combined
  kTryScript,       // on a run, as nobody's version
  kSetVariables,    // also what setting them would change
  kPauseInstrument, // and resume
  kSetStage,        // and remove
  kCancelJob,
  kMaintain,        // views, backups, erasing, forgetting, reading the directory anew
  kIssueToken,      // for oneself
  kIssueDaemonToken,
  kSeeTokens,
  kRevokeToken,
  kBeMonitor,
  kBeCoordinator,
  kBeWorker,
};
inline constexpr size_t kActions = static_cast<size_t>(Action::kBeWorker) + 1;

/// "see_run": stable, in accessDenied events.
std::string_view action_word(Action action);

/// The action of being a daemon of that role.
Action action_of(schema::DaemonRole role);

/// What an action is about; what does not apply stays empty.
struct Resource {
  std::string instrument = {};
  std::string experiment = {};
  std::string account = {};  // whose token or doings they are; who asked for the job, or started the campaign
  std::string what = {};     // for the record: "MARI 28001", "event 17"; nothing is decided by it
};
/// "MARI 28001, experiment 2010001".
std::string resource_words(const Resource& resource);

struct Verdict {
  bool allowed = false;
  std::string right = {};        // allowed: the role and what gave it, "scientist of MARI by group isis_mari_team"
  std::string_view code = {};    // refused: a reason code, docs/reasons.md
  std::string reason = {};       // refused: a sentence that names caller, cause and next step
};

/// Pure: the same question gets the same answer, and nothing else is looked at.
Verdict decide(const Caller& caller, Action action, const Resource& resource = {});

/// The runs a caller sees, for lists: decide(caller, kSeeRun, ...) for many at once.
///
/// Owns: values. Threads: any.
class Sight {
 public:
  static Sight of(const Caller& caller);
  bool is_everything() const { return everything_ && scope_.empty(); }
  /// experiment empty = unknown.
  bool sees(std::string_view instrument, std::string_view experiment) const;
  /// Where what it sees lies, sorted: all runs of these instruments, and wherever they are those of these experiments.
  const std::vector<std::string>& instruments() const { return instruments_; }
  const std::vector<std::string>& experiments() const { return experiments_; }
  bool sees_all_of(std::string_view instrument) const;
  bool sees_anything() const { return everything_ || !instruments_.empty() || !experiments_.empty(); }
  /// Every run of the experiment, on whatever instrument.
  bool sees_all_of_experiment(std::string_view experiment) const;
  /// Something of it may be seen.
  bool is_within_scope(std::string_view instrument) const;
  /// True of those who see every run (of the instruments in the token's scope, if it names some).
  bool everything() const { return everything_; }
  const std::vector<std::string>& scope() const { return scope_; }

 private:
  bool everything_ = false;
  std::vector<std::string> instruments_;
  std::vector<std::string> experiments_;
  std::vector<std::string> scope_;  // instruments the token is for; empty = all
};

}  // namespace rpc
