#include <algorithm>

#include "ledger/stage_inputs.h"
#include "ledger/views/stages.h"
#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using ledger::view;

capnp::Data::Reader sha(const std::string& hash) { return ledger::data(hash); }

template <typename T>
std::string document(const std::function<void(typename T::Builder)>& fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<T>());
  return ledger::canonical_bytes(message.getRoot<T>().asReader());
}

void put_blobs(schema::Command::Builder command, const std::vector<std::string>& blobs) {
  auto list = command.initBlobs(static_cast<uint32_t>(blobs.size()));
  for (uint32_t i = 0; i < blobs.size(); ++i) list.set(i, ledger::data(blobs[i]));
}

void set_runs(schema::JobQueued::Builder queued, const std::vector<uint64_t>& runs) {
  auto list = queued.initRuns(static_cast<uint32_t>(runs.size()));
  for (uint32_t i = 0; i < runs.size(); ++i) {
    list[i].setInstrument("MARI");
    list[i].setRunNumber(runs[i]);
  }
}

void set_script(schema::JobQueued::Builder queued) {
  queued.setContract(schema::Contract::ISIS);
  queued.setScriptPath("/scripts/MARI/other.py");
  queued.setScriptSha256(sha(hash_of(kScript)));
  queued.setInterpreter("/usr/bin/python3");
  queued.initReason().setCode("why");
  queued.getReason().setText("a reason");
}

/// The results a stage takes of these runs, as far as they are there, and the newest success among them.
struct Sources {
  std::string document;
  uint64_t newest = 0;
};
Sources sources_of(const ledger::RowReader& rows, schema::StageRule::Reader rule, const std::vector<uint64_t>& runs,
                   std::string_view experiment) {
  std::vector<std::string> after;
  for (auto stage : rule.getAfter()) after.emplace_back(view(stage));
  std::sort(after.begin(), after.end());
  struct Found {
    uint64_t run;
    std::string stage;
    uint64_t job;
  };
  std::vector<Found> found;
  for (uint64_t run : runs) {
    for (const std::string& stage : after) {
      uint64_t job = 0;
      if (ledger::is_per_run(rows, "MARI", stage)) {
        job = ledger::result_for_run(rows, "MARI", stage, run);
      } else if (run == runs.front()) {
        auto row = ledger::find_stage_result(rows, "MARI", stage, ledger::stage_group(rule.getOver(), runs, experiment));
        if (row) job = row->get().getResult();
      }
      if (job != 0) found.push_back({run, stage, job});
    }
  }
  Sources sources;
  sources.document = document<schema::JobSources>([&](schema::JobSources::Builder set) {
    auto list = set.initSources(static_cast<uint32_t>(found.size()));
    for (uint32_t i = 0; i < found.size(); ++i) {
      auto row = *ledger::find_job(rows, found[i].job);
      auto job = row.get();
      auto outputs = job.getAttempts()[job.getAttempts().size() - 1].getOutputs();
      list[i].initRun().setInstrument("MARI");
      list[i].getRun().setRunNumber(found[i].run);
      list[i].setStage(found[i].stage);
      list[i].setVersion(job.getQueued().getVersion());
      list[i].setJob(found[i].job);
      list[i].setManifest(outputs.getManifest());
      list[i].setDirectory(outputs.getDirectory());
      sources.newest = std::max(sources.newest, job.getReason().getEvent());
    }
  });
  return sources;
}

}  // namespace

Told Story::see_file(std::string_view path, std::string_view content, std::string_view problem) {
  return tell([&](schema::Command::Builder command) {
    auto seen = command.getBody().initSeeSupportFile();
    seen.setInstrument("MARI");
    seen.setPath(std::string(path));
    seen.setProblem(std::string(problem));
    if (content.empty()) return;
    put_blobs(command, {std::string(content)});
    seen.setSha256(sha(hash_of(content)));
    seen.setSizeBytes(content.size());
    seen.setKept(true);
  });
}

Told Story::set_stage(std::string_view name, const std::function<void(schema::StageRule::Builder)>& fill) {
  return tell([&](schema::Command::Builder command) {
    auto rule = command.getBody().initSetStage();
    rule.setInstrument("MARI");
    rule.setName(std::string(name));
    rule.initAfter(1).set(0, "reduction");
    rule.setScriptPath("/scripts/MARI/" + std::string(name) + ".py");
    rule.setContract(schema::Contract::ISIS);
    rule.setOutputPattern("/reduced/MARI/{stage}/{experiment}/{run}/{version}");
    if (fill) fill(rule);
  });
}

Told Story::remove_stage(std::string_view name) {
  return tell([&](schema::Command::Builder command) {
    auto removed = command.getBody().initRemoveStage();
    removed.setInstrument("MARI");
    removed.setName(std::string(name));
  });
}

Told Story::combine(std::string_view stage, const std::vector<uint64_t>& runs) {
  return tell([&](schema::Command::Builder command) {
    auto wanted = command.getBody().initRequestCombination();
    wanted.setInstrument("MARI");
    wanted.setStage(std::string(stage));
    auto list = wanted.initRuns(static_cast<uint32_t>(runs.size()));
    for (uint32_t i = 0; i < runs.size(); ++i) list.set(i, runs[i]);
  });
}

Told Story::queue_stage(std::string_view stage, const std::vector<uint64_t>& runs,
                        const std::function<void(schema::JobQueued::Builder)>& fill, uint64_t cause) {
  const auto rule = ledger::find_stage(rows_, "MARI", stage);
  const std::string experiment(view(run(runs.front()).get().getExperiment()));
  Sources sources;
  if (rule) {
    sources = sources_of(rows_, rule->get().getRule(), runs, experiment);
    auto result = ledger::find_stage_result(rows_, "MARI", stage, ledger::stage_group(rule->get().getRule().getOver(), runs, experiment));
    if (cause == 0 && result) cause = result->get().getPendingRequest();
  }
  if (cause == 0) cause = sources.newest;
  return tell(
      [&](schema::Command::Builder command) {
        put_blobs(command, {std::string(kScript), sources.document});
        auto queued = command.getBody().initQueueJob();
        queued.setKind(schema::JobKind::STAGE);
        queued.setStage(std::string(stage));
        set_runs(queued, runs);
        set_script(queued);
        queued.setExperiment(experiment);
        queued.setOutputDirectory("/reduced/MARI/{stage}/" + experiment + "/" + std::to_string(runs.front()) + "-" +
                                  std::to_string(runs.back()) + "/{version}");
        queued.setPriority(15);
        if (rule && rule->get().getRule().getAfter().size() > 0) queued.setSources(sha(hash_of(sources.document)));
        if (fill) fill(queued);
      },
      cause);
}

Told Story::try_script(uint64_t number, const std::function<void(schema::TrialRequested::Builder)>& fill) {
  return tell([&](schema::Command::Builder command) {
    put_blobs(command, {"a script"});
    auto wanted = command.getBody().initRequestTrial();
    wanted.initRun().setInstrument("MARI");
    wanted.getRun().setRunNumber(number);
    wanted.setScriptPath("/home/alice/reduce.py");
    wanted.setScriptSha256(sha(hash_of("a script")));
    if (fill) fill(wanted);
  });
}

Told Story::queue_trial(uint64_t number, uint64_t cause, const std::function<void(schema::JobQueued::Builder)>& fill) {
  auto row = ledger::find_run(rows_, "MARI", number);
  return tell(
      [&](schema::Command::Builder command) {
        put_blobs(command, {std::string(kScript)});
        auto queued = command.getBody().initQueueJob();
        queued.setKind(schema::JobKind::TRIAL);
        set_runs(queued, {number});
        set_script(queued);
        if (row) queued.setInputs(row->get().getRawFiles());
        queued.setOutputDirectory("/trials/{job}");
        queued.setPriority(12);
        if (fill) fill(queued);
      },
      cause);
}

Told Story::start_campaign(const std::vector<uint64_t>& runs, const std::function<void(schema::CampaignStarted::Builder)>& fill) {
  const std::string plan = document<schema::CampaignPlan>([&](schema::CampaignPlan::Builder builder) {
    auto list = builder.initRuns(static_cast<uint32_t>(runs.size()));
    for (uint32_t i = 0; i < runs.size(); ++i) {
      list[i].initRun().setInstrument("MARI");
      list[i].getRun().setRunNumber(runs[i]);
    }
  });
  return tell([&](schema::Command::Builder command) {
    put_blobs(command, {plan});
    auto started = command.getBody().initStartCampaign();
    started.setPurpose("new calibration");
    started.setSelection("MARI, some runs");
    started.setPlan(sha(hash_of(plan)));
    if (fill) fill(started);
  });
}

Told Story::queue_for(uint64_t campaign, uint64_t number) {
  return queue(number, [&](schema::JobQueued::Builder queued) {
    queued.setCampaign(campaign);
    queued.setPriority(30);
  }, campaign);
}

Told Story::pass(uint64_t campaign, uint64_t number, std::string_view code) {
  return tell([&](schema::Command::Builder command) {
    auto passed = command.getBody().initPassCampaignRun();
    passed.setCampaign(campaign);
    passed.initRun().setInstrument("MARI");
    passed.getRun().setRunNumber(number);
    passed.initReason().setCode(std::string(code));
    passed.getReason().setText("it is so");
  });
}

Told Story::pause_campaign(uint64_t campaign, std::string_view text) {
  return tell([&](schema::Command::Builder command) {
    auto paused = command.getBody().initPauseCampaign();
    paused.setCampaign(campaign);
    paused.initReason().setText(std::string(text));
  });
}
Told Story::resume_campaign(uint64_t campaign) {
  return tell([&](schema::Command::Builder command) { command.getBody().initResumeCampaign().setCampaign(campaign); });
}
Told Story::stop_campaign(uint64_t campaign, bool keep_queued) {
  return tell([&](schema::Command::Builder command) {
    auto stopped = command.getBody().initStopCampaign();
    stopped.setCampaign(campaign);
    stopped.setKeepQueued(keep_queued);
  });
}
Told Story::finish_campaign(uint64_t campaign) {
  return tell([&](schema::Command::Builder command) { command.getBody().initFinishCampaign().setCampaign(campaign); });
}

ledger::Row<schema::CampaignRow> Story::campaign(uint64_t id) const {
  auto row = ledger::find_campaign(rows_, id);
  if (!row) throw std::logic_error("no campaign " + std::to_string(id));
  return std::move(*row);
}

ledger::Row<schema::StageResultRow> Story::stage_result(std::string_view stage, const std::vector<uint64_t>& runs,
                                                        std::string_view experiment) const {
  auto rule = ledger::find_stage(rows_, "MARI", stage);
  if (!rule) throw std::logic_error("no stage " + std::string(stage));
  auto row = ledger::find_stage_result(rows_, "MARI", stage, ledger::stage_group(rule->get().getRule().getOver(), runs, experiment));
  if (!row) throw std::logic_error("no result of " + std::string(stage));
  return std::move(*row);
}

}  // namespace rules_test
