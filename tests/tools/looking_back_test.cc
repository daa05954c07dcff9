// --at, blame, dry runs, diff, missing runs and causes: what the record is asked about itself.
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class LookingBackTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    past.add_instrument("MARI");
    past.add_run("MARI", 1).setTitle("as it was");
    past.status.get().setFacility("Test");
    ledger.past = &past;
    ledger.add_run("MARI", 1).setTitle("as it is");
  }
  Ledger past;
};

TEST_F(LookingBackTest, EveryReadingCommandReadsThePast) {
  EXPECT_EQ(json_of({"runs", "--at", "7"})[0]["title"], "as it was");
  EXPECT_EQ(json_of({"--at", "7", "show", "MARI", "1"})["title"], "as it was");
  EXPECT_EQ(json_of({"runs"})[0]["title"], "as it is");
  EXPECT_THAT(ledger.asked, ElementsAre("at event 7", "at event 7"));
}

TEST_F(LookingBackTest, PeopleAreToldFirstAndObjectsCarryIt) {
  EXPECT_THAT(command({"runs", "--at", "7"}).out, StartsWith("as of event 7, 2026-11-01T12:00:00Z\n\n"));
  const json at = {{"event", 7}, {"time", "2026-11-01T12:00:00.000000000Z"}};
  EXPECT_EQ(json_of({"show", "MARI/1", "--at", "7"})["at"], at);
  EXPECT_EQ(json_of({"status", "--at", "7"})["at"], at);
  EXPECT_FALSE(json_of({"show", "MARI/1"}).contains("at"));
}

TEST_F(LookingBackTest, TimesAreSentAsUtcAndAMissingZoneIsSaid) {
  Ran ran = command({"runs", "--at", "2026-11-01T13:00+01:00"});
  EXPECT_THAT(ran.err, IsEmpty());
  ran = command({"runs", "--at", "2026-11-01 12:00"});
  EXPECT_THAT(ran.err, HasSubstr("no zone is named; taken as UTC"));
  EXPECT_EQ(command({"runs", "--at", "-2h"}).exit_code, 0);
  const std::string noon = "at time " + std::to_string(kNoon);
  ASSERT_EQ(ledger.asked.size(), 3u);
  EXPECT_EQ(ledger.asked[0], noon);
  EXPECT_EQ(ledger.asked[1], noon);
}

TEST_F(LookingBackTest, BeforeTheFirstEventNothingIsFound) {
  ledger.past = nullptr;
  Ran ran = command({"runs", "--at", "2020-01-01"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("nothing was recorded"));
}

TEST_F(LookingBackTest, WhatIsNoMomentIsAUsageError) {
  Ran ran = command({"runs", "--at", "yesterday"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("'yesterday' is neither a time nor an event"));
}

TEST_F(LookingBackTest, ChangesAndByteStreamsRefuseAt) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"rerun", "MARI/1"},
                                                                                     {"cancel", "MARI/1"},
                                                                                     {"pause", "MARI"},
                                                                                     {"resume", "MARI"},
                                                                                     {"vars", "set", "MARI", "mon=1", "--default"},
                                                                                     {"vars", "clear", "MARI", "--default"},
                                                                                     {"watch"},
                                                                                     {"log", "MARI/1"},
                                                                                     {"script", "show", "MARI"},
                                                                                     {"version"}}) {
    std::vector<std::string> line = {"--at", "7"};
    line.insert(line.end(), words.begin(), words.end());
    Ran ran = command(line);
    EXPECT_EQ(ran.exit_code, 2) << words[0];
    EXPECT_THAT(ran.err, HasSubstr("--at does nothing with " + words[0]));
  }
  EXPECT_THAT(ledger.asked, IsEmpty());
}

TEST_F(CommandsTest, BlameListsEachValueWithItsRunsAsRanges) {
  auto by_script = ledger.values.emplace_back().get();
  by_script.setFromScript(true);
  by_script.getRule().getVariable().setValue("1");
  by_script.getRule().setSeq(3);
  auto value = ledger.values.emplace_back().get();
  value.getRule().getVariable().setName("mon");
  value.getRule().getVariable().setValue("2");
  value.getRule().getScope().setFromRun(28000);
  value.getRule().setSetBy("alice");
  value.getRule().setSetAt(kNoon);
  value.getRule().setSeq(17);
  value.getRule().setComment("monitor 1 is dead");
  value.setEndedSeq(40);
  value.setVersionCount(1005);
  auto versions = value.initVersions(4);
  for (uint32_t i = 0; i < 4; ++i) {
    versions[i].getRun().setRunNumber(i == 3 ? 28001 : 28000 + i);
    versions[i].setVersion(i == 3 ? 2 : 1);
  }
  const std::string text = command({"vars", "blame", "MARI", "mon"}).out;
  EXPECT_THAT(text, HasSubstr("28000-28002 and 1001 more versions"));
  EXPECT_THAT(text, HasSubstr("event 40"));
  EXPECT_THAT(text, HasSubstr("script default"));
  EXPECT_THAT(text, HasSubstr("monitor 1 is dead"));
  json values = json_of({"vars", "blame", "mari", "mon"});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0]["scope"]["kind"], "script_default");
  EXPECT_TRUE(values[0]["ended_event"].is_null());
  EXPECT_EQ(values[1]["set_by"], "alice");
  EXPECT_EQ(values[1]["ended_event"], 40);
  EXPECT_EQ(values[1]["version_count"], 1005);
  EXPECT_EQ(values[1]["versions"][3]["version"], 2);
  EXPECT_EQ(ledger.asked.back(), "blame MARI mon");
}

TEST_F(CommandsTest, BlameOfAVariableThatNeverWasFindsNothing) {
  Ran ran = command({"vars", "blame", "MARI", "none"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("no variable none was ever set"));
}

TEST_F(CommandsTest, DryRunAsksForThePreviewAndChangesNothing) {
  auto effect = ledger.effect.get();
  effect.setConsidered(12);
  effect.setChangeCount(3);
  auto changes = effect.initChanges(3);
  for (uint32_t i = 0; i < 3; ++i) {
    changes[i].getRun().setInstrument("MARI");
    changes[i].getRun().setRunNumber(28001 + i);
    changes[i].setName("mon");
    changes[i].setBefore("1");
    changes[i].setAfter("2");
  }
  effect.initComing(1).set(0, "mon = 2: for every coming run");
  Ran ran = command({"vars", "set", "MARI", "mon=2", "--from-run", "28000", "--dry-run"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("mon = 2: for every coming run\nof 12 runs in that scope 3 would get another value"));
  EXPECT_THAT(ran.out, HasSubstr("28001-28003"));
  EXPECT_THAT(ledger.asked, ElementsAre("preview MARI from 28000 to 0 standard.mon=2"));
  json dry = json_of({"vars", "set", "MARI", "mon=2", "--default", "--dry-run"});
  EXPECT_EQ(dry["changes"][0], json::parse(R"({"instrument": "MARI", "run_number": 28001, "name": "mon", "before": 1, "after": 2})"));
  EXPECT_EQ(dry["problems"], json::array());
}

TEST_F(CommandsTest, DryRunOfWhatWouldBeRefusedSaysWhyAndFails) {
  ledger.effect.get().initProblems(1).set(0, "MARI has 10000 settings");
  Ran ran = command({"vars", "set", "MARI", "mon=2", "--default", "--dry-run"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("would be refused: MARI has 10000 settings"));
}

class DiffTest : public CommandsTest {
 protected:
  /// MARI 28001 v2, like v1 but for what `change` does.
  void add_second(const std::function<void(schema::JobRow::Builder)>& change) {
    add_reduced_run();
    auto first = capnp::clone(ledger.jobs[0].read());
    auto row = ledger.jobs.emplace_back().get();
    row.setQueued(first->getQueued());
    row.setAttempts(first->getAttempts());
    row.setState(first->getState());
    row.setJob(9);
    row.getQueued().setVersion(2);
    row.getQueued().getReason().setText("asked for by alice");
    change(row);
  }
};

TEST_F(DiffTest, EqualVersionsDifferInNothingThatCounts) {
  add_second([](schema::JobRow::Builder job) { job.getAttempts()[0].setFinishedAt(kNoon + 60 * kSecond); });
  Ran ran = command({"diff", "MARI/28001/v1", "MARI/28001/v2"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("MARI 28001 v1: succeeded, took 3.0 s"));
  EXPECT_THAT(ran.out, HasSubstr("took 58.0 s; asked for by alice"));
  EXPECT_THAT(ran.err, HasSubstr("they do not differ"));
  json same = json_of({"diff", "MARI/28001/v1", "MARI/28001/v2"});
  EXPECT_EQ(same["same"], true);
  EXPECT_EQ(same["a"]["duration_ns"], 3 * kSecond);
  EXPECT_EQ(same["b"]["reason"], "asked for by alice");
  for (const char* part : {"scripts", "variables", "environment", "inputs", "outputs", "outcome"}) EXPECT_EQ(same[part], json::array()) << part;
}

TEST_F(DiffTest, EachPartThatDiffersIsNamed) {
  Message<schema::VariableSet> other;
  Message<schema::OutputManifest> manifest;
  Message<schema::Environment> environment;
  add_second([&](schema::JobRow::Builder job) {
    add_variable(other, "mon", "3", schema::Variable::Group::STANDARD, schema::ResolvedVariable::Rule::GIVEN);
    auto queued = job.getQueued();
    queued.setVariables(as_data(ledger.add_document(other)));
    queued.setScriptSha256(as_data(ledger.add_blob("def main(input_file, output_dir):\n    print(1)\n")));
    auto sibling = queued.initSiblings(1)[0];
    sibling.setName("reduce_vars.py");
    sibling.setSha256(as_data(ledger.add_blob("standard_vars = {}\n")));
    auto file = queued.initInputs(1)[0];
    file.setPath("/elsewhere/MAR28001.nxs");
    file.setSizeBytes(4097);
    file.setSha256(as_data(raw_hash));
    auto output = manifest.get().initFiles(1)[0];
    output.setPath("new.txt");
    output.setSha256(as_data(raw_hash));
    job.getAttempts()[0].getOutputs().setManifest(as_data(ledger.add_document(manifest)));
    environment.get().setHost("node2");
    environment.get().setInterpreterPath("/usr/bin/python3");
    environment.get().initVariables(1).set(0, "OMP_NUM_THREADS=4");
    job.getAttempts()[0].setEnvironment(as_data(ledger.add_document(environment)));
  });
  json diff = json_of({"diff", "MARI/28001/v1", "MARI/28001/v2"}, 1);
  EXPECT_EQ(diff["same"], false);
  ASSERT_EQ(diff["scripts"].size(), 2u);
  EXPECT_TRUE(diff["scripts"][0]["name"].is_null());
  EXPECT_THAT(diff["scripts"][0]["diff"].get<std::string>(), HasSubstr("-    pass\n+    print(1)"));
  EXPECT_TRUE(diff["scripts"][1]["a_sha256"].is_null());
  EXPECT_THAT(diff["scripts"][1]["diff"].get<std::string>(), HasSubstr("+standard_vars = {}"));
  EXPECT_EQ(diff["variables"], json::parse(R"([
      {"name": "advanced.verbose", "in_a": true, "a": true, "in_b": false, "b": null},
      {"name": "standard.mon", "in_a": true, "a": 2, "in_b": true, "b": 3}])"));
  EXPECT_EQ(diff["environment"], json::parse(R"([
      {"name": "$OMP_NUM_THREADS", "in_a": false, "a": null, "in_b": true, "b": "4"},
      {"name": "host", "in_a": true, "a": "node1", "in_b": true, "b": "node2"}])"));
  EXPECT_EQ(diff["inputs"][0]["name"], "MAR28001.nxs");
  EXPECT_EQ(diff["outputs"].size(), 2u);
  EXPECT_EQ(diff["outcome"], json::array());

  Ran ran = command({"diff", "MARI/28001/v1", "MARI/28001"});
  EXPECT_EQ(ran.exit_code, 1);
  for (const char* part : {"script\n", "script file reduce_vars.py", "-    pass", "variables\n", "environment\n", "inputs\n", "outputs\n", "node2"})
    EXPECT_THAT(ran.out, HasSubstr(part));
}

TEST_F(DiffTest, VersionThatIsNotThereIsNotFound) {
  add_reduced_run();
  EXPECT_EQ(command({"diff", "MARI/28001/v1", "MARI/28001/v5"}).exit_code, 1);
  EXPECT_EQ(command({"diff", "MARI/28001/v1"}).exit_code, 2);
}

TEST_F(CommandsTest, MissingRunsAreListedOverPagesWithWhatIsKnown) {
  uint64_t seq = 0;
  for (uint64_t number : {1, 2, 3, 6}) ledger.add_run("MARI", number).setDetectedSeq(number == 6 ? 9 : ++seq);
  auto refused = ledger.add_run("MARI", 7, schema::RunState::REFUSED);
  refused.getReason().setText("not HDF5");
  refused.getReason().setCode("not_hdf5");
  refused.setDetectedSeq(10);
  ledger.add_run("MARI", 8).setDetectedSeq(11);
  ledger.add_run("SANS2D", 22048);
  for (int i = 0; i < 5; ++i) ledger.add_event("monitord").getBody().initRawFileRefused().setInstrument("MARI");
  auto nameless = ledger.events[4].get().getBody().getRawFileRefused();
  nameless.getFile().setPath("/archive/lost.nxs");
  nameless.getReason().setCode("no_run_number");
  nameless.getReason().setText("no number");
  for (int i : {0, 1, 2, 3}) ledger.events[i].get().getBody().getRawFileRefused().setRunNumber(99);
  auto daemon = ledger.status.get().initDaemons(1)[0];
  daemon.setName("monitord");
  daemon.setDetail("1 folder, 1 file waiting");

  json missing = json_of({"runs", "--missing"});
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(missing[0]["first"], 4);
  EXPECT_EQ(missing[0]["last"], 5);
  EXPECT_EQ(missing[0]["before"]["run_number"], 3);
  EXPECT_EQ(missing[0]["after"]["run_number"], 6);
  EXPECT_EQ(missing[0]["refused"], json::array());
  ASSERT_EQ(missing[0]["refused_without_number"].size(), 1u);
  EXPECT_EQ(missing[0]["refused_without_number"][0]["path"], "/archive/lost.nxs");
  EXPECT_EQ(missing[1]["refused"][0]["reason_code"], "not_hdf5");
  EXPECT_EQ(json_of({"runs", "MARI", "--missing"}), missing);
  Ran ran = command({"runs", "--missing"});
  EXPECT_THAT(ran.out, HasSubstr("4-5"));
  EXPECT_THAT(ran.out, HasSubstr("7 refused: not HDF5"));
  EXPECT_THAT(ran.err, HasSubstr("monitord says: 1 folder, 1 file waiting"));
  EXPECT_EQ(command({"runs", "SANS2D", "--missing"}).exit_code, 1);
  EXPECT_EQ(command({"runs", "MARI", "1-5", "--missing"}).exit_code, 2);
  EXPECT_EQ(command({"runs", "--missing", "--state", "failed"}).exit_code, 2);
}

TEST_F(CommandsTest, ExplainNamesCausesThatAreNotAboutTheRun) {
  add_reduced_run();
  auto held = ledger.add_event();
  held.setCause(1);  // the setting, which is about the instrument
  held.getBody().initJobHeld().setJob(3);
  held.getBody().getJobHeld().getReason().setText("MARI 28001 is held");
  auto failed = ledger.add_event("workerd/w1").getBody().initAttemptFailed();
  failed.setJob(3);
  failed.setKind(schema::FailureKind::WORKER);
  failed.setWillRetry(true);
  json events = json_of({"explain", "MARI", "28001"});
  const json& of_held = events[events.size() - 2];
  EXPECT_EQ(of_held["cause"], 1);
  EXPECT_EQ(of_held["cause_kind"], "variablesSet");
  EXPECT_THAT(of_held["cause_text"].get<std::string>(), HasSubstr("mon = 2 set for"));
  EXPECT_TRUE(events[0]["cause_kind"].is_null());
  EXPECT_EQ(events.back()["code"], "attempt_failed");
  EXPECT_THAT(command({"explain", "MARI", "28001"}).out, HasSubstr("1 variables set"));
}

}  // namespace
}  // namespace fake
