#include "daemons/coordinator/stage_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "daemons/refusal.h"
#include "schema/document.capnp.h"

namespace daemons {
namespace {

using ledger::view;
using schema::RunState;
using Over = schema::StageRule::Over;

constexpr std::string_view kReduction = "reduction";

bool is_open(RunState state) { return state == RunState::QUEUED || state == RunState::HELD || state == RunState::RUNNING; }

bool is_left_to_reduce(schema::RunRow::Reader run) {
  return run.getState() == RunState::DETECTED || is_open(run.getState()) || run.getPendingRequest() != 0;
}

bool is_per_run(capnp::List<schema::StageRow>::Reader rules, std::string_view stage) {
  if (stage == kReduction) return true;
  for (auto row : rules) {
    if (view(row.getRule().getName()) == stage) return row.getRule().getOver() == Over::RUN;
  }
  return true;  // there is no such stage, and no result of it
}

std::vector<uint64_t> numbers_of(capnp::List<schema::RunKey>::Reader runs) {
  std::vector<uint64_t> numbers;
  for (auto run : runs) numbers.push_back(run.getRunNumber());
  return numbers;
}

schema::OutputSummary::Reader outputs_of(schema::JobRow::Reader job) {
  auto attempts = job.getAttempts();
  return attempts.size() == 0 ? schema::OutputSummary::Reader() : attempts[attempts.size() - 1].getOutputs();
}

}  // namespace

std::vector<uint64_t> StageInputs::numbers() const {
  std::vector<uint64_t> numbers;
  for (const Run& run : runs) numbers.push_back(run->get().getRun().getRunNumber());
  return numbers;
}

std::string StageInputs::experiment() const { return runs.empty() ? "" : std::string(view(runs.front()->get().getExperiment())); }

uint64_t StageInputs::newest() const {
  uint64_t event = 0;
  for (const StageSource& source : sources) event = std::max<uint64_t>(event, source.job->getJob().getReason().getEvent());
  return event;
}

std::string StageInputs::document() const {
  capnp::MallocMessageBuilder message;
  auto list = message.initRoot<schema::JobSources>().initSources(static_cast<uint32_t>(sources.size()));
  for (uint32_t i = 0; i < sources.size(); ++i) {
    auto job = sources[i].job->getJob();
    list[i].initRun().setInstrument(job.getQueued().getRuns()[0].getInstrument());
    list[i].getRun().setRunNumber(sources[i].run);
    list[i].setStage(sources[i].stage);
    list[i].setVersion(job.getQueued().getVersion());
    list[i].setJob(job.getJob());
    list[i].setManifest(outputs_of(job).getManifest());
    list[i].setDirectory(outputs_of(job).getDirectory());
  }
  return ledger::canonical_bytes(message.getRoot<schema::JobSources>().asReader());
}

std::string run_range(const std::vector<uint64_t>& runs) {
  if (runs.empty()) return "";
  return runs.size() == 1 ? std::to_string(runs.front()) : fmt::format("{}-{}", runs.front(), runs.back());
}

std::string run_list(std::string_view instrument, const std::vector<uint64_t>& runs) {
  constexpr size_t kNamed = 20;
  std::string words(instrument);
  for (size_t i = 0; i < runs.size() && i < kNamed; ++i) words += fmt::format("{} {}", i == 0 ? "" : ",", runs[i]);
  if (runs.size() > kNamed) words += fmt::format(" and {} more", runs.size() - kNamed);
  return words;
}

std::vector<uint32_t> in_order(capnp::List<schema::StageRow>::Reader rules) {
  std::vector<uint32_t> order;
  std::set<std::string_view> placed = {kReduction};
  auto is_ready = [&](schema::StageRule::Reader rule) {
    for (auto stage : rule.getAfter()) {
      bool known = false;
      for (auto row : rules) known = known || view(row.getRule().getName()) == view(stage);
      if (known && !placed.contains(view(stage))) return false;
    }
    return true;
  };
  for (bool more = true; more;) {
    more = false;
    for (uint32_t i = 0; i < rules.size(); ++i) {
      auto rule = rules[i].getRule();
      if (placed.contains(view(rule.getName())) || !is_ready(rule)) continue;
      placed.insert(view(rule.getName()));
      order.push_back(i);
      more = true;
    }
  }
  return order;
}

/// The inputs in the making.
struct StageInputsReader::Gathering {
  Rules rules;
  schema::StageRule::Reader rule;
  std::vector<std::string> after;  // sorted
  std::vector<StageInputs::Run> candidates;
  std::map<std::pair<uint64_t, std::string>, Found> found;  // by run and stage; run 0: of all together
};

kj::Promise<StageInputs> StageInputsReader::of_runs(Rules rules, schema::StageRule::Reader rule, std::vector<uint64_t> runs) {
  auto gathering = std::make_shared<Gathering>(Gathering{rules, rule, {}, {}, {}});
  gathering->candidates.resize(runs.size());
  kj::Vector<kj::Promise<void>> reads;
  for (size_t i = 0; i < runs.size(); ++i) {
    reads.add(record_.run(RunName(std::string(view(rule.getInstrument())), runs[i])).then([gathering, i](Record::Run&& shown) {
      gathering->candidates[i] = std::make_shared<const ledger::Row<schema::RunRow>>(ledger::canonical_bytes(shown->getRun()));
    }));
  }
  return kj::joinPromises(reads.releaseAsArray()).then([this, gathering] { return gather(gathering); });
}

kj::Promise<StageInputs> StageInputsReader::of_experiment(Rules rules, schema::StageRule::Reader rule, std::string experiment) {
  auto gathering = std::make_shared<Gathering>(Gathering{rules, rule, {}, {}, {}});
  return list(gathering, std::move(experiment), {}).then([this, gathering]() -> kj::Promise<StageInputs> {
    for (const StageInputs::Run& run : gathering->candidates) {
      if (!is_left_to_reduce(run->get())) continue;
      StageInputs waiting;
      waiting.open = true;
      return waiting;
    }
    return gather(gathering);
  });
}

kj::Promise<void> StageInputsReader::list(std::shared_ptr<Gathering> gathering, std::string experiment, std::string after) {
  auto request = record_.runs().listRequest();
  auto filter = request.initFilter();
  filter.setInstrument(gathering->rule.getInstrument());
  filter.setExperiment(experiment);
  request.setLimit(1000);
  request.setAfter(ledger::data(after));
  return request.send().then([this, gathering, experiment = std::move(experiment)](auto&& page) mutable -> kj::Promise<void> {
    require_granted(page.getRefusal(), "the runs of an experiment cannot be read");
    for (auto run : page.getRuns()) {
      gathering->candidates.push_back(std::make_shared<const ledger::Row<schema::RunRow>>(ledger::canonical_bytes(run)));
    }
    if (page.getNext().size() == 0) return kj::READY_NOW;
    return list(gathering, std::move(experiment), std::string(view(page.getNext())));
  });
}

kj::Promise<StageInputs> StageInputsReader::gather(std::shared_ptr<Gathering> gathering) {
  for (auto stage : gathering->rule.getAfter()) gathering->after.emplace_back(view(stage));
  std::sort(gathering->after.begin(), gathering->after.end());
  kj::Vector<kj::Promise<void>> reads;
  auto keep = [gathering](uint64_t run, std::string stage) {
    return [gathering, run, stage](Found&& found) { gathering->found[{run, stage}] = kj::mv(found); };
  };
  std::shared_ptr<const std::vector<uint64_t>> exactly;  // the runs that a result of several must be of
  if (gathering->rule.getOver() == Over::RUNS) {
    std::vector<uint64_t> numbers;
    for (const auto& run : gathering->candidates) numbers.push_back(run->get().getRun().getRunNumber());
    exactly = std::make_shared<const std::vector<uint64_t>>(std::move(numbers));
  }
  for (const std::string& stage : gathering->after) {
    const bool per_run = is_per_run(gathering->rules, stage);
    for (const StageInputs::Run& run : gathering->candidates) {
      reads.add(result_of(stage, run, per_run ? nullptr : exactly).then(keep(run->get().getRun().getRunNumber(), stage)));
    }
  }
  return kj::joinPromises(reads.releaseAsArray()).then([gathering] {
    StageInputs inputs;
    std::map<std::string, Record::Job> of_all;  // the newest result over all runs, of each such stage
    for (const auto& [key, found] : gathering->found) {
      inputs.open = inputs.open || found.open;
      if (!found.job || is_per_run(gathering->rules, key.second)) continue;
      Record::Job& newest = of_all[key.second];
      if (!newest || newest->getJob().getJob() < found.job->getJob().getJob()) newest = found.job;
    }
    std::set<uint64_t> taken;
    bool any_per_run = false;
    for (const std::string& stage : gathering->after) {
      if (is_per_run(gathering->rules, stage)) {
        any_per_run = true;
      } else if (!of_all.contains(stage)) {
        inputs.complete = false;
      } else {
        for (uint64_t run : numbers_of(of_all[stage]->getJob().getQueued().getRuns())) taken.insert(run);
      }
    }
    for (const StageInputs::Run& run : gathering->candidates) {
      const uint64_t number = run->get().getRun().getRunNumber();
      bool has_all = any_per_run || gathering->after.empty() || taken.contains(number);
      for (const std::string& stage : gathering->after) {
        if (is_per_run(gathering->rules, stage)) has_all = has_all && gathering->found[{number, stage}].job;
      }
      if (!has_all) {
        inputs.without.push_back(number);
        continue;
      }
      const bool first = inputs.runs.empty();
      inputs.runs.push_back(run);
      for (const std::string& stage : gathering->after) {
        if (is_per_run(gathering->rules, stage)) {
          inputs.sources.push_back({number, stage, gathering->found[{number, stage}].job});
        } else if (first && of_all[stage]) {
          inputs.sources.push_back({number, stage, of_all[stage]});
        }
      }
    }
    return inputs;
  });
}

kj::Promise<StageInputsReader::Found> StageInputsReader::result_of(std::string stage, StageInputs::Run run,
                                                                   std::shared_ptr<const std::vector<uint64_t>> exactly) {
  auto row = run->get();
  if (stage != kReduction) return newest_of(std::move(stage), run, exactly, row.getOtherJobs().size(), false);
  if (row.getResult() == 0) return Found{};
  return record_.job(row.getResult()).then([](Record::Job&& job) { return Found{kj::mv(job), false}; });
}

/// From the newest of the run's other jobs back to one that succeeded.
kj::Promise<StageInputsReader::Found> StageInputsReader::newest_of(std::string stage, StageInputs::Run run,
                                                                   std::shared_ptr<const std::vector<uint64_t>> exactly, uint32_t left, bool open) {
  if (left == 0) return Found{nullptr, open};
  return record_.job(run->get().getOtherJobs()[left - 1]).then([this, stage = std::move(stage), run, exactly, left, open](Record::Job&& job) mutable -> kj::Promise<Found> {
    auto row = job->getJob();
    auto queued = row.getQueued();
    const bool fits = queued.getKind() == schema::JobKind::STAGE && view(queued.getStage()) == stage && (!exactly || numbers_of(queued.getRuns()) == *exactly);
    if (fits && row.getState() == RunState::SUCCEEDED) return Found{kj::mv(job), open};
    return newest_of(std::move(stage), run, exactly, left - 1, open || (fits && is_open(row.getState())));
  });
}

}  // namespace daemons
