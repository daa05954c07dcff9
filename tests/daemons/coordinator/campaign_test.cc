// Campaigns: how they are fed, what becomes of runs that get no job, and what a restart, a pause or a stop changes.
#include <map>
#include <utility>

#include "tests/daemons/coordinator/coordinated.h"

namespace coordinator_test {
namespace {

using State = schema::CampaignRow::State;
using Choice = schema::ReductionRequested::ScriptChoice;

class CampaignTest : public Coordinated {
 protected:
  CampaignTest() {
    campaigns.most_open = 2;
    restart();
  }
  using Fill = std::function<void(schema::CampaignStarted::Builder)>;
  /// Over these runs, from their newest versions.
  uint64_t start_campaign(const std::vector<std::pair<std::string, uint64_t>>& runs, const Fill& fill = {}) {
    support::CommandMessage command(id("campaign"));
    capnp::MallocMessageBuilder message;
    auto plan = message.initRoot<schema::CampaignPlan>().initRuns(static_cast<uint32_t>(runs.size()));
    for (uint32_t i = 0; i < runs.size(); ++i) {
      plan[i].initRun().setInstrument(runs[i].first);
      plan[i].getRun().setRunNumber(runs[i].second);
      plan[i].setBasis(run(runs[i].second, runs[i].first).get().getVersion());
    }
    const base::Sha256 hash = command.blob(ledger::canonical_bytes(message.getRoot<schema::CampaignPlan>().asReader()));
    auto started = command.get().getBody().initStartCampaign();
    started.setPurpose("better masks");
    started.setPlan(support::data(hash));
    if (fill) fill(started);
    return served.must(command);
  }
  uint64_t start_campaign(const std::vector<uint64_t>& runs, const Fill& fill = {}) {
    std::vector<std::pair<std::string, uint64_t>> named;
    for (uint64_t number : runs) named.emplace_back("MARI", number);
    return start_campaign(named, fill);
  }
  void pause(uint64_t campaign) {
    support::CommandMessage command(id("pause"));
    command.get().getBody().initPauseCampaign().setCampaign(campaign);
    served.must(command);
  }
  void resume(uint64_t campaign) {
    support::CommandMessage command(id("resume"));
    command.get().getBody().initResumeCampaign().setCampaign(campaign);
    served.must(command);
  }
  void stop_campaign(uint64_t campaign) {
    support::CommandMessage command(id("stop"));
    command.get().getBody().initStopCampaign().setCampaign(campaign);
    served.must(command);
  }
  ledger::Row<schema::CampaignRow> campaign(uint64_t id) { return *ledger::find_campaign(*served.ledger->snapshot(), id); }
  uint32_t open(uint64_t id) {
    auto row = campaign(id);
    return row.get().getCounts().getWaiting() + row.get().getCounts().getRunning();
  }
  /// What became of one of its runs; nullopt = nothing yet.
  std::optional<ledger::Row<schema::CampaignRunRow>> outcome(uint64_t id, uint64_t number, const std::string& instrument = "MARI") {
    return ledger::find_campaign_run(*served.ledger->snapshot(), id, instrument, number);
  }
  std::string passed_for(uint64_t id, uint64_t number) {
    auto row = outcome(id, number);
    return row && row->get().getJob() == 0 ? row->get().getReason().getCode().cStr() : "";
  }
  ledger::Row<schema::JobRow> job_of(uint64_t id, uint64_t number, const std::string& instrument = "MARI") { return job(outcome(id, number, instrument)->get().getJob()); }
  /// Does its jobs as they come, to the end.
  void work_off(uint64_t id) {
    std::map<uint64_t, bool> done;
    served.until([&] {
      std::vector<uint64_t> waiting;
      ledger::list_waiting(*served.ledger->snapshot(), [&](schema::QueueRow::Reader row) {
        if (row.getCampaign() == id) waiting.push_back(row.getJob());
        return true;
      });
      most_open_ = std::max(most_open_, waiting.size());
      for (uint64_t one : waiting) {
        if (done.emplace(one, true).second) succeed(one);
      }
      return campaign(id).get().getState() == State::FINISHED;
    });
  }
  size_t most_open_ = 0;
};

TEST_F(CampaignTest, IsFedInTheOrderOfItsPlanSoThatFewOfItsJobsWait) {
  for (uint64_t number = 28001; number <= 28005; ++number) reduce(number);
  const uint64_t id = start_campaign({28001, 28002, 28003, 28004, 28005});
  served.until([&] { return open(id) == 2; });
  EXPECT_TRUE(outcome(id, 28001) && outcome(id, 28002));
  auto first = job_of(id, 28001);
  EXPECT_EQ(first.get().getQueued().getPriority(), 30u);
  EXPECT_EQ(first.get().getQueued().getCampaign(), id);
  EXPECT_EQ(first.get().getQueued().getReason().getText(), "campaign " + std::to_string(id) + " of alice: better masks");
  detect(28009);  // there was time for more
  EXPECT_EQ(open(id), 2u);
  work_off(id);
  EXPECT_EQ(most_open_, 2u);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 5u);
  EXPECT_EQ(state(28005), RunState::SUCCEEDED);
  EXPECT_EQ(run(28005).get().getVersion(), 2u);
}

TEST_F(CampaignTest, GoesOnAfterARestartWithTheScriptItBeganWith) {
  for (uint64_t number = 28001; number <= 28004; ++number) reduce(number);
  write("reduce.py", "# the campaign's\ndef main(input_file, output_dir):\n    pass\n");
  const uint64_t id = start_campaign({28001, 28002, 28003, 28004}, [](auto started) { started.setScript(Choice::CURRENT); });
  served.until([&] { return open(id) == 2; });
  stop();
  write("reduce.py", "# of later\ndef main(input_file, output_dir):\n    pass\n");
  start();
  work_off(id);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 4u);
  EXPECT_THAT(script_of(job_of(id, 28004)), HasSubstr("# the campaign's"));
}

TEST_F(CampaignTest, StoredScriptsAreEachVersionsOwn) {
  write("reduce.py", "# one\n");
  reduce(28001);
  write("reduce.py", "# two\n");
  reduce(28002);
  const uint64_t id = start_campaign({28001, 28002});
  work_off(id);
  EXPECT_EQ(script_of(job_of(id, 28001)), "# one\n");
  EXPECT_EQ(script_of(job_of(id, 28002)), "# two\n");
}

TEST_F(CampaignTest, RunWithoutAJobIsPassedWithTheReason) {
  for (uint64_t number = 28001; number <= 28003; ++number) reduce(number);
  std::filesystem::remove(raw_path(28001));
  ASSERT_TRUE(rerun(28002));  // waits
  const uint64_t id = start_campaign({28001, 28002, 28003});
  work_off(id);
  EXPECT_EQ(passed_for(id, 28001), "raw_file_gone");
  EXPECT_THAT(outcome(id, 28001)->get().getReason().getText().cStr(), HasSubstr("MARI 28001: its raw file is not there (" + raw_path(28001) + ": No such file"));
  EXPECT_EQ(passed_for(id, 28002), "run_busy");
  EXPECT_EQ(campaign(id).get().getCounts().getPassed(), 2u);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 1u);
}

TEST_F(CampaignTest, WrongValueIsSaidOfEachRun) {
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  reduce(28001);
  const uint64_t id = start_campaign(std::vector<uint64_t>{28001}, [](auto started) {
    auto value = started.initVariables(1)[0];
    value.setName("mun");
    value.setValue("2");
  });
  work_off(id);
  EXPECT_EQ(passed_for(id, 28001), "variables_wrong");
}

TEST_F(CampaignTest, PausedTakesNoMoreAndResumedGoesOn) {
  for (uint64_t number = 28001; number <= 28004; ++number) reduce(number);
  const uint64_t id = start_campaign({28001, 28002, 28003, 28004});
  served.until([&] { return open(id) == 2; });
  const uint64_t running_job = outcome(id, 28001)->get().getJob();
  const uint64_t fence = begin(running_job);
  pause(id);
  end(running_job, fence);
  detect(28009);  // the coordinator has seen all this
  EXPECT_FALSE(outcome(id, 28003));
  resume(id);
  work_off(id);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 4u);
}

TEST_F(CampaignTest, JobRefusedSinceItWasPausedIsNoError) {
  for (uint64_t number = 28001; number <= 28002; ++number) reduce(number);
  write("reduce.py", "# changed\ndef main(input_file, output_dir):\n    pass\n");
  // The pause comes between the registering of the script and the job.
  uint64_t id = 0;
  support::CommandMessage pausing("pausing");
  served.refuses = [&, once = true](schema::Command::Reader command) mutable {
    if (command.getBody().isRegisterScript() && std::exchange(once, false)) {
      pausing.get().getBody().initPauseCampaign().setCampaign(id);
      served.ledger->submit(pausing.reader(), support::person(), [](ledger::Answer) {});
    }
    return base::Status();
  };
  id = start_campaign({28001, 28002}, [](auto started) { started.setScript(Choice::CURRENT); });
  served.until([&] { return campaign(id).get().getState() == State::PAUSED; });
  detect(28009);  // the coordinator has heard of it
  EXPECT_FALSE(outcome(id, 28001));
  resume(id);
  work_off(id);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 2u);
}

TEST_F(CampaignTest, StoppedEndsWhenNothingOfItIsOpen) {
  for (uint64_t number = 28001; number <= 28004; ++number) reduce(number);
  const uint64_t id = start_campaign({28001, 28002, 28003, 28004});
  served.until([&] { return open(id) == 2; });
  const uint64_t running_job = outcome(id, 28001)->get().getJob();
  const uint64_t fence = begin(running_job);
  stop_campaign(id);
  EXPECT_EQ(state(28002), RunState::SUCCEEDED) << "the version before is shown again";
  end(running_job, fence);
  served.until([&] { return campaign(id).get().getFinishedAt() != 0; });
  EXPECT_FALSE(outcome(id, 28003));
}

TEST_F(CampaignTest, ReplayMakesWhatFailedAsItWasAndWhatHasNoJobAsNew) {
  write("reduce.py", "# one\n");
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  detect(28001);
  fail(run(28001).get().getJob());
  std::filesystem::remove(served.folder / "reduce.py");
  detect(28002);
  ASSERT_EQ(reason(28002), "no_script");
  write("reduce.py", "# two\n");
  write("reduce_vars.py", "standard_vars = {'mon': 2}\n");
  const uint64_t id = start_campaign({28001, 28002}, [](auto started) { started.setKind(schema::CampaignStarted::Kind::REPLAY); });
  work_off(id);
  EXPECT_EQ(script_of(job_of(id, 28001)), "# one\n");
  EXPECT_EQ(values_of(job_of(id, 28001)), "mon = 1");
  EXPECT_EQ(script_of(job_of(id, 28002)), "# two\n");
  EXPECT_EQ(values_of(job_of(id, 28002)), "mon = 2");
}

TEST_F(CampaignTest, InstrumentThatKeepsItWaitingHoldsUpOnlyItsOwnRuns) {
  campaigns.patience_ms = 1;
  restart();
  configure("LET", "reduce.py");
  reduce(1, "2010001", "LET");
  reduce(28001);
  // LET's defaults wait for a pipe that nobody writes to.
  write("let/reduce.py", "def main(input_file, output_dir):\n    pass\n");
  const std::string pipe = (served.folder / "pipe").string();
  ASSERT_EQ(std::system(("mkfifo " + pipe).c_str()), 0);
  write("let/reduce_vars.py", "standard_vars = {'mon': len(open('" + pipe + "').read())}\n");
  configure("LET", "let/reduce.py");
  const uint64_t id = start_campaign({{"LET", 1}, {"MARI", 28001}}, [](auto started) { started.setScript(Choice::CURRENT); });
  served.until([&] { return outcome(id, 28001).has_value(); });
  EXPECT_FALSE(outcome(id, 1, "LET"));
  served.loop.wait(served.loop.on_pool([pipe] { std::ofstream(pipe) << "1"; }));
  work_off(id);
  EXPECT_EQ(campaign(id).get().getCounts().getSucceeded(), 2u);
}

}  // namespace
}  // namespace coordinator_test
