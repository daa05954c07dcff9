#include "rpc/service/campaign_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/counted.h"
#include "base/sha256.h"
#include "ledger/decide.h"
#include "ledger/decide/limits.h"
#include "rpc/service/answers.h"
#include "rpc/service/run_filter.h"
#include "rpc/service/seen_rows.h"

namespace rpc {
namespace {

using Kind = schema::CampaignStarted::Kind;
constexpr size_t kMostShown = 1000;

/// Whose limits do not count: the account that runs the ledger, administrators, and of a replay operators.
bool has_no_limit(const Caller& caller, Kind kind) {
  if (caller.kind == Caller::Kind::kOwner) return true;
  return std::any_of(caller.grants.begin(), caller.grants.end(), [&](const Grant& grant) {
    return grant.role == schema::Role::ADMINISTRATOR || (kind == Kind::REPLAY && grant.role == schema::Role::OPERATOR);
  });
}

/// Asked of each run; most are of few instruments and experiments.
class RunRights {
 public:
  RunRights(const Caller& caller, Action action, PlannedRequest& to) : caller_(caller), action_(action), to_(to) {}
  base::Status ask(schema::RunRow::Reader run) {
    const Answer& answer = answer_of(run);
    if (answer.status.is_ok()) {
      as_member_ += !answer.as_scientist;
      if (!to_.allowed) to_.allowed = resource_of(run);
    } else if (!to_.refused) {
      to_.refused = resource_of(run);
    }
    return answer.status;
  }
  /// Runs he may reduce as a member of their experiment only.
  uint64_t as_member() const { return as_member_; }

 private:
  struct Answer {
    base::Status status;
    bool as_scientist = false;
  };
  const Answer& answer_of(schema::RunRow::Reader run) {
    auto [known, is_new] = known_.try_emplace({std::string(view(run.getRun().getInstrument())), std::string(view(run.getExperiment()))});
    if (!is_new) return known->second;
    const Resource resource{.instrument = known->first.first, .experiment = known->first.second};
    Verdict verdict = decide(caller_, action_, resource);
    if (!verdict.allowed) known->second.status = {base::Code::kPermissionDenied, std::move(verdict.reason)};
    known->second.as_scientist = decide(caller_, Action::kSetVariables, resource).allowed;
    return known->second;
  }

  const Caller& caller_;
  const Action action_;
  PlannedRequest& to_;
  std::map<std::pair<std::string, std::string>, Answer> known_;
  uint64_t as_member_ = 0;
};

/// Runs of his campaigns that have not ended.
uint64_t open_runs(const ledger::RowReader& rows, const std::string& account) {
  uint64_t count = 0;
  for (const uint64_t id : ledger::open_campaigns(rows)) {
    const auto row = ledger::find_campaign(rows, id);
    if (!row || view(row->get().getOwner().getName()) != account) continue;
    const auto counts = row->get().getCounts();
    const bool stopped = row->get().getState() == schema::CampaignRow::State::STOPPED;
    count += uint64_t{stopped ? 0 : counts.getNotQueued()} + counts.getWaiting() + counts.getRunning();
  }
  return count;
}

std::string none_words(const ledger::PlannedCampaign& plan) {
  if (plan.passed_count > 0) {
    return fmt::format("none of the {} chosen can be reduced now: {}", base::counted(plan.passed_count, "run"), plan.passed.front().text);
  }
  return "no run is chosen; `runledger runs` with the same options lists what they choose";
}

/// What deciding would refuse, with the plan at hand that the command would bring.
class WithPlan final : public ledger::RowReader {
 public:
  WithPlan(const ledger::RowReader& rows, const std::string& plan) : rows_(rows), plan_(plan), sha256_(base::as_bytes(base::sha256(plan))) {}
  std::optional<std::string> get(ledger::ViewId id, std::string_view key) const override { return rows_.get(id, key); }
  void scan(ledger::ViewId id, std::string_view from, const Visit& visit) const override { rows_.scan(id, from, visit); }
  bool has_blob(std::string_view sha256) const override { return sha256 == sha256_ || rows_.has_blob(sha256); }
  std::optional<std::string> blob(std::string_view sha256) const override { return sha256 == sha256_ ? plan_ : rows_.blob(sha256); }

 private:
  const ledger::RowReader& rows_;
  const std::string& plan_;
  const std::string sha256_;
};

base::Status dry_run(const ledger::RowReader& rows, schema::CampaignRequest::Reader request, const ledger::PlannedCampaign& plan) {
  const WithPlan with_plan(rows, plan.document);
  capnp::MallocMessageBuilder message;
  auto command = message.initRoot<schema::Command>();
  command.setId("plan");
  write_start(request, plan, command);
  return ledger::decide(with_plan, {0, 1, {}}, command.asReader()).status();
}

}  // namespace

Action action_of(Kind kind) { return kind == Kind::REPLAY ? Action::kReplay : Action::kStartCampaign; }

PlannedRequest plan_request(const ledger::RowReader& rows, const Caller& caller, const AccessSettings& settings, schema::CampaignRequest::Reader request,
                            const ledger::KeepGoing& keep_going) {
  PlannedRequest planned;
  auto pick = read_filter(request.getFilter(), Sight::of(caller));
  if (!pick.is_ok()) {
    planned.problems.push_back(pick.status().message());
    return planned;
  }
  RunRights rights(caller, action_of(request.getKind()), planned);
  ledger::CampaignAsked asked;
  asked.pick = std::move(*pick);
  asked.kind = request.getKind();
  asked.script = request.getScript();
  asked.may = [&](schema::RunRow::Reader run) { return rights.ask(run); };
  asked.most_passed = kMostShown;
  planned.plan = ledger::plan_campaign(rows, asked, keep_going);

  const uint64_t runs = planned.plan.run_count;
  if (runs == 0) planned.problems.push_back(none_words(planned.plan));
  if (runs > ledger::kMaxCampaignRuns) {
    planned.problems.push_back(fmt::format("{} are chosen; a campaign has at most {}: choose fewer, or start several", base::counted(runs, "run"), ledger::kMaxCampaignRuns));
  }
  if (!has_no_limit(caller, request.getKind())) {
    const uint64_t open = rights.as_member() > 0 ? open_runs(rows, caller.name) : 0;
    if (rights.as_member() + open > settings.member_reruns && rights.as_member() > 0) {
      planned.problems.push_back(fmt::format("{} of experiments you are a member of are chosen{}; a member's campaigns have at most {} at a time: choose fewer, or ask "
                                             "a scientist of the instrument",
                                             base::counted(rights.as_member(), "run"), open > 0 ? fmt::format(", and {} of your campaigns are left", open) : "",
                                             settings.member_reruns));
    } else if (runs > settings.scientist_reruns) {
      planned.problems.push_back(fmt::format("{} are chosen; a scientist's campaign has at most {}: choose fewer, or start several", base::counted(runs, "run"), settings.scientist_reruns));
    }
  }
  if (planned.problems.empty() && !planned.plan.document.empty()) {
    if (base::Status refusal = dry_run(rows, request, planned.plan); !refusal.is_ok()) planned.problems.push_back(refusal.message());
  }
  return planned;
}

void write_start(schema::CampaignRequest::Reader request, const ledger::PlannedCampaign& plan, schema::Command::Builder command) {
  command.initBlobs(1).set(0, ledger::data(plan.document));
  auto started = command.getBody().initStartCampaign();
  started.setPurpose(request.getPurpose());
  started.setKind(request.getKind());
  started.setSelection(request.getSelection());
  started.setPlan(ledger::data(base::as_bytes(base::sha256(plan.document))));
  started.setScript(request.getScript());
  started.setVariables(request.getVariables());
  started.setFreshVariables(request.getFreshVariables());
  started.setInterpreter(request.getInterpreter());
  started.setEstimateMs(plan.estimate_ms);
}

void write_estimate(const PlannedRequest& planned, schema::CampaignEstimate::Builder estimate) {
  const ledger::PlannedCampaign& plan = planned.plan;
  auto runs = estimate.initRuns(static_cast<uint32_t>(std::min(plan.runs.size(), kMostShown)));
  for (uint32_t i = 0; i < runs.size(); ++i) {
    runs[i].initRun().setInstrument(plan.runs[i].instrument);
    runs[i].getRun().setRunNumber(plan.runs[i].run_number);
    runs[i].setBasis(plan.runs[i].basis);
    runs[i].setLastMs(plan.runs[i].last_ms);
  }
  estimate.setRunCount(plan.run_count);
  auto passed = estimate.initPassed(static_cast<uint32_t>(plan.passed.size()));
  for (uint32_t i = 0; i < passed.size(); ++i) {
    passed[i].initRun().setInstrument(plan.passed[i].instrument);
    passed[i].getRun().setRunNumber(plan.passed[i].run_number);
    passed[i].initReason().setCode(plan.passed[i].code);
    passed[i].getReason().setText(plan.passed[i].text);
  }
  estimate.setPassedCount(plan.passed_count);
  estimate.setConsidered(plan.considered);
  estimate.setEstimateMs(plan.estimate_ms);
  estimate.setUnknownDurations(plan.unknown_durations);
  auto problems = estimate.initProblems(static_cast<uint32_t>(planned.problems.size()));
  for (uint32_t i = 0; i < problems.size(); ++i) problems.set(i, planned.problems[i]);
}

}  // namespace rpc
