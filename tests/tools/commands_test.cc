// Command lines against a ledger that serves what the test puts into it: results, messages, exit codes, what was asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST_F(CommandsTest, RunsJsonHasEveryFieldOfTheContract) {
  add_reduced_run();
  json runs = json_of({"runs"});
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0], json::parse(R"({"instrument": "MARI", "run_number": 28001, "experiment": "2010001", "title": "vanadium",
      "state": "succeeded", "version": 1, "job": 3, "detected_at": "2026-11-01T12:00:00.000000000Z",
      "started_at": "2026-11-01T12:00:02.000000000Z",
      "finished_at": "2026-11-01T12:00:05.000000000Z", "raw_files": [{"path": "/archive/MAR28001.nxs", "size_bytes": 4096,
      "sha256": "abababababababababababababababababababababababababababababababab"}], "problems": [], "reason": null,
      "reason_code": null, "reason_event": null})"));
}

TEST_F(CommandsTest, LedgerIsWhereTheEnvironmentSaysUnlessTheCommandLineSaysWhere) {
  setenv("RUNLEDGER_CONNECT", "unix:/nowhere", 1);
  const Ran there = command({"status"});
  const Ran named = command({"status", "--connect", kAddress});
  const Ran of_site = command({"status", "--site", "/srv/runledger"});
  unsetenv("RUNLEDGER_CONNECT");
  EXPECT_EQ(there.exit_code, 2);
  EXPECT_THAT(there.err, HasSubstr("no ledger is listening at unix:/nowhere"));
  EXPECT_EQ(named.exit_code, 0) << named.err;
  EXPECT_EQ(of_site.exit_code, 0) << of_site.err;
}

TEST_F(CommandsTest, UnknownIsNullAndNotZero) {
  ledger.add_run("MARI", 5);
  json row = json_of({"runs"})[0];
  for (const char* field : {"experiment", "title", "version", "job", "started_at", "finished_at", "reason"}) EXPECT_TRUE(row[field].is_null()) << field;
  json run = json_of({"show", "MARI", "5"})["run"];
  for (const char* field : {"start_time", "end_time", "proton_charge", "total_counts", "raw_frames", "users"})
    EXPECT_TRUE(run[field].is_null()) << field;
}

TEST_F(CommandsTest, JsonIsUtf8WhateverATitleHolds) {
  ledger.add_run("MARI", 5).setTitle("bad \xff byte \x1b[2J");
  EXPECT_EQ(json_of({"runs"})[0]["title"], "bad \\xff byte \x1b[2J");
}

TEST_F(CommandsTest, RunsListsEveryPage) {
  for (uint64_t number = 1; number <= 5; ++number) ledger.add_run("MARI", number);
  EXPECT_EQ(json_of({"runs"}).size(), 5u);
  EXPECT_EQ(json_of({"runs", "--limit", "3"}).size(), 3u);
  EXPECT_EQ(json_of({"runs", "MARI", "2-3,5"}).size(), 3u);
}

TEST_F(CommandsTest, RunsFilters) {
  ledger.add_run("MARI", 1).setExperiment("17");
  ledger.add_run("SANS2D", 22048, schema::RunState::FAILED);
  EXPECT_EQ(json_of({"runs", "sans2d22048"})[0]["instrument"], "SANS2D");
  EXPECT_EQ(json_of({"runs", "--experiment", "17"})[0]["run_number"], 1);
  EXPECT_EQ(json_of({"runs", "--state", "failed,queued"})[0]["run_number"], 22048);
  Ran unknown = command({"runs", "--state", "sleeping"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("'sleeping' is no state"), HasSubstr("succeeded")));
}

TEST_F(CommandsTest, NoRunsIsExitCodeOne) {
  EXPECT_EQ(json_of({"runs"}, 1), json::array());
  Ran ran = command({"runs", "MARI"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "runledger: no runs match\n");
}

TEST_F(CommandsTest, RunsTableCannotSteerTheTerminal) {
  auto row = ledger.add_run("MARI", 28001, schema::RunState::SKIPPED);
  row.setTitle("a\x1b]0;owned\x07 b");
  row.getReason().setText("MARI has no script");
  Ran ran = command({"runs"});
  EXPECT_EQ(ran.out,
            "INSTRUMENT    RUN  STATE    VERSION  EXPERIMENT  DETECTED             TITLE                NOTE\n"
            "MARI        28001  skipped  -        -           2026-11-01 12:00:00  a\\x1b]0;owned\\x07 b  MARI has no script\n");
}

TEST_F(CommandsTest, ShowJsonHasRunAndVersions) {
  add_reduced_run();
  json shown = json_of({"show", "MARI/28001"});
  EXPECT_EQ(shown["run"]["start_time"], "2026-11-01T11:00:00.000000000");  // the file gave no zone
  EXPECT_EQ(shown["run"]["end_time"], "2026-11-01T11:59:00.000000000Z");
  EXPECT_EQ(shown["run"]["proton_charge"], 12.5);
  EXPECT_EQ(shown["run"]["proton_charge_unit"], "uAh");
  EXPECT_EQ(shown["run"]["raw_text"], json({{"good_frames", "lots"}}));
  EXPECT_EQ(shown["run"]["users"], json({"A. Scientist"}));
  ASSERT_EQ(shown["versions"].size(), 1u);
  json version = shown["versions"][0];
  EXPECT_EQ(version["version"], 1);
  EXPECT_EQ(version["job"], 3);
  EXPECT_EQ(version["state"], "succeeded");
  EXPECT_EQ(version["requested_by"], "coordinatord");
  EXPECT_EQ(version["script"]["path"], "/scripts/reduce.py");
  EXPECT_EQ(version["script"]["sha256"], base::hex(script_hash));
  EXPECT_EQ(version["variables"][0],
            json::parse(R"({"name": "mon", "group": "standard", "value": 2, "rule": "from_run", "set_by": "alice",
                            "set_at": "2026-11-01T12:00:00.000000000Z", "set_event": 1, "help": null, "needs_value": false})"));
  EXPECT_EQ(version["variables"][1]["rule"], "script_default");
  EXPECT_EQ(version["variables"][1]["value"], true);
  EXPECT_TRUE(version["variables"][1]["set_by"].is_null());
  EXPECT_EQ(version["attempts"][0]["outcome"], "succeeded");
  EXPECT_EQ(version["attempts"][0]["number"], 1);
  EXPECT_EQ(version["attempts"][0]["worker"], "w1");
  EXPECT_EQ(version["outputs"][0]["path"], "/out/run-version-1/sub/MARI28001.nxs");
  EXPECT_EQ(version["outputs"][0]["size_bytes"], 7);
  EXPECT_EQ(version["log_sha256"].get<std::string>().size(), 64u);
}

TEST_F(CommandsTest, OutputsOfAFailedAttemptAreNotShownAsOutputs) {
  add_reduced_run();
  ledger.jobs[0].get().getAttempts()[0].setOutcome(schema::AttemptRow::Outcome::FAILED);
  ledger.jobs[0].get().getAttempts()[0].setKind(schema::FailureKind::SCRIPT_EXCEPTION);
  json version = json_of({"show", "MARI/28001"})["versions"][0];
  EXPECT_EQ(version["outputs"], json::array());
  EXPECT_EQ(version["attempts"][0]["kind"], "script_exception");
}

TEST_F(CommandsTest, ShowNamesMissingRunsAndVersions) {
  add_reduced_run();
  Ran no_run = command({"show", "MARI", "9"});
  EXPECT_EQ(no_run.exit_code, 1);
  EXPECT_EQ(no_run.err, "runledger: MARI 9: there is no such run\n");
  Ran no_version = command({"show", "MARI/28001/v4"});
  EXPECT_EQ(no_version.exit_code, 1);
  EXPECT_EQ(no_version.err,
            "runledger: MARI 28001 has no version 4; the latest is v1; `runledger show MARI 28001` lists what there is\n");
}

TEST_F(CommandsTest, ShowTextIsForPeople) {
  add_reduced_run();
  Ran ran = command({"show", "mari28001"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("title          vanadium"), HasSubstr("unknown"), HasSubstr("version 1"), HasSubstr("mon       standard  2")));
}

TEST_F(CommandsTest, TraceListsEveryEventThatMadeTheVersion) {
  add_reduced_run();
  json traced = json_of({"trace", "MARI/28001/v1"});
  EXPECT_EQ(traced["events"], json({1, 2, 3, 4, 5}));  // the variable's setting, the detection, the job
  EXPECT_EQ(traced["version"], 1);
  EXPECT_EQ(traced["raw_files"][0]["sha256"], base::hex(raw_hash));
  EXPECT_EQ(traced["script"]["sha256"], base::hex(script_hash));
  EXPECT_EQ(traced["environment"]["host"], "node1");
  EXPECT_EQ(traced["outputs"][0]["name"], "sub/MARI28001.nxs");
  EXPECT_EQ(traced["history"][2]["code"], "new_run");
}

TEST_F(CommandsTest, TraceTextShowsTheChainAndTheScript) {
  add_reduced_run();
  Ran ran = command({"trace", "MARI", "28001", "--script"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("sha256 " + base::hex(raw_hash)), HasSubstr("sha256 " + base::hex(script_hash)),
                             HasSubstr("/usr/bin/python3"), HasSubstr("from_run"), HasSubstr("2026-11-01T12:00:03.000000000Z"),
                             HasSubstr("def main(input_file, output_dir):\n    pass\n")));
}

TEST_F(CommandsTest, TraceOfARunWithoutVersionSaysWhy) {
  auto row = ledger.add_run("MARI", 7, schema::RunState::SKIPPED);
  row.getReason().setCode("no_script");
  row.getReason().setText("MARI has no script");
  EXPECT_EQ(json_of({"trace", "MARI/7"})["reason"], "MARI has no script");
  EXPECT_THAT(command({"trace", "MARI/7"}).out, AllOf(HasSubstr("no version yet"), HasSubstr("MARI has no script [no_script")));
}

TEST_F(CommandsTest, ExplainGivesReasonsAndCausesInOrder) {
  add_reduced_run();
  json explained = json_of({"explain", "MARI", "28001"});
  ASSERT_EQ(explained.size(), 4u);
  EXPECT_EQ(explained[1],
            json::parse(R"({"seq": 3, "time": "2026-11-01T12:00:03.000000000Z", "kind": "jobQueued", "actor": "coordinatord",
      "code": "new_run", "text": "MARI 28001 is new and its instrument has a script", "cause": 2, "cause_kind": "runDetected",
      "cause_text": "MARI 28001: detected by : ", "right": null})"));
  EXPECT_EQ(explained[3]["text"], "MARI 28001 v1: succeeded, output is in place");
  EXPECT_TRUE(explained[3]["cause"].is_null());
  EXPECT_THAT(command({"explain", "MARI", "28001"}).out, AllOf(HasSubstr("job queued"), HasSubstr("new_run")));
  EXPECT_EQ(command({"explain", "MARI", "9"}).exit_code, 1);
}

TEST_F(CommandsTest, LogIsPrintedByteForByte) {
  add_reduced_run();
  std::string log = "caf\xe9\n\x1b[31mred\n";
  ledger.jobs[0].get().getAttempts()[0].setLog(as_data(ledger.add_blob(log)));
  EXPECT_EQ(command({"log", "MARI/28001"}).out, log);
  EXPECT_EQ(run(ledger, {"log", "MARI/28001"}, {80, true}).out, "caf\\xe9\n\\x1b[31mred\n");
  EXPECT_EQ(json_of({"log", "MARI/28001"})["text"], "caf\\xe9\n\x1b[31mred\n");
  EXPECT_EQ(command({"log", "MARI/28001", "--tail", "1"}).out, "\x1b[31mred\n");
}

TEST_F(CommandsTest, LogOfAFailureEndsWithWhyItFailed) {
  add_reduced_run();
  auto attempt = ledger.jobs[0].get().getAttempts()[0];
  attempt.setOutcome(schema::AttemptRow::Outcome::FAILED);
  attempt.setKind(schema::FailureKind::SCRIPT_EXCEPTION);
  attempt.setMessage("ValueError: no monitor");
  attempt.setLog(capnp::Data::Reader());
  attempt.setTraceback(as_data(ledger.add_blob("Traceback ...\n")));
  Ran ran = command({"log", "MARI/28001"});
  EXPECT_EQ(ran.out, "Traceback ...\n");
  EXPECT_EQ(ran.err, "runledger: MARI 28001 v1 attempt 1 failed (script_exception): ValueError: no monitor\n");
  EXPECT_EQ(command({"log", "MARI/28001", "--attempt", "2"}).exit_code, 1);
}

TEST_F(CommandsTest, LogThatWasNotKeptIsNotCalledEmpty) {
  // The log of a cancelled or lost attempt: "printed nothing", "lost (unset)".
  add_reduced_run();
  auto attempt = ledger.jobs[0].get().getAttempts()[0];
  attempt.setOutcome(schema::AttemptRow::Outcome::LOST);
  attempt.setMessage("alice cancelled MARI 28001 v1: wrong sample");
  attempt.setLog(capnp::Data::Reader());
  Ran ran = command({"log", "MARI/28001"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("MARI 28001 v1 attempt 1 was ended before it was done: alice cancelled MARI 28001 v1: wrong sample"),
                    HasSubstr("was not kept"), HasSubstr("runledger explain MARI 28001"), Not(HasSubstr("nothing")),
                    Not(HasSubstr("unset"))));
  EXPECT_TRUE(json_of({"log", "MARI/28001"}, 1)["text"].is_null());
  attempt.setLog(as_data(ledger.add_blob("half a line")));
  Ran kept = command({"log", "MARI/28001"});
  EXPECT_EQ(kept.exit_code, 0);
  EXPECT_EQ(kept.out, "half a line");
  EXPECT_THAT(kept.err, AllOf(HasSubstr("wrong sample"), Not(HasSubstr("not kept"))));
}

TEST_F(CommandsTest, LogOfAVersionThatNeverStartedSaysWhy) {
  ledger.add_run("MARI", 5);
  auto job = ledger.add_version(1, schema::RunState::CANCELLED);
  job.getReason().setText("alice cancelled MARI 5 v1");
  Ran ran = command({"log", "MARI/5"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "runledger: MARI 5 v1 was never started, so there is no log; it is cancelled: alice cancelled MARI 5 v1\n");
}

TEST_F(CommandsTest, DamagedBlobIsNoticed) {
  add_reduced_run();
  ledger.blobs[script_hash] = "something else";
  Ran ran = command({"script", "show", "MARI/28001"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("has other bytes than its name says"));
}

TEST_F(CommandsTest, StatusCountsEveryState) {
  auto status = ledger.status.get();
  status.setFacility("ISIS");
  status.setLedger("ok");
  status.setHead(42);
  status.initCounts(1)[0].setState(schema::RunState::FAILED);
  status.getCounts()[0].setRuns(3);
  auto daemon = status.initDaemons(1)[0];
  daemon.setName("monitord");
  daemon.setConnected(true);
  json parsed = json_of({"status"});
  EXPECT_EQ(parsed["head"], 42);
  EXPECT_EQ(parsed["ledger"], "ok");
  EXPECT_EQ(parsed["counts"], json::parse(R"({"detected": 0, "refused": 0, "held": 0, "queued": 0, "running": 0, "succeeded": 0, "failed": 3,
                                              "skipped": 0, "cancelled": 0})"));
  EXPECT_EQ(parsed["daemons"][0], json::parse(R"({"name": "monitord", "connected": true, "last_seen_at": null, "detail": null})"));
  EXPECT_THAT(command({"status"}).out, AllOf(HasSubstr("ok, 42 events"), HasSubstr("3 failed"), HasSubstr("monitord")));
}

TEST_F(CommandsTest, RerunAsksForTheSameAgain) {
  add_reduced_run();
  Ran ran = command({"rerun", "MARI/28001", "--comment", "again"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ledger.asked, ElementsAre("rerun MARI 28001 basis 0 stored (again)"));
  EXPECT_THAT(ran.out, HasSubstr("MARI 28001: one more version asked for (event 901)"));
}

TEST_F(CommandsTest, RerunSetsValuesInTheirGroups) {
  add_reduced_run();
  EXPECT_EQ(command({"rerun", "MARI/28001/v1", "--set", "mon=-3.5", "--set", "verbose=false", "--script", "current", "--fresh-variables"}).exit_code, 0);
  EXPECT_EQ(command({"rerun", "MARI/28001", "--set", "mon=a text", "--set", "advanced.verbose=[1,2]"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("rerun MARI 28001 basis 1 current fresh standard.mon=-3.5 advanced.verbose=false ()",
                                        "rerun MARI 28001 basis 0 stored standard.mon=\"a text\" advanced.verbose=[1,2] ()"));
}

TEST_F(CommandsTest, RerunRefusesNamesTheScriptDoesNotHave) {
  add_reduced_run();
  Ran typo = command({"rerun", "MARI/28001", "--set", "mno=3"});
  EXPECT_EQ(typo.exit_code, 2);
  EXPECT_THAT(typo.err, AllOf(HasSubstr("MARI 28001"), HasSubstr("no variable 'mno'"), HasSubstr("mon, verbose"),
                              HasSubstr("did you mean mon?")));
  // The hint was to write standard.mno=3, which the ledger refuses.
  EXPECT_THAT(typo.err, AllOf(Not(HasSubstr("standard.")), HasSubstr("reduce_vars.py")));
  EXPECT_EQ(command({"rerun", "MARI/28001", "--set", "standard.mno=3"}).exit_code, 2);
  Ran python = command({"rerun", "MARI/28001", "--set", "verbose=False"});
  EXPECT_EQ(python.exit_code, 2);
  EXPECT_THAT(python.err, HasSubstr("write verbose=true or verbose=false"));
  EXPECT_EQ(command({"rerun", "MARI/28001", "--set", "mon"}).exit_code, 2);
  EXPECT_THAT(ledger.asked, IsEmpty());
}

TEST_F(CommandsTest, RerunOfARangeTakesTheRunsThereAre) {
  for (uint64_t number : {1, 2, 4, 9}) ledger.add_run("MARI", number);
  json asked = json_of({"rerun", "MARI", "1-5,9"});
  EXPECT_EQ(asked.size(), 4u);
  EXPECT_NE(asked[0]["command_id"], asked[1]["command_id"]);
  EXPECT_THAT(ledger.asked, ElementsAre("rerun MARI 1 basis 0 stored ()", "rerun MARI 2 basis 0 stored ()", "rerun MARI 4 basis 0 stored ()",
                                        "rerun MARI 9 basis 0 stored ()"));
  EXPECT_EQ(command({"rerun", "MARI", "20-30"}).exit_code, 1);
  EXPECT_EQ(command({"rerun", "MARI"}).exit_code, 2);
}

TEST_F(CommandsTest, RerunOfARangeNamesTheRunsThatWereNotAskedFor) {
  // Symptom: at a member's limit it said "5 of 8 runs were not asked for", and not which.
  for (uint64_t number : {1, 2, 3, 4, 5, 9}) ledger.add_run("MARI", number);
  ledger.refuse_changes = "3 reductions of experiment 2010001 are waiting";
  ledger.refuse_after = 3;
  const Ran ran = command({"rerun", "MARI", "1-9"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("3 reductions of experiment 2010001 are waiting"), HasSubstr("3 of 6 runs were not asked for: MARI 4-5,9\n")));
}

TEST_F(CommandsTest, RerunThatIsWaitedForSaysHowEachVersionEnded) {
  // `rerun --wait --json` did not say how the version ended.
  add_reduced_run();
  uint64_t queued = end_next_version(schema::RunState::FAILED, "ValueError: no monitor");
  json asked = json_of({"rerun", "MARI/28001", "--wait", "--command-id", "again"}, 2);
  EXPECT_EQ(asked, json::array({{{"instrument", "MARI"},
                                 {"run_number", 28001},
                                 {"event", 901},
                                 {"command_id", "again"},
                                 {"version", 2},
                                 {"job", queued},
                                 {"state", "failed"},
                                 {"reason", "ValueError: no monitor"}}}));
}

TEST_F(CommandsTest, RerunThatIsWaitedForIsToldInASentence) {
  add_reduced_run();
  end_next_version(schema::RunState::SUCCEEDED, "attempt 1 succeeded");
  Ran ran = command({"rerun", "MARI/28001", "--wait"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "MARI 28001: one more version asked for (event 901)\nMARI 28001 v2 succeeded: attempt 1 succeeded\n");
}

TEST_F(CommandsTest, RerunThatLeadsToNoVersionSaysWhy) {
  add_reduced_run();
  ledger.runs[0].get().setPendingRequest(901);
  ledger.live.push_back([this] {
    ledger.runs[0].get().setPendingRequest(0);
    auto event = ledger.add_event();
    event.setCause(901);
    auto skipped = event.getBody().initRunSkipped();
    skipped.getRun().setInstrument("MARI");
    skipped.getRun().setRunNumber(28001);
    skipped.getReason().setText("reduce.py is gone");
  });
  json asked = json_of({"rerun", "MARI/28001", "--wait"})[0];
  EXPECT_EQ(asked["state"], "skipped");
  EXPECT_EQ(asked["reason"], "reduce.py is gone");
  EXPECT_TRUE(asked["version"].is_null());
}

TEST_F(CommandsTest, RerunThatIsNotWaitedForDoesNotGuess) {
  add_reduced_run();
  json asked = json_of({"rerun", "MARI/28001"})[0];
  EXPECT_EQ(asked["event"], 901);
  for (const char* field : {"version", "job", "state", "reason"}) EXPECT_TRUE(asked[field].is_null()) << field;
}

TEST_F(CommandsTest, WatchOfARunEndsWhenItIsFinished) {
  add_reduced_run();
  ledger.runs[0].get().setState(schema::RunState::RUNNING);
  ledger.live.push_back([this] { ledger.add_event().getBody().initAttemptSucceeded().setJob(3); });
  ledger.live.push_back([this] {
    ledger.runs[0].get().setState(schema::RunState::SUCCEEDED);
    ledger.add_event().getBody().initJobSucceeded().setJob(3);
  });
  Ran ran = command({"watch", "MARI", "28001"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("MARI 28001 v1: attempt 0 finished"), HasSubstr("7  MARI 28001 v1: succeeded")));
  EXPECT_EQ(ran.err, "runledger: MARI 28001 is succeeded\n");
}

TEST_F(CommandsTest, WatchOfAFinishedRunEndsAtOnce) {
  ledger.add_run("MARI", 1, schema::RunState::FAILED);
  EXPECT_EQ(command({"watch", "MARI", "1"}).exit_code, 2);
}

TEST_F(CommandsTest, WatchFromAnEventShowsAFinishedRunWhole) {
  // `watch MARI 28001 --from 1` of a finished run ended before it had printed anything.
  add_reduced_run();
  Ran ran = command({"watch", "MARI", "28001", "--from", "2", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::vector<uint64_t> seqs;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) seqs.push_back(json::parse(line)["seq"]);
  EXPECT_THAT(seqs, ElementsAre(2, 3, 4, 5));
}

TEST_F(CommandsTest, WatchAsksTheLedgerForWhatIsNamed) {
  ledger.ends_watches = true;
  command({"watch", "mari", "--by", "alice", "--kind", "jobQueued,job-failed"});
  EXPECT_EQ(ledger.watched, R"((instrument = "MARI", kinds = [13, 22], subjects = [(actor = "alice")]))");
  command({"watch", "--experiment", "2010001", "--worker", "w1", "--job", "17"});
  EXPECT_EQ(ledger.watched, R"((subjects = [(experiment = "2010001"), (worker = "w1"), (job = 17)]))");
}

TEST_F(CommandsTest, WatchOfARunShowsWhatIsAskedForUntilItIsFinished) {
  add_reduced_run();
  Ran ran = command({"watch", "MARI", "28001", "--from", "1", "--kind", "jobQueued", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ledger.watched, R"((instrument = "MARI", subjects = [(run = (instrument = "MARI", runNumber = 28001))]))");
  EXPECT_EQ(json::parse(ran.out)["kind"], "jobQueued") << "and nothing else";
  EXPECT_EQ(command({"watch", "MARI", "28001", "--from", "1", "--by", "nobody"}).out, "");
}

TEST_F(CommandsTest, WatchSaysWhatItCannotShow) {
  EXPECT_THAT(command({"watch", "--kind", "jobQueud"}).err, HasSubstr("'jobQueud' is no kind of event; did you mean jobQueued or jobHeld?; there are instrumentConfigured, "));
  Ran both = command({"watch", "MARI", "28001", "--experiment", "2010001"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("name a run, or --experiment, --worker or --job, but not both"));
}

TEST_F(CommandsTest, WatchJsonIsOneObjectALine) {
  add_reduced_run();
  ledger.runs[0].get().setState(schema::RunState::RUNNING);
  ledger.live.push_back([this] {
    ledger.runs[0].get().setState(schema::RunState::SKIPPED);
    ledger.add_event().getBody().initJobSkipped().setJob(3);
  });
  Ran ran = command({"watch", "MARI", "28001", "--from", "2", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::vector<uint64_t> seqs;
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) {
    json event = json::parse(line);
    seqs.push_back(event["seq"]);
    EXPECT_EQ(event["run_number"], 28001);
  }
  EXPECT_EQ(seqs.back(), 6u);
  EXPECT_EQ(seqs.front(), 2u);
}

TEST_F(CommandsTest, VarsSetNeedsToKnowForWhichRuns) {
  Message<schema::VariableSet> defaults;
  add_variable(defaults, "mon", "1", schema::Variable::Group::STANDARD);
  ledger.instruments["MARI"].get().getScript().setDefaults(as_data(ledger.add_document(defaults)));
  Ran none = command({"vars", "set", "MARI", "mon=2"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("--default, --from-run N or --experiment NUMBER"));
  EXPECT_EQ(command({"vars", "set", "MARI", "mon=2", "--default", "--from-run", "5"}).exit_code, 2);
  EXPECT_EQ(command({"vars", "set", "MARI", "mon=2", "--from-run", "5", "--to-run", "4"}).exit_code, 2);
  EXPECT_THAT(ledger.asked, IsEmpty());
  EXPECT_EQ(command({"vars", "set", "mari", "mon=2", "--from-run", "28000", "--to-run", "28010", "--comment", "new monitor"}).exit_code, 0);
  EXPECT_EQ(command({"vars", "set", "MARI", "mon=2", "--experiment", "17"}).exit_code, 0);
  EXPECT_EQ(command({"vars", "clear", "MARI", "mon", "--default"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("set MARI from 28000 to 28010 standard.mon=2 (new monitor)", "set MARI experiment 17 standard.mon=2 ()",
                                        "clear MARI default mon"));
}

TEST_F(CommandsTest, VarsShowHasRulesForAnInstrumentAndValuesForARun) {
  auto rule = ledger.rules.emplace_back().get();
  rule.getScope().setFromRun(28000);
  rule.getVariable().setName("mon");
  rule.getVariable().setValue("\"two\"");
  rule.setSetBy("alice");
  rule.setSetAt(kNoon);
  json rules = json_of({"vars", "show", "MARI"});
  EXPECT_EQ(rules[0]["value"], "two");
  EXPECT_EQ(rules[0]["scope"], json::parse(R"({"kind": "from_run", "from_run": 28000, "to_run": null, "experiment": null})"));
  add_variable(ledger.resolved, "mon", "{\"python\": \"slice(1)\"}", schema::Variable::Group::STANDARD, schema::ResolvedVariable::Rule::DEFAULT_SCOPE);
  json values = json_of({"vars", "show", "MARI", "28001"});
  EXPECT_EQ(values["variables"][0]["rule"], "default");
  EXPECT_EQ(values["variables"][0]["value"]["python"], "slice(1)");
  EXPECT_EQ(command({"vars", "show", "SANS2D", "--json"}).exit_code, 0);
  ledger.rules.clear();
  EXPECT_EQ(command({"vars", "show", "MARI"}).exit_code, 1);
}

TEST_F(CommandsTest, VarsHistoryIsTheChangesOnly) {
  add_reduced_run();
  json changes = json_of({"vars", "history", "MARI"});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0]["actor"], "alice");
  EXPECT_EQ(changes[0]["scope"]["from_run"], 28000);
  EXPECT_EQ(changes[0]["variables"], json::parse(R"([{"name": "mon", "group": "standard", "value": 2, "follows_script": false}])"));
  EXPECT_EQ(changes[0]["text"], "MARI: mon = 2 set for runs from 28000");
  EXPECT_EQ(command({"vars", "history", "MARI", "other"}).exit_code, 1);
  EXPECT_EQ(command({"vars", "history", "SANS2D"}).exit_code, 1);
}

TEST_F(CommandsTest, ScriptDiffShowsWhatChanged) {
  add_reduced_run();
  ledger.instruments["MARI"].get().getScript().setSha256(as_data(ledger.add_blob("def main(input_file, output_dir):\n    return 1\n")));
  Ran ran = command({"script", "diff", "MARI/28001/v1", "MARI"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("-    pass\n+    return 1\n"));
  Ran same = command({"script", "diff", "MARI", "MARI"});
  EXPECT_EQ(same.exit_code, 0);
  EXPECT_EQ(same.out, "");
  EXPECT_EQ(command({"script", "show", "MARI/28001"}).out, "def main(input_file, output_dir):\n    pass\n");
  EXPECT_EQ(command({"script", "show", "SANS2D"}).exit_code, 1);
  EXPECT_EQ(command({"script", "list", "MARI"}).exit_code, 1);
}

TEST_F(CommandsTest, PauseResumeAndCancelAskTheLedger) {
  add_reduced_run();
  EXPECT_EQ(command({"pause", "mari", "--comment", "beam off"}).exit_code, 0);
  EXPECT_EQ(command({"resume", "MARI"}).exit_code, 0);
  EXPECT_EQ(command({"cancel", "MARI/28001"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("pause MARI (beam off)", "resume MARI ()", "cancel 3"));
  EXPECT_EQ(command({"pause", "NOBODY"}).exit_code, 1);
}

TEST_F(CommandsTest, UnknownInstrumentIsNamedByEveryCommandAlike) {
  // `watch NOPE` waited silently; others said it in their own words.
  ledger.add_run("MARI", 1, schema::RunState::FAILED);
  for (std::vector<std::string> words : std::vector<std::vector<std::string>>{{"watch", "MRAI"},
                                                                              {"watch", "MRAI", "1"},
                                                                              {"runs", "MRAI"},
                                                                              {"show", "MRAI", "1"},
                                                                              {"trace", "MRAI/1"},
                                                                              {"explain", "MRAI"},
                                                                              {"explain", "MRAI", "1"},
                                                                              {"log", "MRAI/1"},
                                                                              {"vars", "show", "MRAI"},
                                                                              {"vars", "show", "MRAI", "1"},
                                                                              {"vars", "history", "mrai"},
                                                                              {"vars", "set", "MRAI", "a=1", "--default"},
                                                                              {"vars", "clear", "MRAI", "--default"},
                                                                              {"script", "show", "MRAI"},
                                                                              {"script", "list", "MRAI"},
                                                                              {"script", "diff", "MRAI", "MARI"},
                                                                              {"pause", "mrai"},
                                                                              {"resume", "MRAI"},
                                                                              {"rerun", "MRAI", "1"},
                                                                              {"rerun", "MRAI", "1-5"},
                                                                              {"cancel", "MRAI/1"}}) {
    Ran ran = command(words);
    EXPECT_EQ(ran.exit_code, 1) << words[0];
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err,
              "runledger: MRAI: there is no such instrument; `runledger status` lists those there are; did you mean MARI?\n")
        << words[0];
  }
  EXPECT_THAT(ledger.asked, IsEmpty());
}

TEST_F(CommandsTest, UnknownRunIsNamedByEveryCommandAlike) {
  add_reduced_run();
  for (std::vector<std::string> words : std::vector<std::vector<std::string>>{{"show", "MARI", "9"},
                                                                              {"trace", "MARI/9"},
                                                                              {"explain", "MARI", "9"},
                                                                              {"log", "MARI/9"},
                                                                              {"vars", "show", "MARI/9/v1"},
                                                                              {"script", "show", "MARI", "9"},
                                                                              {"script", "diff", "MARI/9", "MARI/28001"},
                                                                              {"rerun", "MARI", "9"},
                                                                              {"rerun", "MARI", "9", "--set", "mon=1"},
                                                                              {"rerun", "MARI", "9-12"},
                                                                              {"cancel", "MARI/9"}}) {
    Ran ran = command(words);
    EXPECT_EQ(ran.exit_code, 1) << words[0];
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, AllOf(testing::StartsWith("runledger: MARI 9"), HasSubstr("there is no such run"))) << words[0];
  }
  for (const char* name : {"show", "trace", "explain", "log", "rerun", "cancel"}) {
    Ran ran = command({name, "MARI/28001/v7"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err,
                testing::StartsWith("runledger: MARI 28001 has no version 7; the latest is v1; `runledger show MARI 28001`"))
        << name;
  }
  EXPECT_THAT(ledger.asked, IsEmpty());
}

TEST_F(CommandsTest, RunWithoutVersionIsNamedByEveryCommandAlike) {
  ledger.add_run("MARI", 7, schema::RunState::SKIPPED).getReason().setText("MARI has no script");
  for (const char* name : {"log", "cancel"}) {
    Ran ran = command({name, "MARI/7"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_EQ(ran.err,
              "runledger: MARI 7 has no version yet; it is skipped: MARI has no script; `runledger explain MARI 7` says more\n");
  }
  EXPECT_THAT(command({"script", "show", "MARI/7"}).err, HasSubstr("MARI 7 has no version yet"));
}

TEST_F(CommandsTest, WatchOfARunThatIsStillToComeSaysThatItWaits) {
  ledger.live.push_back([this] {
    ledger.add_run("MARI", 9, schema::RunState::SKIPPED);
    auto skipped = ledger.add_event().getBody().initRunSkipped();
    skipped.getRun().setInstrument("MARI");
    skipped.getRun().setRunNumber(9);
  });
  Ran ran = command({"watch", "MARI", "9"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.err, "runledger: MARI 9 is not there yet; waiting for it\nrunledger: MARI 9 is skipped\n");
}

TEST_F(CommandsTest, OneIsWrittenInTheSingular) {
  // "1 events", "attempt 1 finished with 1 files".
  ledger.status.get().setHead(1);
  EXPECT_THAT(command({"status"}).out, HasSubstr(", 1 event\n"));
  add_reduced_run();
  ledger.runs[0].get().setState(schema::RunState::RUNNING);
  ledger.live.push_back([this] {
    auto succeeded = ledger.add_event().getBody().initAttemptSucceeded();
    succeeded.setJob(3);
    succeeded.getOutputs().setFiles(1);
  });
  ledger.live.push_back([this] {
    ledger.runs[0].get().setState(schema::RunState::SUCCEEDED);
    ledger.add_event().getBody().initJobSucceeded().setJob(3);
  });
  EXPECT_THAT(command({"watch", "MARI", "28001"}).out, HasSubstr("finished with 1 file, "));
}

TEST_F(CommandsTest, EveryTimeHasNineDigits) {
  // Fractions had as many digits as were not zero, so times of one listing had different lengths.
  add_reduced_run();
  ledger.runs[0].get().setDetectedAt(kNoon + 120'000'000);
  ledger.events[1].get().setTime(kNoon + 1'500);
  EXPECT_EQ(json_of({"runs"})[0]["detected_at"], "2026-11-01T12:00:00.120000000Z");
  EXPECT_EQ(json_of({"explain", "MARI", "28001"})[0]["time"], "2026-11-01T12:00:00.000001500Z");
  EXPECT_THAT(command({"trace", "MARI", "28001"}).out, HasSubstr(" 2026-11-01T12:00:00.000001500Z  run detected"));
}

TEST_F(CommandsTest, RefusalIsSaidAndIsExitCodeTwo) {
  ledger.refuse_changes = "bob may not pause MARI; ask its instrument scientist";
  Ran ran = command({"pause", "MARI"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "runledger: bob may not pause MARI; ask its instrument scientist\n");
}

TEST_F(CommandsTest, QueueIsInOrderAndEmptyIsExitCodeOne) {
  EXPECT_EQ(json_of({"queue"}, 1), json::array());
  auto row = ledger.queue.emplace_back().get();
  row.setJob(17);
  row.getRun().setInstrument("MARI");
  row.getRun().setRunNumber(28001);
  row.setVersion(2);
  row.setHeld(true);
  row.getReason().setText("MARI is paused");
  EXPECT_EQ(json_of({"queue"})[0]["held"], true);
  EXPECT_THAT(command({"queue"}).out, HasSubstr("held: MARI is paused"));
}

TEST_F(CommandsTest, UsageErrorsAreExitCodeTwo) {
  for (std::vector<std::string> words : std::vector<std::vector<std::string>>{{},
                                                                              {"show"},
                                                                              {"runs", "--limit", "many"},
                                                                              {"rerun", "MARI", "1", "--script", "newest"},
                                                                              {"show", "MARI 28o01"},
                                                                              {"vars"}}) {
    Ran ran = command(words);
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, testing::StartsWith("runledger: "));
  }
}

TEST_F(CommandsTest, HelpHasAnExampleForEachCommand) {
  for (const char* name : {"status", "runs", "show", "trace", "explain", "log", "watch", "rerun", "cancel", "queue", "pause", "resume", "version"}) {
    Ran ran = command({name, "--help"});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_THAT(ran.out, HasSubstr(std::string("Example: runledger ") + name));
    EXPECT_EQ(ran.err, "");
  }
}

TEST_F(CommandsTest, NoConnectionIsSaid) {
  std::ostringstream out, err;
  const auto find = [](const tools::GlobalOptions& options) -> base::Result<std::string> {
    return base::Status(base::Code::kNotFound, "there is no site at " + options.site.value_or("?"));
  };
  tools::Context context(out, err, {}, {find, {}}, tools::TokenStore({}));
  // Exit code 1 would say that the ledger was asked and has nothing.
  EXPECT_EQ(tools::run_program({"status", "--site", "/x"}, context), 2);
  EXPECT_EQ(err.str(), "runledger: there is no site at /x\n");
  EXPECT_EQ(command({"status", "--connect", "unix:/nowhere"}).exit_code, 2);
}

}  // namespace
}  // namespace fake
