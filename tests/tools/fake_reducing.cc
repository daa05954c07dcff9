#include "tests/tools/fake_reducing.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/tools/fake_session.h"
#include "tools/document.h"

namespace fake {
namespace {

/// At most two rows a page, so that every listing has to go on. `init` makes the list.
template <typename Row, typename Params, typename Results, typename Init>
void answer_page(const std::vector<const Row*>& rows, Params params, Results results, Init init) {
  const size_t begin = params.getAfter().size() == 0 ? 0 : std::stoul(bytes(params.getAfter()));
  const size_t count = std::min<size_t>(2, rows.size() - begin);
  auto list = init(static_cast<uint32_t>(count));
  for (uint32_t i = 0; i < count; ++i) list.setWithCaveats(i, rows[begin + i]->read());
  if (begin + count < rows.size()) results.setNext(as_data(std::to_string(begin + count)));
}

template <typename Row>
std::vector<const Row*> all(const std::vector<Row>& rows) {
  std::vector<const Row*> pointers;
  for (const Row& row : rows) pointers.push_back(&row);
  return pointers;
}

std::string numbers_text(capnp::List<uint64_t>::Reader numbers) {
  std::string text;
  for (const uint64_t number : numbers) text += fmt::format(" {}", number);
  return text;
}

class Campaigns final : public schema::Campaigns::Server {
 public:
  explicit Campaigns(Ledger& ledger) : ledger_(ledger) {}

  kj::Promise<void> plan(PlanContext context) override {
    ledger_.reducing.filter = kj::str(context.getParams().getRequest().getFilter()).cStr();
    ledger_.asked.push_back("plan " + request_text(context.getParams().getRequest()));
    context.getResults().setPlan(ledger_.reducing.estimate.read());
    return kj::READY_NOW;
  }
  kj::Promise<void> start(StartContext context) override {
    ledger_.reducing.filter = kj::str(context.getParams().getRequest().getFilter()).cStr();
    answer_change(ledger_, context.getResults().initAnswer(), "start " + request_text(context.getParams().getRequest()));
    context.getResults().setCampaign(900 + ledger_.asked.size());
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    auto results = context.getResults();
    answer_page(all(ledger_.reducing.campaigns), context.getParams(), results, [&](uint32_t count) { return results.initCampaigns(count); });
    return kj::READY_NOW;
  }
  kj::Promise<void> show(ShowContext context) override {
    for (const auto& row : ledger_.reducing.campaigns) {
      if (row.read().getCampaign() != context.getParams().getCampaign()) continue;
      context.getResults().setCampaign(row.read());
      return kj::READY_NOW;
    }
    refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND, fmt::format("campaign {}: there is none", context.getParams().getCampaign()));
    return kj::READY_NOW;
  }
  kj::Promise<void> runs(RunsContext context) override {
    auto results = context.getResults();
    answer_page(all(ledger_.reducing.campaign_runs), context.getParams(), results, [&](uint32_t count) { return results.initRuns(count); });
    return kj::READY_NOW;
  }
  kj::Promise<void> report(ReportContext context) override {
    auto results = context.getResults();
    answer_page(all(ledger_.reducing.compared), context.getParams(), results, [&](uint32_t count) { return results.initRuns(count); });
    return kj::READY_NOW;
  }
  kj::Promise<void> pause(PauseContext context) override {
    auto params = context.getParams();
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("pause campaign {} ({})", params.getCampaign(), params.getComment().cStr()));
    return kj::READY_NOW;
  }
  kj::Promise<void> resume(ResumeContext context) override {
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("resume campaign {}", context.getParams().getCampaign()));
    return kj::READY_NOW;
  }
  kj::Promise<void> stop(StopContext context) override {
    auto params = context.getParams();
    answer_change(ledger_, context.getResults().initAnswer(), fmt::format("stop campaign {}{}", params.getCampaign(), params.getKeepQueued() ? ", queued kept" : ""));
    return kj::READY_NOW;
  }

 private:
  static std::string request_text(schema::CampaignRequest::Reader request) {
    return fmt::format("{} '{}' over '{}' {}{}{}{}", request.getKind() == schema::CampaignStarted::Kind::REPLAY ? "replay" : "campaign", request.getPurpose().cStr(),
                       request.getSelection().cStr(), request.getScript() == schema::ReductionRequested::ScriptChoice::STORED ? "stored" : "current",
                       request.getFreshVariables() ? " fresh" : "", variables_text(request.getVariables()),
                       request.getInterpreter().size() == 0 ? "" : fmt::format(" with {}", request.getInterpreter().cStr()));
  }

  Ledger& ledger_;
};

}  // namespace

schema::CampaignRow::Builder Reducing::add_campaign(uint64_t number, const char* purpose) {
  auto row = campaigns.emplace_back().get();
  row.setCampaign(number);
  row.getStarted().setPurpose(purpose);
  row.getStarted().setSelection("MARI 28001-28400, stale");
  row.getStarted().setRuns(4);
  row.getStarted().initInstruments(1).set(0, "MARI");
  row.getOwner().setName("alice");
  row.setStartedAt(kNoon);
  return row;
}

schema::ComparedRun::Builder Reducing::add_compared(uint64_t run_number, schema::ComparedRun::Outcome outcome) {
  auto run = compared.emplace_back().get();
  run.getRun().setInstrument("MARI");
  run.getRun().setRunNumber(run_number);
  run.setBefore(1);
  run.setAfter(2);
  run.setOutcome(outcome);
  return run;
}

schema::StaleReason::Builder Reducing::add_stale(uint64_t run_number, uint16_t version, schema::StaleReason::Kind kind, const char* name) {
  auto result = stale.emplace_back().get();
  result.getRun().setInstrument("MARI");
  result.getRun().setRunNumber(run_number);
  result.setVersion(version);
  result.setJob(100 + run_number % 100);
  auto reason = result.initWhy(1)[0];
  reason.setKind(kind);
  reason.setName(name);
  return reason;
}

kj::Promise<void> ReducingRuns::stale(StaleContext context) {
  reducing_ledger_.reducing.filter = kj::str(context.getParams().getFilter()).cStr();
  auto results = context.getResults();
  answer_page(all(reducing_ledger_.reducing.stale), context.getParams(), results, [&](uint32_t count) { return results.initResults(count); });
  results.setConsidered(10);
  return kj::READY_NOW;
}

kj::Promise<void> ReducingRuns::trial(TrialContext context) {
  auto params = context.getParams();
  auto request = params.getRequest();
  reducing_ledger_.reducing.files.clear();
  for (auto file : params.getFiles()) reducing_ledger_.reducing.files.push_back(bytes(file));
  std::string siblings;
  for (auto file : request.getSiblings()) siblings += fmt::format(" {}", file.getName().cStr());
  answer_change(reducing_ledger_, context.getResults().initAnswer(),
                fmt::format("trial {} {}{}{}{} ({})", request.getRun().getInstrument().cStr(), request.getRun().getRunNumber(), siblings, variables_text(request.getVariables()),
                            request.getInterpreter().size() == 0 ? "" : fmt::format(" with {}", request.getInterpreter().cStr()), request.getComment().cStr()));
  return kj::READY_NOW;
}

kj::Promise<void> ReducingRuns::combine(CombineContext context) {
  auto request = context.getParams().getRequest();
  answer_change(reducing_ledger_, context.getResults().initAnswer(),
                fmt::format("combine {}{} by {}", request.getInstrument().cStr(), numbers_text(request.getRuns()), request.getStage().cStr()));
  return kj::READY_NOW;
}

kj::Promise<void> ReducingRuns::job(JobContext context) {
  for (const auto& row : reducing_ledger_.jobs) {
    if (row.read().getJob() != context.getParams().getJob()) continue;
    context.getResults().setJob(row.read());
    return kj::READY_NOW;
  }
  refuse(context.getResults().initRefusal(), schema::Refusal::Code::NOT_FOUND, fmt::format("job {}: there is no such job", context.getParams().getJob()));
  return kj::READY_NOW;
}

kj::Promise<void> ReducingRuns::stageResults(StageResultsContext context) {
  auto params = context.getParams();
  std::vector<const Message<schema::StageResultRow>*> rows;
  for (const auto& row : reducing_ledger_.reducing.stage_results) {
    if (params.getStage().size() == 0 || params.getStage() == row.read().getStage()) rows.push_back(&row);
  }
  auto results = context.getResults();
  answer_page(rows, params, results, [&](uint32_t count) { return results.initResults(count); });
  return kj::READY_NOW;
}

kj::Promise<void> StagedInstrument::stages(StagesContext context) {
  const auto& rows = staged_ledger_.reducing.stages;
  auto stages = context.getResults().initStages(static_cast<uint32_t>(rows.size()));
  for (uint32_t i = 0; i < rows.size(); ++i) stages.setWithCaveats(i, rows[i].read());
  return kj::READY_NOW;
}

kj::Promise<void> StagedInstrument::setStage(SetStageContext context) {
  answer_change(staged_ledger_, context.getResults().initAnswer(), fmt::format("set stage {}", kj::str(context.getParams().getRule()).cStr()));
  return kj::READY_NOW;
}

kj::Promise<void> StagedInstrument::removeStage(RemoveStageContext context) {
  answer_change(staged_ledger_, context.getResults().initAnswer(),
                fmt::format("remove stage {} ({})", context.getParams().getName().cStr(), context.getParams().getComment().cStr()));
  return kj::READY_NOW;
}

schema::Campaigns::Client make_campaigns(Ledger& ledger) { return kj::heap<Campaigns>(ledger); }

}  // namespace fake
