// coordinatord against a real ledger in process, with one instrument and its script; what workers would do is done in a line.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/program.h"
#include "daemons/coordinator/coordinator.h"
#include "schema/document.capnp.h"
#include "tests/support/served_ledger.h"

namespace coordinator_test {

using Body = schema::Command::Body;
using base::Code;
using schema::RunState;
using testing::HasSubstr;

class Coordinated : public testing::Test {
 protected:
  Coordinated() {
    spdlog::set_level(spdlog::level::off);
    write("reduce.py", "def main(input_file, output_dir):\n    pass\n");
    configure("MARI", "reduce.py");
    start();
  }
  ~Coordinated() noexcept override {}

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((served.folder / name).parent_path());
    std::ofstream(served.folder / name) << text;
  }
  using Configure = std::function<void(schema::InstrumentConfigured::Builder)>;
  void configure(const std::string& name, const std::string& script, const Configure& fill = {}) {
    auto command = support::configure_instrument(id("configure"), name);
    auto config = command.get().getBody().getConfigureInstrument();
    config.setScriptPath((served.folder / script).string());
    if (fill) fill(config);
    served.must(command);
  }
  void start() {
    daemons::Coordinator::Settings settings{base::shared_file("run_script.py"), served.folder / "scratch", served.folder / "trials", campaigns};
    settings.look_again_ms = look_again_ms;
    coordinator = std::make_unique<daemons::Coordinator>(served.loop, served.session(), settings, *launcher);
    running = coordinator->run().eagerlyEvaluate(nullptr);
  }
  void stop() {
    running = nullptr;
    coordinator.reset();
  }
  void restart() {
    stop();
    start();
  }
  void refuse(std::function<bool(Body::Reader)> which) {
    served.refuses = [which](schema::Command::Reader command) {
      return which(command.getBody()) ? base::Status(Code::kInvalidArgument, "the test refuses it") : base::Status();
    };
  }

  std::string raw_path(uint64_t number, const std::string& instrument = "MARI") const {
    return (served.folder / "raw" / (instrument + std::to_string(number) + ".nxs")).string();
  }
  /// A run whose raw file is there.
  void detect_only(uint64_t number, const std::string& experiment = "2010001", const std::string& instrument = "MARI") {
    write("raw/" + instrument + std::to_string(number) + ".nxs", "raw bytes");
    auto command = support::detect_run(id("detect"), instrument, number, experiment);
    command.get().getBody().getDetectRun().getFiles()[0].setPath(raw_path(number, instrument));
    served.must(command);
  }
  /// The coordinator has reacted to it, and to all of its instrument before, when this returns.
  void detect(uint64_t number, const std::string& experiment = "2010001", const std::string& instrument = "MARI") {
    detect_only(number, experiment, instrument);
    served.until([&] { return run(number, instrument).get().getState() != RunState::DETECTED; });
  }
  using Ask = std::function<void(schema::ReductionRequested::Builder)>;
  uint64_t request(uint64_t number, const Ask& fill = {}) {
    support::CommandMessage command(id("request"));
    auto wanted = command.get().getBody().initRequestReduction();
    wanted.initRun().setInstrument("MARI");
    wanted.getRun().setRunNumber(number);
    wanted.setScript(schema::ReductionRequested::ScriptChoice::CURRENT);
    if (fill) fill(wanted);
    return served.must(command);
  }
  /// Asks, and answers the job that was made; nullopt = it was declined.
  std::optional<ledger::Row<schema::JobRow>> rerun(uint64_t number, const Ask& fill = {}) {
    const size_t before = run(number).get().getJobs().size();
    request(number, fill);
    served.until([&] { return run(number).get().getPendingRequest() == 0; });
    if (run(number).get().getJobs().size() == before) return std::nullopt;
    return job(run(number).get().getJob());
  }
  using Change = std::function<void(schema::VariablesSet::Builder)>;
  uint64_t set_variable(const std::string& name, const std::string& json, const Change& fill = {}) {
    support::CommandMessage command(id("set"));
    auto change = command.get().getBody().initSetVariables();
    change.setInstrument("MARI");
    auto value = change.initVariables(1)[0];
    value.setName(name);
    value.setValue(json);
    if (fill) fill(change);
    return served.must(command);
  }

  /// What a worker would do with it.
  uint64_t begin(uint64_t job) {
    if (!joined_) served.must(support::join_worker(id("join"), "w1", 1000));
    joined_ = true;
    return served.must(support::start_attempt(id("start"), job, "w1"));
  }
  uint64_t succeed(uint64_t job) { return end(job, begin(job)); }
  uint64_t end(uint64_t job, uint64_t fence) {
    auto command = support::succeed_attempt(id("succeed"), job, 1, fence);
    const std::string manifest = ledger::canonical_bytes(capnp::MallocMessageBuilder().initRoot<schema::OutputManifest>().asReader());
    const base::Sha256 hash = command.blob(manifest);
    auto outputs = command.get().getBody().getSucceedAttempt().getOutputs();
    outputs.setManifest(support::data(hash));
    outputs.setFiles(0);
    outputs.setTotalBytes(0);
    outputs.setDirectory(this->job(job).get().getQueued().getOutputDirectory());
    served.must(command);
    return served.must(support::publish_job(id("publish"), job, 1, fence));
  }
  void fail(uint64_t job) {
    const uint64_t fence = begin(job);
    support::CommandMessage command(id("fail"));
    auto failed = command.get().getBody().initFailAttempt();
    failed.setJob(job);
    failed.setAttempt(1);
    failed.setFence(fence);
    failed.setKind(schema::FailureKind::SCRIPT_EXCEPTION);
    failed.setMessage("ValueError: no monitor");
    served.must(command);
  }
  void cancel(uint64_t job) {
    support::CommandMessage command(id("cancel"));
    command.get().getBody().initCancelJob().setJob(job);
    served.must(command);
  }
  /// A run that is detected and reduced.
  void reduce(uint64_t number, const std::string& experiment = "2010001", const std::string& instrument = "MARI") {
    detect(number, experiment, instrument);
    succeed(run(number, instrument).get().getJob());
  }

  ledger::Row<schema::RunRow> run(uint64_t number, const std::string& instrument = "MARI") {
    return *ledger::find_run(*served.ledger->snapshot(), instrument, number);
  }
  ledger::Row<schema::JobRow> job(uint64_t id) { return *ledger::find_job(*served.ledger->snapshot(), id); }
  RunState state(uint64_t number, const std::string& instrument = "MARI") { return run(number, instrument).get().getState(); }
  std::string reason(uint64_t number) { return run(number).get().getReason().getCode().cStr(); }
  std::string sentence(uint64_t number) { return run(number).get().getReason().getText().cStr(); }
  std::string last_problem(uint64_t number) {
    auto row = run(number);
    auto problems = row.get().getProblems();
    return problems.size() == 0 ? "" : problems[problems.size() - 1].cStr();
  }
  std::string script_of(const ledger::Row<schema::JobRow>& job) { return blob(job.get().getQueued().getScriptSha256()); }
  std::string blob(capnp::Data::Reader sha256) { return served.ledger->snapshot()->blob(ledger::view(sha256)).value_or(""); }
  /// "mon = 1, ..."
  std::string values_of(const ledger::Row<schema::JobRow>& job) {
    std::string document = blob(job.get().getQueued().getVariables()), text;
    if (document.empty()) return text;
    ledger::Row<schema::VariableSet> set(document);
    for (auto variable : set.get().getVariables()) {
      text += (text.empty() ? "" : ", ") + std::string(variable.getName().cStr()) + " = " + variable.getValue().cStr();
    }
    return text;
  }
  std::string id(const std::string& what) { return what + "-" + std::to_string(next_id_++); }

  support::ServedLedger served;
  daemons::CampaignSettings campaigns;
  uint64_t look_again_ms = 3'600'000;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(served.loop);
  std::unique_ptr<daemons::Coordinator> coordinator;
  kj::Promise<void> running = nullptr;

 private:
  uint64_t next_id_ = 0;
  bool joined_ = false;
};

}  // namespace coordinator_test
