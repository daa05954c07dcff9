#include "rpc/service/event_sight.h"

#include <algorithm>

#include "ledger/subjects.h"

namespace rpc {
namespace {

// First letters of the subject index: ledger/subjects.cc.
constexpr char kRun = 'r', kJob = 'j', kSettings = 's', kExperiment = 'e', kCampaign = 'c';

bool has_any(const std::vector<std::string>& subjects, const std::vector<std::string>& wanted) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& key) { return std::binary_search(subjects.begin(), subjects.end(), key); });
}

bool has_kind(const std::vector<std::string>& subjects, char kind) {
  const auto first = std::lower_bound(subjects.begin(), subjects.end(), std::string(1, kind));
  return first != subjects.end() && first->front() == kind;
}

}  // namespace

EventSight::EventSight(const Caller& caller) : has_role_(caller.kind != Caller::Kind::kPerson || !caller.grants.empty()) {
  const Sight sight = Sight::of(caller);
  everything_ = sight.is_everything();
  all_of_scope_ = sight.everything();
  if (caller.kind == Caller::Kind::kPerson && !caller.name.empty()) own_ = ledger::actor_subject(caller.name);
  for (const std::string& instrument : sight.instruments()) instruments_.push_back(ledger::instrument_subject(instrument));
  for (const std::string& experiment : sight.experiments()) experiments_.push_back(ledger::experiment_subject(experiment));
  for (const std::string& instrument : sight.scope()) scope_.push_back(ledger::instrument_subject(instrument));
}

bool EventSight::sees(Kind kind, const std::vector<std::string>& subjects) const {
  if (everything_) return true;
  if (std::binary_search(subjects.begin(), subjects.end(), ledger::denials_subject())) return false;  // they say of what is hidden that it is there
  const bool of_runs = has_kind(subjects, kRun) || has_kind(subjects, kJob);
  const bool of_settings = has_kind(subjects, kSettings);
  const bool of_experiment = has_kind(subjects, kExperiment);
  const bool is_own = !of_runs && !of_settings && !of_experiment && !own_.empty() && std::binary_search(subjects.begin(), subjects.end(), own_);
  if (is_own && !has_kind(subjects, kCampaign)) return true;
  if (!scope_.empty() && !has_any(subjects, scope_)) return false;
  if (is_own) return true;
  if (all_of_scope_ || has_any(subjects, instruments_)) return true;
  if (kind == Kind::SUPPORT_FILE_SEEN) return false;  // whose variable names the file is not said
  if (of_settings && !of_experiment) return has_role_;
  return has_any(subjects, experiments_);
}

}  // namespace rpc
