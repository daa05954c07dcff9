// campaign, replay: planned, started, looked at, steered, waited for.
#include <gmock/gmock.h>

#include <iostream>

#include "tests/tools/commands_fixture.h"
#include "tests/tools/on_terminal.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using State = schema::CampaignRow::State;
using Outcome = schema::ComparedRun::Outcome;

class CampaignCommandsTest : public CommandsTest {
 protected:
  /// 2 runs would be reduced, 3 not for two reasons.
  void add_estimate() {
    auto estimate = ledger.reducing.estimate.get();
    auto runs = estimate.initRuns(2);
    for (uint32_t i = 0; i < 2; ++i) {
      runs[i].getRun().setInstrument("MARI");
      runs[i].getRun().setRunNumber(28001 + i);
      runs[i].setBasis(1);
      runs[i].setLastMs(60'000);
    }
    estimate.setRunCount(2);
    auto passed = estimate.initPassed(3);
    for (uint32_t i = 0; i < 3; ++i) {
      passed[i].getRun().setInstrument("MARI");
      passed[i].getRun().setRunNumber(28010 + i);
      passed[i].getReason().setCode(i < 2 ? "busy" : "input_gone");
      passed[i].getReason().setText(i < 2 ? "MARI 28010 is running" : "/archive/MAR28012.nxs is gone");
    }
    estimate.setPassedCount(3);
    estimate.setConsidered(5);
    estimate.setEstimateMs(120'000);
    estimate.setWorkers(2);
  }

  schema::CampaignRow::Builder add_running() {
    auto row = ledger.reducing.add_campaign(812, "the mask was wrong");
    row.getCounts().setSucceeded(1);
    row.getCounts().setRunning(1);
    row.getCounts().setWaiting(2);
    row.setWorkedMs(60'000);
    return row;
  }

  /// What happens once somebody watches it.
  void then(std::function<void(schema::CampaignRow::Builder)> change) {
    ledger.live.push_back([this, change] {
      change(ledger.reducing.campaigns[0].get());
      ledger.add_event().getBody().initJobSucceeded().setJob(3);
    });
  }
};

TEST_F(CampaignCommandsTest, PlanSaysHowManyWhichNotAndHowLong) {
  add_estimate();
  const Ran ran = command({"campaign", "plan", "MARI", "--stale", "--script", "current", "--fresh-variables", "--interpreter", "mantid"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ledger.asked, ElementsAre("plan campaign 'a plan' over 'MARI, stale' current fresh with mantid"));
  EXPECT_EQ(ran.out,
            "2 of 5 runs would be reduced again (MARI, stale)\n"
            "about 2 min 00 s of work: 1 min 00 s with the 2 jobs that run at once now, if nothing else does\n"
            "MARI 28001-28002\n"
            "\n"
            "NOT  REASON      WHICH             FOR EXAMPLE\n"
            "  2  busy        MARI 28010-28011  MARI 28010 is running\n"
            "  1  input_gone  MARI 28012        /archive/MAR28012.nxs is gone\n");
}

TEST_F(CampaignCommandsTest, PlanForPrograms) {
  add_estimate();
  const json plan = json_of({"campaign", "start", "MARI", "--dry-run"});
  EXPECT_EQ(plan["selection"], "MARI");
  EXPECT_EQ(plan["run_count"], 2);
  EXPECT_EQ(plan["runs"][0], json::parse(R"({"instrument": "MARI", "run_number": 28001, "version": 1, "last_ms": 60000})"));
  EXPECT_EQ(plan["passed"][2], json::parse(R"({"instrument": "MARI", "run_number": 28012, "reason": "/archive/MAR28012.nxs is gone", "reason_code": "input_gone"})"));
  EXPECT_EQ(plan["estimate_ms"], 120000);
  EXPECT_EQ(plan["workers"], 2);
}

TEST_F(CampaignCommandsTest, PlanThatWouldBeRefusedIsExitCodeTwoAndAnEmptyOneIsOne) {
  add_estimate();
  ledger.reducing.estimate.get().initProblems(1).set(0, "alice may re-run at most 50 runs at once");
  const Ran refused = command({"campaign", "plan", "MARI"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("would be refused: alice may re-run at most 50 runs at once"));
  ledger.reducing.estimate = {};
  ledger.reducing.estimate.get().initProblems(1).set(0, "no run matches");
  const Ran none = command({"campaign", "plan", "MARI"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.err, "runledger: no run matches\n");
  const Ran start = command({"campaign", "start", "MARI", "--purpose", "why"});
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_EQ(start.err, "runledger: no run matches\n");
}

TEST_F(CampaignCommandsTest, StartAsksForWhatWasSaid) {
  add_reduced_run();
  const Ran ran = command({"campaign", "start", "MARI", "--purpose", "the mask was wrong", "--set", "mon=3", "--set", "verbose=false", "--yes"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ledger.asked, ElementsAre("start campaign 'the mask was wrong' over 'MARI' stored standard.mon=3 advanced.verbose=false"));
  EXPECT_EQ(ran.out, "campaign 901 is started; runledger campaign show 901 says how far it is\n");
  EXPECT_EQ(json_of({"campaign", "start", "MARI", "--purpose", "again", "--yes"})["campaign"], 902);
}

TEST_F(CampaignCommandsTest, StartNeedsAPurposeAndSomebodyWhoHasSeenHowMuchItIs) {
  add_estimate();
  const Ran without = command({"campaign", "start", "MARI", "--yes"});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("what is it for? say it with --purpose TEXT"));
  const Ran unseen = command({"campaign", "start", "MARI", "--purpose", "why"});
  EXPECT_EQ(unseen.exit_code, 2);
  EXPECT_THAT(unseen.err, AllOf(HasSubstr("2 of 5 runs would be reduced again"), HasSubstr("give --yes to start it")));
  EXPECT_THAT(ledger.asked, ElementsAre("plan campaign 'why' over 'MARI' stored"));
}

TEST_F(CampaignCommandsTest, StartAsksOnATerminalWithHowManyAndHowLong) {
  add_estimate();
  const auto start = [this] {
    const Ran ran = run(ledger, {"campaign", "start", "MARI", "--purpose", "why"}, tools::Terminal{80, true});
    std::cout << ran.out << ran.err << ledger.asked.back() << std::endl;
    return ran.exit_code;
  };
  OnTerminal yes(start);
  EXPECT_THAT(yes.wait_for("Start it? [y/N] "), AllOf(HasSubstr("2 of 5 runs would be reduced again (MARI); about 2 min 00 s of work")));
  yes.type("y\n");
  yes.wait_for("start campaign 'why' over 'MARI' stored");
  EXPECT_EQ(WEXITSTATUS(yes.end()), 0);
  OnTerminal no(start);
  no.wait_for("Start it? [y/N] ");
  no.type("\n");
  EXPECT_THAT(no.wait_for("plan campaign 'why'"), HasSubstr("nothing was started"));
  EXPECT_EQ(WEXITSTATUS(no.end()), 2);
}

TEST_F(CampaignCommandsTest, StartFindsMisspeltNames) {
  add_reduced_run();
  const Ran typo = command({"campaign", "start", "MARI", "--purpose", "why", "--set", "mno=3", "--yes"});
  EXPECT_EQ(typo.exit_code, 2);
  EXPECT_THAT(typo.err, AllOf(HasSubstr("MARI 28001"), HasSubstr("no variable 'mno'"), HasSubstr("did you mean mon?")));
  EXPECT_THAT(ledger.asked, IsEmpty());
  EXPECT_THAT(command({"campaign", "start", "MARI/28001/v1", "--purpose", "why", "--yes"}).err, HasSubstr("a campaign takes runs, not versions"));
}

TEST_F(CampaignCommandsTest, ReplaySaysItsPurposeByItself) {
  EXPECT_EQ(command({"replay", "MARI", "--since", "2026-11-01T12:00Z", "--yes"}).exit_code, 0);
  EXPECT_EQ(command({"replay", "MARI", "--purpose", "the disk was full", "--yes"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("start replay 'try again what went wrong: MARI, detected since 2026-11-01T12:00:00Z' over 'MARI, detected since "
                                        "2026-11-01T12:00:00Z' stored",
                                        "start replay 'the disk was full' over 'MARI' stored"));
}

TEST_F(CampaignCommandsTest, ShowSaysHowFarItIsAndHowLongStill) {
  add_running();
  const Ran ran = command({"campaign", "show", "812"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("the mask was wrong"), HasSubstr("alice"), HasSubstr("4: MARI 28001-28400, stale"),
                             HasSubstr("1 of 4 done: 1 succeeded; 2 waiting, 1 running; about 3 min 00 s left")));
  const json shown = json_of({"campaign", "show", "812"});
  EXPECT_EQ(shown["counts"], json::parse(R"({"not_queued": 0, "waiting": 2, "running": 1, "succeeded": 1, "failed": 0, "skipped": 0, "cancelled": 0, "passed": 0})"));
  EXPECT_EQ(shown["left_ms"], 180000);
  EXPECT_EQ(shown["state"], "running");
  EXPECT_EQ(shown["owner"], "alice");
  EXPECT_EQ(command({"campaign", "show", "9"}).exit_code, 1);
}

TEST_F(CampaignCommandsTest, TimeLeftIsNotGuessed) {
  auto row = add_running();
  row.getCounts().setRunning(0);
  EXPECT_TRUE(json_of({"campaign", "show", "812"})["left_ms"].is_null()) << "nothing runs";
  row.getCounts().setRunning(2);
  row.getCounts().setSucceeded(0);
  row.setWorkedMs(0);
  EXPECT_TRUE(json_of({"campaign", "show", "812"})["left_ms"].is_null()) << "no duration is known";
  row.getStarted().setEstimateMs(40'000);
  EXPECT_EQ(json_of({"campaign", "show", "812"})["left_ms"], 20000) << "as its runs took before";
}

TEST_F(CampaignCommandsTest, ListHasEveryPage) {
  EXPECT_EQ(json_of({"campaign", "list"}, 1), json::array());
  for (uint64_t number : {30, 20, 10}) ledger.reducing.add_campaign(number, "why");
  EXPECT_EQ(json_of({"campaign", "list"}).size(), 3u);
  EXPECT_EQ(json_of({"campaign", "list", "--limit", "1"}).size(), 1u);
  EXPECT_THAT(command({"campaign", "list"}).out, HasSubstr("      30  running  alice"));
}

TEST_F(CampaignCommandsTest, RunsSaysWhatBecameOfEach) {
  auto done = ledger.reducing.campaign_runs.emplace_back().get();
  done.getRun().setInstrument("MARI");
  done.getRun().setRunNumber(28001);
  done.setJob(17);
  done.setVersion(2);
  done.setState(schema::RunState::SUCCEEDED);
  auto passed = ledger.reducing.campaign_runs.emplace_back().get();
  passed.getRun().setInstrument("MARI");
  passed.getRun().setRunNumber(28002);
  passed.setState(schema::RunState::SKIPPED);
  passed.getReason().setText("its raw file is gone");
  EXPECT_EQ(command({"campaign", "runs", "812"}).out,
            "RUN            JOB  STATE        WHY\n"
            "MARI 28001 v2   17  succeeded\n"
            "MARI 28002       -  passed over  its raw file is gone\n");
  const json runs = json_of({"campaign", "runs", "812"});
  EXPECT_EQ(runs[0]["version"], 2);
  EXPECT_TRUE(runs[1]["job"].is_null());
}

TEST_F(CampaignCommandsTest, ReportShowsWhatDiffersAndCountsAll) {
  ledger.reducing.add_compared(28001, Outcome::SAME).setEqual(3);
  auto differs = ledger.reducing.add_compared(28002, Outcome::DIFFERS);
  differs.setEqual(1);
  differs.setChanged(1);
  differs.setAdded(1);
  differs.setBytesBefore(2048);
  differs.setBytesAfter(4096);
  auto paths = differs.initPaths(1);
  paths.set(0, "~ MARI28002.nxs");
  ledger.reducing.add_compared(28003, Outcome::FAILED);
  ledger.reducing.add_compared(28004, Outcome::SAME);
  const Ran ran = command({"campaign", "report", "812"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("MARI 28002  v1 -> v2  differs     1      1    1        0  2.0 KiB -> 4.0 KiB  ~ MARI28002.nxs and 1 more\n"),
                             HasSubstr("\n\n2 the same, 1 differs, 1 failed\n"), Not(HasSubstr("28001"))));
  EXPECT_THAT(command({"campaign", "report", "812", "--all"}).out, HasSubstr("28001"));
  const json report = json_of({"campaign", "report", "812"});
  EXPECT_EQ(report["summary"], json::parse(R"({"same": 2, "differs": 1, "only_after": 0, "failed": 1, "unfinished": 0})"));
  EXPECT_EQ(report["runs"].size(), 2u);
  EXPECT_EQ(report["runs"][0]["paths"], json::array({"~ MARI28002.nxs"}));
}

TEST_F(CampaignCommandsTest, PauseResumeAndStopAskTheLedger) {
  EXPECT_EQ(command({"campaign", "pause", "812", "--comment", "beam is back"}).exit_code, 0);
  EXPECT_EQ(command({"campaign", "resume", "812"}).exit_code, 0);
  EXPECT_EQ(command({"campaign", "stop", "812"}).out, "campaign 812 is stopped: what had not begun is taken back (event 903)\n");
  EXPECT_EQ(command({"campaign", "stop", "812", "--keep-queued"}).exit_code, 0);
  EXPECT_THAT(ledger.asked, ElementsAre("pause campaign 812 (beam is back)", "resume campaign 812", "stop campaign 812", "stop campaign 812, queued kept"));
  EXPECT_EQ(command({"campaign", "stop", "many"}).exit_code, 2);
}

TEST_F(CampaignCommandsTest, WatchEndsWhenTheCampaignIsOver) {
  add_running();
  then([](auto row) { row.getCounts().setSucceeded(3); });
  then([](auto row) {
    row.setState(State::PAUSED);
    row.getReason().setText("bob paused it");
  });
  then([](auto row) {
    row.getCounts().setSucceeded(4);
    row.getCounts().setRunning(0);
    row.getCounts().setWaiting(0);
    row.setState(State::FINISHED);
  });
  const Ran ran = command({"campaign", "watch", "812"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "campaign 812 is finished: 4 of 4 done: 4 succeeded\n");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("1 of 4 done"), HasSubstr("3 of 4 done"), HasSubstr("campaign 812 is paused: bob paused it")));
}

TEST_F(CampaignCommandsTest, WaitingSaysByItsExitCodeWhetherAllWentWell) {
  add_running().setCampaign(901);
  then([](auto row) {
    row.getCounts().setFailed(1);
    row.setState(State::FINISHED);
  });
  EXPECT_EQ(json_of({"campaign", "start", "MARI", "--purpose", "why", "--yes", "--wait"}, 2)["counts"]["failed"], 1);
  EXPECT_EQ(command({"campaign", "watch", "9"}).exit_code, 1);
}

TEST_F(CampaignCommandsTest, WatchOnATerminalIsOneLineThatIsWrittenOver) {
  add_running();
  then([](auto row) { row.setState(State::FINISHED); });
  const Ran ran = run(ledger, {"campaign", "watch", "812"}, tools::Terminal{80, true});
  EXPECT_THAT(ran.err, AllOf(HasSubstr("\r\x1b[K1 of 4 done"), testing::EndsWith("\r\x1b[K")));
}

}  // namespace
}  // namespace fake
