// Command lines against a ledger that serves what the test puts into it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tests/tools/fake_session.h"

namespace fake {

using nlohmann::json;

class CommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    unsetenv("RUNLEDGER_CONNECT");
    ledger.add_instrument("MARI");
    ledger.add_instrument("SANS2D");
  }

  Ran command(std::vector<std::string> arguments) { return run(ledger, std::move(arguments)); }
  json json_of(std::vector<std::string> arguments, int exit_code = 0) {
    arguments.push_back("--json");
    Ran ran = command(std::move(arguments));
    EXPECT_EQ(ran.exit_code, exit_code) << ran.err;
    EXPECT_TRUE(base::is_utf8(ran.out));
    json parsed = json::parse(ran.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << ran.out;
    return parsed;
  }

  void add_variable(Message<schema::VariableSet>& set, const char* name, const char* value, schema::Variable::Group group,
                    schema::ResolvedVariable::Rule rule = schema::ResolvedVariable::Rule::SCRIPT_DEFAULT) {
    auto old = capnp::clone(set.read());
    auto list = set.get().initVariables(old->getVariables().size() + 1);
    for (uint32_t i = 0; i < old->getVariables().size(); ++i) list.setWithCaveats(i, old->getVariables()[i]);
    auto variable = list[list.size() - 1];
    variable.setName(name);
    variable.setValue(value);
    variable.setGroup(group);
    variable.setRule(rule);
    if (rule == schema::ResolvedVariable::Rule::SCRIPT_DEFAULT) return;
    variable.setSetBy("alice");
    variable.setSetAt(kNoon);
    variable.setSetSeq(1);
  }

  /// MARI 28001 v1: detected, queued, one attempt, one output; variable mon set from run 28000.
  void add_reduced_run() {
    auto set_event = ledger.add_event("alice");
    set_event.getBody().initVariablesSet().setInstrument("MARI");
    set_event.getBody().getVariablesSet().getScope().setFromRun(28000);
    auto setting = set_event.getBody().getVariablesSet().initVariables(1)[0];
    setting.setName("mon");
    setting.setValue("2");
    auto detected = ledger.add_event("monitord").getBody().initRunDetected();
    detected.getRun().setInstrument("MARI");
    detected.getRun().setRunNumber(28001);

    auto run_row = ledger.add_run("MARI", 28001);
    run_row.setTitle("vanadium");
    run_row.setExperiment("2010001");
    run_row.setStartedAt(kNoon + 2 * kSecond);
    run_row.setFinishedAt(kNoon + 5 * kSecond);
    auto file = run_row.initRawFiles(1)[0];
    file.setPath("/archive/MAR28001.nxs");
    file.setSizeBytes(4096);
    file.setSha256(as_data(raw_hash));
    auto metadata = run_row.getMetadata();
    metadata.getStartTime().setKnown(true);
    metadata.getStartTime().setValue(kNoon - 3600 * kSecond);
    metadata.getEndTime().setKnown(true);
    metadata.getEndTime().setZoned(true);
    metadata.getEndTime().setValue(kNoon - 60 * kSecond);
    metadata.getProtonCharge().setKnown(true);
    metadata.getProtonCharge().setValue(12.5);
    metadata.getProtonCharge().setUnit("uAh");
    metadata.getGoodFrames().setRaw("lots");
    metadata.initUsers(1).set(0, "A. Scientist");

    script_hash = ledger.add_blob("def main(input_file, output_dir):\n    pass\n");
    add_variable(variables, "mon", "2", schema::Variable::Group::STANDARD, schema::ResolvedVariable::Rule::FROM_RUN);
    add_variable(variables, "verbose", "true", schema::Variable::Group::ADVANCED);
    Message<schema::OutputManifest> manifest;
    auto output = manifest.get().initFiles(1)[0];
    output.setPath("sub/MARI28001.nxs");
    output.setSizeBytes(7);
    output.setSha256(as_data(raw_hash));
    Message<schema::Environment> environment;
    environment.get().setHost("node1");
    environment.get().setInterpreterPath("/usr/bin/python3");

    auto job = ledger.add_version(1);
    job.setQueuedAt(kNoon + kSecond);
    job.getRequestedBy().setName("coordinatord");
    auto queued = job.getQueued();
    queued.setContract(schema::Contract::ISIS);
    queued.setScriptPath("/scripts/reduce.py");
    queued.setScriptSha256(as_data(script_hash));
    queued.setVariables(as_data(ledger.add_document(variables)));
    queued.setOutputDirectory("/out/run-version-1");
    queued.setInputs(run_row.getRawFiles().asReader());
    auto attempt = job.initAttempts(1)[0];
    attempt.setNumber(1);
    attempt.setWorker("w1");
    attempt.setStartedAt(kNoon + 2 * kSecond);
    attempt.setFinishedAt(kNoon + 5 * kSecond);
    attempt.setOutcome(schema::AttemptRow::Outcome::SUCCEEDED);
    attempt.getOutputs().setManifest(as_data(ledger.add_document(manifest)));
    attempt.getOutputs().setFiles(1);
    attempt.setEnvironment(as_data(ledger.add_document(environment)));
    attempt.setLog(as_data(ledger.add_blob("first line\nlast line\n")));
    job.setJob(3);
    run_row.setJob(3);

    auto queued_event = ledger.add_event();
    queued_event.setCause(2);
    queued_event.getBody().initJobQueued().initRuns(1).setWithCaveats(0, detected.getRun().asReader());
    queued_event.getBody().getJobQueued().setVersion(1);
    queued_event.getBody().getJobQueued().getReason().setCode("new_run");
    queued_event.getBody().getJobQueued().getReason().setText("MARI 28001 is new and its instrument has a script");
    auto started = ledger.add_event("workerd/w1").getBody().initAttemptStarted();
    started.setJob(3);
    started.setAttempt(1);
    started.setWorker("w1");
    started.setHost("node1");
    ledger.add_event("workerd/w1").getBody().initJobSucceeded().setJob(3);
  }

  /// What happens once somebody waits for a re-run of MARI 28001: v2 is queued and ends. The job it will be.
  uint64_t end_next_version(schema::RunState state, const char* reason) {
    ledger.runs[0].get().setPendingRequest(901);
    uint64_t job = ledger.events.size() + 1;
    ledger.live.push_back([this, state, reason, job] {
      auto row = ledger.add_version(2, state);
      row.setJob(job);
      row.getReason().setText(reason);
      auto run = ledger.runs[0].get();
      run.setPendingRequest(0);
      auto event = ledger.add_event();
      event.setCause(901);
      event.getBody().initJobQueued().initRuns(1).setWithCaveats(0, run.getRun().asReader());
      event.getBody().getJobQueued().setVersion(2);
      ledger.add_event().getBody().initJobFailed().setJob(job);  // any end; the row says which
    });
    return job;
  }

  Ledger ledger;
  Message<schema::VariableSet> variables;
  std::string script_hash;
  const std::string raw_hash = std::string(32, '\xab');
};

}  // namespace fake
