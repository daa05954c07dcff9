#include "daemons/coordinator/stages.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/experiment.h"
#include "base/text.h"
#include "daemons/coordinator/output_path.h"

namespace daemons {
namespace {

using ledger::view;
using schema::RunState;
using Over = schema::StageRule::Over;

constexpr uint32_t kPage = 1000;

bool takes(schema::StageRule::Reader rule, std::string_view stage) {
  for (auto before : rule.getAfter()) {
    if (view(before) == stage) return true;
  }
  return false;
}

void set_raw_files(const StageInputs& inputs, schema::JobQueued::Builder job) {
  std::vector<schema::RawFile::Reader> files;
  for (const auto& run : inputs.runs) {
    for (auto file : run->get().getRawFiles()) files.push_back(file);
  }
  auto list = job.initInputs(static_cast<uint32_t>(files.size()));
  for (uint32_t i = 0; i < files.size(); ++i) list.setWithCaveats(i, files[i]);
}

}  // namespace

kj::Promise<Stages::Rules> Stages::rules_of(const std::string& instrument) {
  return record_.at_instrument(instrument).stagesRequest().send().then([](auto&& response) {
    return std::make_shared<const capnp::Response<schema::Instrument::StagesResults>>(kj::mv(response));
  });
}

// ---- what may have completed a stage's inputs ----

kj::Promise<void> Stages::after_job(uint64_t seq, Record::Job found) {
  auto job = found->getJob();
  auto queued = job.getQueued();
  if (queued.getKind() == schema::JobKind::TRIAL || queued.getRuns().size() == 0) return kj::READY_NOW;
  Ended ended{seq, std::string(view(queued.getRuns()[0].getInstrument())), std::string(view(queued.getExperiment())), {}, {}};
  for (auto run : queued.getRuns()) ended.runs.push_back(run.getRunNumber());
  if (job.getState() != RunState::SUCCEEDED) return react(std::move(ended));
  if (queued.getKind() == schema::JobKind::STAGE) {
    if (job.getSupersededBy() == 0) ended.stage = view(queued.getStage());
    return react(std::move(ended));
  }
  return record_.run(RunName(queued.getRuns()[0])).then([this, found, ended = std::move(ended)](Record::Run&& shown) mutable {
    if (shown->getRun().getResult() == found->getJob().getJob()) ended.stage = "reduction";  // else a newer version speaks for the run
    return react(std::move(ended));
  });
}

kj::Promise<void> Stages::after_skip(uint64_t seq, RunName name) {
  return record_.run(name).then([this, seq, name](Record::Run&& shown) {
    return react({seq, name.instrument, std::string(view(shown->getRun().getExperiment())), {name.number}, {}});
  });
}

kj::Promise<void> Stages::react(Ended ended) {
  return rules_of(ended.instrument).then([this, ended = std::move(ended)](Rules&& rules) mutable {
    auto order = in_order(rules->getStages());
    return react_with(kj::mv(rules), std::move(order), std::move(ended));
  });
}

/// One rule after the other: what an earlier one made may be what a later one has to wait for.
kj::Promise<void> Stages::react_with(Rules rules, std::vector<uint32_t> order, Ended ended) {
  if (order.empty()) return kj::READY_NOW;
  auto rule = rules->getStages()[order.front()].getRule();
  order.erase(order.begin());
  kj::Promise<void> made = kj::READY_NOW;
  switch (rule.getOver()) {
    case Over::RUN: made = over_run(rules, rule, ended); break;
    case Over::EXPERIMENT: made = over_experiment(rules, rule, ended); break;
    case Over::RUNS: made = over_runs(rules, rule, ended); break;
  }
  return made.then([this, rules = kj::mv(rules), order = std::move(order), ended = std::move(ended)]() mutable {
    return react_with(kj::mv(rules), std::move(order), std::move(ended));
  });
}

kj::Promise<void> Stages::over_run(Rules rules, schema::StageRule::Reader rule, const Ended& ended) {
  if (ended.stage.empty() || !takes(rule, ended.stage) || ended.runs.size() != 1) return kj::READY_NOW;
  std::string id = fmt::format("coordinatord/stage/{}/{}", view(rule.getName()), ended.seq);
  return inputs_.of_runs(rules->getStages(), rule, ended.runs).then([this, rules, rule, id, cause = ended.seq, stage = ended.stage](StageInputs&& inputs) -> kj::Promise<void> {
    if (inputs.open || !inputs.complete || inputs.runs.empty()) return kj::READY_NOW;
    std::string why = fmt::format("{} of {} succeeded", stage, run_list(view(rule.getInstrument()), inputs.numbers()));
    return make(rules, rule, std::move(inputs), id, cause, why).ignoreResult();
  });
}

/// Whatever ended may have been the last that it waited for.
kj::Promise<void> Stages::over_experiment(Rules rules, schema::StageRule::Reader rule, const Ended& ended) {
  if (!base::names_experiment(ended.experiment) || (!ended.stage.empty() && !takes(rule, ended.stage))) return kj::READY_NOW;
  std::string id = fmt::format("coordinatord/stage/{}/{}", view(rule.getName()), ended.seq);
  return inputs_.of_experiment(rules->getStages(), rule, ended.experiment).then([this, rules, rule, id, experiment = ended.experiment](StageInputs&& inputs) -> kj::Promise<void> {
    if (inputs.open || !inputs.complete || inputs.sources.empty()) return kj::READY_NOW;
    const std::string_view instrument = view(rule.getInstrument());
    std::string why = fmt::format("no run of experiment {} on {} is left to reduce", experiment, instrument);
    if (!inputs.without.empty()) why += fmt::format("; without a result, and left out: {}", run_list(instrument, inputs.without));
    const uint64_t cause = inputs.newest();
    return make(rules, rule, std::move(inputs), id, cause, why).ignoreResult();
  });
}

kj::Promise<void> Stages::over_runs(Rules rules, schema::StageRule::Reader rule, const Ended& ended) {
  if (ended.stage.empty() || !takes(rule, ended.stage)) return kj::READY_NOW;
  return waiting(ended.instrument, rules).then([this, rules, rule, runs = ended.runs](std::shared_ptr<Combinations> waiting) {
    kj::Promise<void> all = kj::READY_NOW;
    for (const Combination& asked : *waiting) {
      const bool meant = asked.stage == view(rule.getName()) && std::any_of(runs.begin(), runs.end(), [&](uint64_t run) {
                           return std::binary_search(asked.runs.begin(), asked.runs.end(), run);
                         });
      if (meant) all = all.then([this, rules, rule, asked] { return combine_if_ready(rules, rule, asked); });
    }
    return all;
  });
}

// ---- combinations ----

kj::Promise<void> Stages::combine(Kept kept) {
  std::string instrument(view(kept->get().getBody().getCombinationRequested().getInstrument()));
  return rules_of(instrument).then([this, kept, instrument](Rules&& rules) {
    return waiting(instrument, rules).then([this, kept, rules](std::shared_ptr<Combinations> waiting) -> kj::Promise<void> {
      auto event = kept->get();
      auto request = event.getBody().getCombinationRequested();
      Combination asked{event.getSeq(), std::string(view(request.getStage())), {}, std::string(view(event.getActor().getName()))};
      for (uint64_t run : request.getRuns()) asked.runs.push_back(run);
      std::erase_if(*waiting, [&](const Combination& known) { return known.seq == asked.seq; });
      waiting->push_back(asked);
      for (auto row : rules->getStages()) {
        if (view(row.getRule().getName()) == asked.stage) return combine_if_ready(rules, row.getRule(), asked);
      }
      return kj::READY_NOW;
    });
  });
}

kj::Promise<void> Stages::combine_if_ready(Rules rules, schema::StageRule::Reader rule, Combination asked) {
  return inputs_.of_runs(rules->getStages(), rule, asked.runs).then([this, rules, rule, asked](StageInputs&& inputs) -> kj::Promise<void> {
    if (inputs.open || !inputs.complete || !inputs.without.empty()) return kj::READY_NOW;
    std::string id = fmt::format("coordinatord/stage/{}/{}", view(rule.getName()), asked.seq);
    std::string why = asked.by.empty() ? "asked for" : fmt::format("asked for by {}", asked.by);
    return make(rules, rule, std::move(inputs), id, asked.seq, why).then([this, rule, asked](bool made) {
      auto known = combinations_.find(std::string(view(rule.getInstrument())));
      if (made && known != combinations_.end()) std::erase_if(*known->second, [&](const Combination& one) { return one.seq == asked.seq; });
    });
  });
}

void Stages::taskFailed(kj::Exception&& exception) { spdlog::warn("combinations that wait: {}", exception.getDescription().cStr()); }

kj::Promise<void> Stages::try_waiting() {
  return record_.runs().instrumentsRequest().send().then([this](auto&& response) {
    for (auto row : response.getInstruments()) {
      std::string instrument(view(row.getConfig().getInstrument()));
      if (!tried_.insert(instrument).second) continue;
      tries_.add(kj::evalNow([&] { return try_waiting_at(instrument); }).attach(kj::defer([this, instrument] { tried_.erase(instrument); })));
    }
  });
}

kj::Promise<void> Stages::try_waiting_at(std::string instrument) {
  return rules_of(instrument).then([this, instrument](Rules&& rules) {
    return waiting(instrument, rules).then([this, rules](std::shared_ptr<Combinations> waiting) {
      kj::Promise<void> all = kj::READY_NOW;
      for (const Combination& asked : Combinations(*waiting)) {
        for (auto row : rules->getStages()) {
          if (view(row.getRule().getName()) != asked.stage) continue;
          all = all.then([this, rules, rule = row.getRule(), asked] { return combine_if_ready(rules, rule, asked); });
        }
      }
      return all;
    });
  });
}

/// Those the instrument has; the record is asked the first time.
kj::Promise<std::shared_ptr<Stages::Combinations>> Stages::waiting(std::string instrument, Rules rules) {
  if (auto known = combinations_.find(instrument); known != combinations_.end()) return std::shared_ptr<Combinations>(known->second);
  auto found = std::make_shared<Combinations>();
  struct Reading {
    static kj::Promise<void> pages(Record& record, std::string at, std::string stage, std::string after, std::shared_ptr<Combinations> into) {
      auto request = record.runs().stageResultsRequest();
      request.setInstrument(at);
      request.setStage(stage);
      request.setLimit(kPage);
      request.setAfter(ledger::data(after));
      return request.send().then([&record, at, stage, into](auto&& page) -> kj::Promise<void> {
        for (auto row : page.getResults()) {
          if (row.getPendingRequest() == 0) continue;
          Combination asked{row.getPendingRequest(), stage, {}, {}};
          for (uint64_t run : row.getRuns()) asked.runs.push_back(run);
          into->push_back(std::move(asked));
        }
        if (page.getNext().size() == 0) return kj::READY_NOW;
        return pages(record, at, stage, std::string(view(page.getNext())), into);
      });
    }
  };
  kj::Promise<void> all = kj::READY_NOW;
  for (auto row : rules->getStages()) {
    if (row.getRule().getOver() != Over::RUNS) continue;
    std::string stage(view(row.getRule().getName()));
    all = all.then([this, instrument, stage, found] { return Reading::pages(record_, instrument, stage, {}, found); });
  }
  return all.then([this, instrument, found, rules = kj::mv(rules)] {
    combinations_[instrument] = found;
    return std::shared_ptr<Combinations>(found);
  });
}

// ---- the job ----

kj::Promise<bool> Stages::make(Rules rules, schema::StageRule::Reader rule, StageInputs found, std::string id, uint64_t cause, std::string why) {
  auto inputs = std::make_shared<StageInputs>(std::move(found));
  const std::string instrument(view(rule.getInstrument())), stage(view(rule.getName()));
  const std::string subject = fmt::format("{} {}", run_list(instrument, inputs->numbers()), stage);
  Wish wish;
  wish.subject = subject;
  wish.next_step = "its next input starts it again";
  wish.instrument = instrument;
  wish.experiment = inputs->experiment();
  wish.cause = cause;
  wish.script = ScriptAt{std::string(view(rule.getScriptPath())), rule.getContract()};
  wish.interpreter = view(rule.getInterpreter());
  wish.values = ValuesFrom::kScript;
  wish.lenient = true;
  JobOrder order{std::move(id), cause, kStagePriority, "stage_ready", fmt::format("stage {}: {}", stage, why)};
  return planner_.plan(std::move(wish)).then([this, rules, rule, inputs, subject, order = std::move(order)](Planned&& planned) -> kj::Promise<bool> {
    if (planned.decline) {
      spdlog::warn("{}: no job is made ({}): {}", subject, planned.decline->code, planned.decline->text);
      return false;
    }
    std::string sources = rule.getAfter().size() > 0 ? inputs->document() : std::string();
    if (!sources.empty()) planned.content.blobs.push_back(sources);
    Command command = queue_job(order, planned.content);
    auto job = command.body().getQueueJob();
    job.setKind(schema::JobKind::STAGE);
    job.setStage(rule.getName());
    auto runs = job.initRuns(static_cast<uint32_t>(inputs->runs.size()));
    for (uint32_t i = 0; i < inputs->runs.size(); ++i) runs.setWithCaveats(i, inputs->runs[i]->get().getRun());
    const std::string experiment = inputs->experiment();
    job.setExperiment(experiment);
    if (!sources.empty()) {
      job.setSources(hash_data(base::sha256(sources)));
      job.setInputPatterns(rule.getInputPatterns());
    } else {
      set_raw_files(*inputs, job);
    }
    job.setTimeLimitMs(rule.getTimeLimitMs());
    job.setMemoryLimitBytes(rule.getMemoryLimitBytes());
    const std::string run = rule.getOver() == Over::EXPERIMENT ? "experiment" : run_range(inputs->numbers());
    job.setOutputDirectory(output_directory(view(rule.getOutputPattern()), {view(rule.getInstrument()), experiment, run, std::string(view(rule.getName()))}));
    return submitter_.submit(kj::mv(command)).then([subject](CommandAnswer&& answer) {
      if (!answer.status.is_ok()) spdlog::warn("{}: {}", subject, answer.status.message());
      return answer.status.is_ok();
    });
  });
}

}  // namespace daemons
