#include "ledger/views/stages.h"

#include <algorithm>

#include "base/sha256.h"
#include "ledger/views/outcome.h"

namespace ledger {
namespace {

using schema::RunState;
using Over = schema::StageRule::Over;

std::string result_row_key(std::string_view name) { return kind_key('r', name); }
std::string pending_key(std::string_view name) { return kind_key('p', name); }

/// instrument 00 stage 00
std::string stage_name(std::string_view instrument, std::string_view stage) { return text_key(instrument).append(text_key(stage)); }

void fold_rule(schema::Event::Reader event, schema::StageRule::Reader rule, Rows& rows) {
  SmallMessage message;
  auto row = message.initRoot<schema::StageRow>();
  row.setRule(rule);
  row.setSetBy(event.getActor().getName());
  row.setSetAt(event.getTime());
  row.setSeq(event.getSeq());
  rows.put(ViewId::kStages, StagesView::rule_key(view(rule.getInstrument()), view(rule.getName())), built_bytes(message));
}

std::string listed(capnp::List<capnp::Text>::Reader names) {
  std::string text;
  for (uint32_t i = 0; i < names.size(); ++i) text.append(i == 0 ? "" : i + 1 == names.size() ? " and " : ", ").append(view(names[i]));
  return text;
}

void fold_combination(schema::Event::Reader event, schema::CombinationRequested::Reader wanted, Rows& rows) {
  const std::string_view instrument = view(wanted.getInstrument()), stage = view(wanted.getStage());
  const auto runs = numbers(wanted.getRuns());
  if (runs.empty()) return;
  const std::string name = stage_name(instrument, stage).append(stage_group(Over::RUNS, runs, {}));
  RowEdit<schema::StageResultRow> result(rows, ViewId::kStages, result_row_key(name));
  result->setInstrument(wanted.getInstrument());
  result->setStage(wanted.getStage());
  result->setOver(Over::RUNS);
  set_numbers(result->initRuns(static_cast<uint32_t>(runs.size())), runs);
  result->setState(RunState::DETECTED);
  result->setPendingRequest(event.getSeq());
  std::string takes = "the raw files";
  if (auto rule = rows.get(ViewId::kStages, StagesView::rule_key(instrument, stage))) {
    const Row<schema::StageRow> row(*rule);
    if (row.get().getRule().getAfter().size() > 0) takes = "results of " + listed(row.get().getRule().getAfter());
  }
  set_decision(result->initReason(), "combination_waits",
               std::string(view(event.getActor().getName())) + " asked for it; it is queued once its " + std::to_string(runs.size()) +
                   " runs have " + takes,
               event.getSeq());
  result.save();
  rows.put(ViewId::kStages, pending_key(name), {});
}

void fold_queued(schema::Event::Reader event, schema::JobQueued::Reader queued, Rows& rows) {
  if (queued.getKind() != schema::JobKind::STAGE || queued.getRuns().size() == 0) return;
  const std::string_view instrument = view(queued.getRuns()[0].getInstrument()), stage = view(queued.getStage());
  auto rule = rows.get(ViewId::kStages, StagesView::rule_key(instrument, stage));
  if (!rule) return;
  const Over over = Row<schema::StageRow>(*rule).get().getRule().getOver();
  const auto runs = run_numbers(queued.getRuns());
  const std::string name = stage_name(instrument, stage).append(stage_group(over, runs, view(queued.getExperiment())));
  RowEdit<schema::StageResultRow> result(rows, ViewId::kStages, result_row_key(name));
  result->setInstrument(std::string(instrument));
  result->setStage(queued.getStage());
  result->setOver(over);
  set_numbers(result->initRuns(static_cast<uint32_t>(runs.size())), runs);
  result->setExperiment(queued.getExperiment());
  result->setState(RunState::QUEUED);
  result->setVersion(queued.getVersion());
  result->setJob(event.getSeq());
  auto jobs = numbers(result->asReader().getJobs());
  jobs.push_back(event.getSeq());
  set_numbers(result->initJobs(static_cast<uint32_t>(jobs.size())), jobs);
  if (result->getPendingRequest() != 0) rows.erase(ViewId::kStages, pending_key(name));
  result->setPendingRequest(0);
  set_decision(result->initReason(), queued.getReason(), event.getSeq());
  result.save();
  rows.put(ViewId::kStages, StagesView::job_key(event.getSeq()), name);
  rows.put(ViewId::kStages, StagesView::directory_key(view(queued.getOutputDirectory())), u64_key(event.getSeq()));
}

/// Calls `change` on the result that `job` makes, and says whether the job's is the version it shows.
template <typename Change>
void for_result(Rows& rows, uint64_t job, Change&& change) {
  auto name = rows.get(ViewId::kStages, StagesView::job_key(job));
  if (!name) return;
  RowEdit<schema::StageResultRow> result(rows, ViewId::kStages, result_row_key(*name));
  if (!result.found()) return;
  // A result that was asked for again shows what it waits for, whatever becomes of the job before.
  change(*result, result->getJob() == job && result->getPendingRequest() == 0);
  result.save();
}

void show(Rows& rows, uint64_t job, RunState state, schema::Reason::Reader reason, uint64_t event) {
  for_result(rows, job, [&](schema::StageResultRow::Builder result, bool shown) {
    if (!shown) return;
    result.setState(state);
    set_decision(result.initReason(), reason, event);
  });
}

void show(Rows& rows, uint64_t job, RunState state, std::string_view code, const std::string& text, uint64_t event) {
  for_result(rows, job, [&](schema::StageResultRow::Builder result, bool shown) {
    if (!shown) return;
    result.setState(state);
    set_decision(result.initReason(), code, text, event);
  });
}

void fold_succeeded(schema::Event::Reader event, schema::JobSucceeded::Reader succeeded, Rows& rows) {
  const uint64_t job = succeeded.getJob();
  for_result(rows, job, [&](schema::StageResultRow::Builder result, bool shown) {
    result.setResult(std::max(result.getResult(), job));
    if (!shown) return;
    result.setState(RunState::SUCCEEDED);
    set_succeeded(rows, ViewId::kStages, result.initReason(), succeeded, event.getSeq());
  });
  forget_empty(rows, ViewId::kStages, job);
}

}  // namespace

std::vector<uint64_t> run_numbers(capnp::List<schema::RunKey>::Reader runs) {
  std::vector<uint64_t> numbers;
  for (auto run : runs) numbers.push_back(run.getRunNumber());
  return numbers;
}

std::string stage_group(Over over, std::vector<uint64_t> runs, std::string_view experiment) {
  if (over == Over::EXPERIMENT) return kind_key('e', text_key(experiment));
  std::sort(runs.begin(), runs.end());
  const std::string first = u64_key(runs.empty() ? 0 : runs.front());
  if (over == Over::RUN) return kind_key('r', first);
  std::string all;
  for (uint64_t run : runs) append_u64(all, run);
  return kind_key('s', first).append(base::as_bytes(base::sha256(all)));
}

std::string StagesView::rule_key(std::string_view instrument, std::string_view stage) {
  return kind_key('s', stage_name(instrument, stage));
}
std::string StagesView::results_prefix(std::string_view instrument, std::string_view stage) {
  return result_row_key(stage.empty() ? text_key(instrument) : stage_name(instrument, stage));
}
std::string StagesView::result_key(std::string_view instrument, std::string_view stage, std::string_view group) {
  return results_prefix(instrument, stage).append(group);
}
std::string StagesView::pending_prefix(std::string_view instrument) { return pending_key(text_key(instrument)); }
std::string StagesView::directory_key(std::string_view directory) { return kind_key('d', text_key(directory)); }

void StagesView::fold(schema::Event::Reader event, Rows& rows) const {
  using Body = schema::Event::Body;
  auto body = event.getBody();
  const uint64_t seq = event.getSeq();
  switch (body.which()) {
    case Body::STAGE_SET: return fold_rule(event, body.getStageSet(), rows);
    case Body::STAGE_REMOVED:
      return rows.erase(id(), rule_key(view(body.getStageRemoved().getInstrument()), view(body.getStageRemoved().getName())));
    case Body::COMBINATION_REQUESTED: return fold_combination(event, body.getCombinationRequested(), rows);
    case Body::JOB_QUEUED: return fold_queued(event, body.getJobQueued(), rows);
    case Body::JOB_HELD: return show(rows, body.getJobHeld().getJob(), RunState::HELD, body.getJobHeld().getReason(), seq);
    case Body::JOB_RELEASED: return show(rows, body.getJobReleased().getJob(), RunState::QUEUED, body.getJobReleased().getReason(), seq);
    case Body::ATTEMPT_STARTED: {
      auto started = body.getAttemptStarted();
      return show(rows, started.getJob(), RunState::RUNNING, "started", started_sentence(started), seq);
    }
    case Body::ATTEMPT_LOST: return show(rows, body.getAttemptLost().getJob(), RunState::QUEUED, body.getAttemptLost().getReason(), seq);
    case Body::ATTEMPT_FAILED: {
      auto failed = body.getAttemptFailed();
      if (!failed.getWillRetry()) return;
      return show(rows, failed.getJob(), RunState::QUEUED, "attempt_failed", retry_sentence(failed), seq);
    }
    case Body::ATTEMPT_SUCCEEDED:
      if (rows.get(id(), job_key(body.getAttemptSucceeded().getJob()))) remember_empty(rows, id(), body.getAttemptSucceeded());
      return;
    case Body::JOB_SUCCEEDED: return fold_succeeded(event, body.getJobSucceeded(), rows);
    case Body::JOB_FAILED:
      forget_empty(rows, id(), body.getJobFailed().getJob());
      return show(rows, body.getJobFailed().getJob(), RunState::FAILED, body.getJobFailed().getReason(), seq);
    case Body::JOB_SKIPPED: return show(rows, body.getJobSkipped().getJob(), RunState::SKIPPED, body.getJobSkipped().getReason(), seq);
    case Body::JOB_CANCELLED:
      return show(rows, body.getJobCancelled().getJob(), RunState::CANCELLED, body.getJobCancelled().getReason(), seq);
    default: return;
  }
}

}  // namespace ledger
