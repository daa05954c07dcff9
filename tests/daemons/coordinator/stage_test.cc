// Stages: when they start, from what, and for what they wait.
#include "ledger/views/stages.h"
#include "tests/daemons/coordinator/coordinated.h"

namespace coordinator_test {
namespace {

using Over = schema::StageRule::Over;

class StageTest : public Coordinated {
 protected:
  void set_stage(const std::string& name, const std::vector<std::string>& after, Over over) {
    write("stages/" + name + ".py", "# " + name + "\n");
    support::CommandMessage command(id("stage"));
    auto rule = command.get().getBody().initSetStage();
    rule.setInstrument("MARI");
    rule.setName(name);
    auto list = rule.initAfter(static_cast<uint32_t>(after.size()));
    for (uint32_t i = 0; i < after.size(); ++i) list.set(i, after[i]);
    rule.setOver(over);
    rule.setScriptPath((served.folder / "stages" / (name + ".py")).string());
    rule.setContract(schema::Contract::ISIS);
    rule.setOutputPattern("/reduced/{instrument}/RB{experiment}/{stage}/{run}/v{version}");
    served.must(command);
  }
  uint64_t combine(const std::string& stage, const std::vector<uint64_t>& runs) {
    support::CommandMessage command(id("combine"));
    auto wanted = command.get().getBody().initRequestCombination();
    wanted.setInstrument("MARI");
    wanted.setStage(stage);
    auto list = wanted.initRuns(static_cast<uint32_t>(runs.size()));
    for (uint32_t i = 0; i < runs.size(); ++i) list.set(i, runs[i]);
    return served.must(command);
  }
  /// Jobs of the stage, oldest first.
  std::vector<ledger::Row<schema::JobRow>> jobs(const std::string& stage) {
    std::vector<ledger::Row<schema::JobRow>> found;
    for (uint64_t seq = 1; seq <= served.service->head(); ++seq) {
      auto row = ledger::find_job(*served.ledger->snapshot(), seq);
      if (row && row->get().getQueued().getStage() == stage) found.push_back(std::move(*row));
    }
    return found;
  }
  ledger::Row<schema::JobRow> wait_for(const std::string& stage, size_t count = 1) {
    served.until([&] { return jobs(stage).size() >= count; });
    return std::move(jobs(stage)[count - 1]);
  }
  /// "28001 reduction v1, ..."
  std::string sources_of(const ledger::Row<schema::JobRow>& job) {
    std::string text;
    ledger::Row<schema::JobSources> sources(blob(job.get().getQueued().getSources()));
    for (auto source : sources.get().getSources()) {
      text += (text.empty() ? "" : ", ") + std::to_string(source.getRun().getRunNumber()) + " " + source.getStage().cStr() + " v" + std::to_string(source.getVersion());
    }
    return text;
  }
  std::string folder_of(const ledger::Row<schema::JobRow>& job) { return job.get().getQueued().getOutputDirectory().cStr(); }
  /// All before has been reacted to: a run of the instrument stands in the same line.
  void settle() { detect(29000 + next_++, "another"); }
  uint64_t next_ = 0;
};

TEST_F(StageTest, ChainOfThreeIsMadeOneAfterTheOther) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  set_stage("fit", {"normalise"}, Over::RUN);
  set_stage("report", {"fit", "reduction"}, Over::RUN);
  reduce(28001);
  auto normalise = wait_for("normalise");
  EXPECT_EQ(sources_of(normalise), "28001 reduction v1");
  EXPECT_EQ(script_of(normalise), "# normalise\n");
  EXPECT_EQ(folder_of(normalise), "/reduced/MARI/RB2010001/normalise/28001/v1");
  EXPECT_EQ(normalise.get().getQueued().getPriority(), 15u);
  settle();
  EXPECT_TRUE(jobs("fit").empty());
  succeed(normalise.get().getJob());
  auto fit = wait_for("fit");
  EXPECT_EQ(sources_of(fit), "28001 normalise v1");
  EXPECT_TRUE(jobs("report").empty());
  succeed(fit.get().getJob());
  EXPECT_EQ(sources_of(wait_for("report")), "28001 fit v1, 28001 reduction v1");
  EXPECT_EQ(jobs("normalise").size(), 1u);
}

TEST_F(StageTest, IsMadeAnewFromANewerVersion) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  reduce(28001);
  succeed(wait_for("normalise").get().getJob());
  succeed(rerun(28001)->get().getJob());
  auto second = wait_for("normalise", 2);
  EXPECT_EQ(sources_of(second), "28001 reduction v2");
  EXPECT_EQ(folder_of(second), "/reduced/MARI/RB2010001/normalise/28001/v2");
}

TEST_F(StageTest, FailedInputStartsNothing) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  detect(28001);
  fail(run(28001).get().getJob());
  settle();
  EXPECT_TRUE(jobs("normalise").empty());
}

TEST_F(StageTest, ExperimentWaitsForTheLastOfItsRuns) {
  set_stage("merge", {"reduction"}, Over::EXPERIMENT);
  detect(28001);
  detect(28002);
  succeed(run(28001).get().getJob());
  settle();
  EXPECT_TRUE(jobs("merge").empty());
  succeed(run(28002).get().getJob());
  auto merge = wait_for("merge");
  EXPECT_EQ(sources_of(merge), "28001 reduction v1, 28002 reduction v1");
  EXPECT_EQ(folder_of(merge), "/reduced/MARI/RB2010001/merge/experiment/v1");
  EXPECT_EQ(merge.get().getQueued().getRuns().size(), 2u);
}

TEST_F(StageTest, ExperimentGoesOnWithoutARunThatFailsAsTheLast) {
  set_stage("merge", {"reduction"}, Over::EXPERIMENT);
  detect(28001);
  detect(28002);
  succeed(run(28001).get().getJob());
  settle();
  fail(run(28002).get().getJob());
  auto merge = wait_for("merge");
  EXPECT_EQ(sources_of(merge), "28001 reduction v1");
  EXPECT_THAT(merge.get().getQueued().getReason().getText().cStr(), HasSubstr("without a result, and left out: MARI 28002"));
}

TEST_F(StageTest, ExperimentGoesOnWhenTheLastOfItsRunsIsCancelledOrSkipped) {
  set_stage("merge", {"reduction"}, Over::EXPERIMENT);
  detect(28001);
  detect(28002);
  succeed(run(28001).get().getJob());
  settle();
  cancel(run(28002).get().getJob());
  EXPECT_EQ(sources_of(wait_for("merge")), "28001 reduction v1");
  detect(28003, "2010002");
  stop();
  detect_only(28004, "2010002");
  succeed(run(28003).get().getJob());
  std::filesystem::remove(served.folder / "reduce.py");
  start();
  EXPECT_EQ(sources_of(wait_for("merge", 2)), "28003 reduction v1");
  EXPECT_EQ(reason(28004), "no_script");
}

TEST_F(StageTest, RunsOfNoExperimentAreNotPutTogether) {
  set_stage("merge", {"reduction"}, Over::EXPERIMENT);
  reduce(28001, "");
  reduce(28002, "0");
  settle();
  EXPECT_TRUE(jobs("merge").empty());
}

TEST_F(StageTest, ExperimentTakesTheResultsOfAStageOverItsRuns) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  set_stage("merge", {"normalise"}, Over::EXPERIMENT);
  reduce(28001);
  auto first = wait_for("normalise", 1);
  reduce(28002);
  auto second = wait_for("normalise", 2);
  succeed(first.get().getJob());
  settle();
  EXPECT_TRUE(jobs("merge").empty()) << "the other one is not there yet";
  succeed(second.get().getJob());
  EXPECT_EQ(sources_of(wait_for("merge")), "28001 normalise v1, 28002 normalise v1");
}

TEST_F(StageTest, StageAfterAnExperimentsTakesItsOneResult) {
  set_stage("merge", {"reduction"}, Over::EXPERIMENT);
  set_stage("fit", {"merge"}, Over::EXPERIMENT);
  detect(28001);
  detect(28002);
  succeed(run(28001).get().getJob());
  succeed(run(28002).get().getJob());
  succeed(wait_for("merge").get().getJob());
  auto fit = wait_for("fit");
  EXPECT_EQ(sources_of(fit), "28001 merge v1");
  EXPECT_EQ(fit.get().getQueued().getRuns().size(), 2u);
}

TEST_F(StageTest, CombinationWaitsForThoseWithoutAResult) {
  set_stage("add", {"reduction"}, Over::RUNS);
  reduce(28001);
  detect(28002);
  combine("add", {28001, 28002});
  settle();
  EXPECT_TRUE(jobs("add").empty());
  restart();
  succeed(run(28002).get().getJob());
  auto add = wait_for("add");
  EXPECT_EQ(sources_of(add), "28001 reduction v1, 28002 reduction v1");
  EXPECT_EQ(folder_of(add), "/reduced/MARI/RB2010001/add/28001-28002/v1");
  EXPECT_THAT(add.get().getQueued().getReason().getText().cStr(), HasSubstr("asked for"));
}

TEST_F(StageTest, CombinationOfWhatIsThereIsMadeAtOnceAndAskedAgainOnceMore) {
  set_stage("add", {"reduction"}, Over::RUNS);
  reduce(28001);
  reduce(28002);
  combine("add", {28001, 28002});
  succeed(wait_for("add").get().getJob());
  combine("add", {28001, 28002});
  EXPECT_EQ(folder_of(wait_for("add", 2)), "/reduced/MARI/RB2010001/add/28001-28002/v2");
}

TEST_F(StageTest, CombinationWithoutAStageBeforeTakesTheRawFiles) {
  set_stage("add", {}, Over::RUNS);
  detect(28001);
  detect(28002);
  combine("add", {28001, 28002});
  auto add = wait_for("add");
  EXPECT_EQ(add.get().getQueued().getSources().size(), 0u);
  ASSERT_EQ(add.get().getQueued().getInputs().size(), 2u);
  EXPECT_EQ(add.get().getQueued().getInputs()[1].getPath(), raw_path(28002));
}

TEST_F(StageTest, CombinationWhoseScriptIsMissingIsMadeOnceItIsThere) {
  set_stage("add", {"reduction"}, Over::RUNS);
  reduce(28001);
  reduce(28002);
  std::filesystem::remove(served.folder / "stages/add.py");
  combine("add", {28001, 28002});
  settle();
  EXPECT_TRUE(jobs("add").empty());
  look_again_ms = 10;
  restart();
  write("stages/add.py", "# add\n");
  settle();
  EXPECT_EQ(script_of(wait_for("add")), "# add\n");
}

TEST_F(StageTest, IsNotMadeTwiceOfTheSameResults) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  reduce(28001);
  wait_for("normalise");
  restart();  // what happened since the last stored position is reacted to once more
  settle();
  EXPECT_EQ(jobs("normalise").size(), 1u);
}

TEST_F(StageTest, ItsVariablesAreItsScriptsOwn) {
  set_stage("normalise", {"reduction"}, Over::RUN);
  write("stages/reduce_vars.py", "standard_vars = {'mon': 3}\n");
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  detect(28001);
  set_variable("mon", "2");
  succeed(run(28001).get().getJob());
  EXPECT_EQ(values_of(wait_for("normalise")), "mon = 3");
}

}  // namespace
}  // namespace coordinator_test
