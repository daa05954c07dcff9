// What a job is made of: the script, the values and the interpreter that were asked for, or the reason why there is no job.
#include "ledger/event_bytes.h"
#include "tests/daemons/coordinator/coordinated.h"

namespace coordinator_test {
namespace {

using Choice = schema::ReductionRequested::ScriptChoice;

class ChoiceTest : public Coordinated {
 protected:
  void given(schema::ReductionRequested::Builder asked, const std::string& name, const std::string& json) {
    auto value = asked.initVariables(1)[0];
    value.setName(name);
    value.setValue(json);
  }
};

TEST_F(ChoiceTest, ValueOfAnotherTypeThanTheScriptHasNowMakesNoJob) {
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  detect(28001);
  const uint64_t set = set_variable("mon", "2", [](auto change) { change.getScope().setExperiment("2010001"); });
  write("reduce_vars.py", "standard_vars = {'mon': 'short'}\n");
  detect(28002);
  EXPECT_EQ(state(28002), RunState::SKIPPED);
  EXPECT_EQ(reason(28002), "variables_wrong");
  EXPECT_THAT(sentence(28002), HasSubstr("MARI 28002: variable mon of MARI: 2 is a whole number, but the script's own \"short\" is a text"));
  EXPECT_THAT(sentence(28002), HasSubstr("(set by alice for its experiment, event " + std::to_string(set) + ")"));
  detect(28003, "2010002");
  EXPECT_EQ(state(28003), RunState::QUEUED) << "nothing is set for that experiment";
}

TEST_F(ChoiceTest, NameThatSomebodySetForTheExperimentAndTheScriptHasNotMakesNoJob) {
  write("reduce_vars.py", "standard_vars = {'mon': 1, 'mask': ''}\n");
  detect(28001);
  const uint64_t set = set_variable("mask", "\"m.xml\"", [](auto change) { change.getScope().setExperiment("2010001"); });
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  detect(28002);
  EXPECT_EQ(reason(28002), "variables_wrong");
  EXPECT_THAT(sentence(28002), HasSubstr("the script has no variable mask (set by alice for experiment 2010001, event " + std::to_string(set) + "); it has mon"));
}

TEST_F(ChoiceTest, PlaceOfATemplateThatNobodySetIsNamed) {
  std::filesystem::create_directories(served.folder / "sns");
  write("sns/reduce_ARCS.py.template", "mask = ${mask}\ngrid = ${grid}\n");
  write("sns/reduce_ARCS_default.py", "mask = 'm.xml'\n");
  configure("ARCS", "sns/reduce_ARCS.py.template", [](auto config) { config.setContract(schema::Contract::SNS); });
  detect(7, "2010001", "ARCS");
  auto row = run(7, "ARCS");
  EXPECT_EQ(row.get().getState(), RunState::SKIPPED);
  EXPECT_EQ(row.get().getReason().getCode(), "variables_missing");
  EXPECT_THAT(row.get().getReason().getText().cStr(), HasSubstr("ARCS 7: its script has places that nobody set a value for: grid;"));
}

TEST_F(ChoiceTest, StoredScriptNeedsNothingOfTheShare) {
  write("reduce_vars.py", "standard_vars = {'mon': 1, 'mask': '" + (served.folder / "mask.xml").string() + "'}\n");
  write("mask.xml", "<first/>");
  detect(28001);
  auto first = job(run(28001).get().getJob());
  ASSERT_EQ(first.get().getQueued().getSupportFiles().size(), 1u);
  succeed(first.get().getJob());
  for (const char* name : {"reduce.py", "reduce_vars.py", "mask.xml"}) std::filesystem::remove(served.folder / name);
  auto again = rerun(28001, [](auto asked) { asked.setScript(Choice::STORED); });
  ASSERT_TRUE(again) << last_problem(28001);
  EXPECT_EQ(script_of(*again), script_of(first));
  EXPECT_EQ(values_of(*again), values_of(first));
  ASSERT_EQ(again->get().getQueued().getSupportFiles().size(), 1u);
  EXPECT_EQ(blob(again->get().getQueued().getSupportFiles()[0].getSha256()), "<first/>");
}

TEST_F(ChoiceTest, CurrentScriptWithTheValuesOfAVersionKeepsItsSupportFiles) {
  write("reduce_vars.py", "standard_vars = {'mask': '" + (served.folder / "mask.xml").string() + "'}\n");
  write("mask.xml", "<first/>");
  reduce(28001);
  write("mask.xml", "<second one/>");
  auto same = rerun(28001);
  ASSERT_TRUE(same) << last_problem(28001);
  ASSERT_EQ(same->get().getQueued().getSupportFiles().size(), 1u);
  EXPECT_EQ(blob(same->get().getQueued().getSupportFiles()[0].getSha256()), "<first/>");
  succeed(same->get().getJob());
  auto fresh = rerun(28001, [](auto asked) { asked.setFreshVariables(true); });
  ASSERT_TRUE(fresh) << last_problem(28001);
  ASSERT_EQ(fresh->get().getQueued().getSupportFiles().size(), 1u);
  EXPECT_EQ(blob(fresh->get().getQueued().getSupportFiles()[0].getSha256()), "<second one/>");
}

TEST_F(ChoiceTest, StoredScriptWithFreshValuesHasTheDefaultsThatWereItsOwn) {
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  reduce(28001);
  write("reduce_vars.py", "standard_vars = {'mon': 9, 'grid': 2}\n");
  detect(28002);
  auto again = rerun(28001, [](auto asked) {
    asked.setScript(Choice::STORED);
    asked.setFreshVariables(true);
  });
  ASSERT_TRUE(again) << last_problem(28001);
  EXPECT_EQ(values_of(*again), "mon = 1");
}

TEST_F(ChoiceTest, GivenValueWins) {
  write("reduce_vars.py", "standard_vars = {'mon': 1, 'grid': 2}\n");
  reduce(28001);
  auto again = rerun(28001, [&](auto asked) {
    asked.setScript(Choice::STORED);
    given(asked, "mon", "5");
  });
  ASSERT_TRUE(again) << last_problem(28001);
  EXPECT_EQ(values_of(*again), "grid = 2, mon = 5");
}

TEST_F(ChoiceTest, InterpreterIsTheOneThatIsNamed) {
  configure("MARI", "reduce.py", [](auto config) {
    auto named = config.initInterpreters(1)[0];
    named.setName("nightly");
    named.setPath("/opt/nightly/python3");
  });
  reduce(28001);
  auto nightly = rerun(28001, [](auto asked) { asked.setInterpreter("nightly"); });
  ASSERT_TRUE(nightly) << last_problem(28001);
  EXPECT_STREQ(nightly->get().getQueued().getInterpreter().cStr(), "/opt/nightly/python3");
  succeed(nightly->get().getJob());
  auto stored = rerun(28001, [](auto asked) { asked.setScript(Choice::STORED); });
  EXPECT_STREQ(stored->get().getQueued().getInterpreter().cStr(), "/opt/nightly/python3") << "as the version that is repeated";
  succeed(stored->get().getJob());
  auto own = rerun(28001, [](auto asked) {
    asked.setScript(Choice::STORED);
    asked.setInterpreter("instrument");
  });
  EXPECT_STREQ(own->get().getQueued().getInterpreter().cStr(), "/usr/bin/python3");
}

TEST_F(ChoiceTest, InterpreterTakenOutMeanwhileIsSaid) {
  stop();
  detect_only(28001);
  configure("MARI", "reduce.py", [](auto config) {
    auto named = config.initInterpreters(1)[0];
    named.setName("nightly");
    named.setPath("/opt/nightly/python3");
  });
  start();
  served.until([&] { return state(28001) == RunState::QUEUED; });
  succeed(run(28001).get().getJob());
  stop();
  request(28001, [](auto asked) { asked.setInterpreter("nightly"); });
  configure("MARI", "reduce.py");
  start();
  served.until([&] { return run(28001).get().getPendingRequest() == 0; });
  EXPECT_EQ(run(28001).get().getJobs().size(), 1u);
  EXPECT_THAT(last_problem(28001), HasSubstr("MARI has no interpreter nightly: name it in site.toml"));
}

// ---- trials ----

class TrialTest : public Coordinated {
 protected:
  using Fill = std::function<void(schema::TrialRequested::Builder)>;
  /// The job of the trial; 0 = none was made.
  uint64_t attempt(uint64_t number, const std::string& text, const Fill& fill = {}) {
    support::CommandMessage command(id("trial"));
    auto wanted = command.get().getBody().initRequestTrial();
    wanted.initRun().setInstrument("MARI");
    wanted.getRun().setRunNumber(number);
    wanted.setScriptPath("/home/alice/mine.py");
    const base::Sha256 hash = command.blob(text);
    wanted.setScriptSha256(support::data(hash));
    if (fill) fill(wanted);
    const uint64_t asked = served.must(command);
    uint64_t made = 0;
    served.until([&] {
      why_.clear();
      for (uint64_t seq = asked + 1; seq <= served.service->head(); ++seq) {
        auto words = served.ledger->snapshot()->event(seq).value();
        ledger::StoredEvent stored(words);
        auto event = stored.get();
        if (event.getCause() != asked) continue;
        if (event.getBody().isJobQueued()) made = seq;
        if (event.getBody().isRunSkipped()) why_ = event.getBody().getRunSkipped().getReason().getText().cStr();
      }
      return made != 0 || !why_.empty();
    });
    return made;
  }
  std::string why_;  // there is no job
};

TEST_F(TrialTest, IsNobodysVersionInAFolderOfItsOwn) {
  reduce(28001);
  const uint64_t id = attempt(28001, "def main(input_file, output_dir):\n    raise ValueError\n");
  ASSERT_NE(id, 0u) << why_;
  auto trial = job(id);
  EXPECT_EQ(trial.get().getQueued().getKind(), schema::JobKind::TRIAL);
  EXPECT_EQ(trial.get().getQueued().getVersion(), 0u);
  EXPECT_EQ(trial.get().getQueued().getPriority(), 12u);
  EXPECT_EQ(trial.get().getQueued().getOutputDirectory(), (served.folder / "trials" / std::to_string(id)).string());
  EXPECT_THAT(script_of(trial), HasSubstr("raise ValueError"));
  EXPECT_EQ(run(28001).get().getVersion(), 1u);
  EXPECT_EQ(state(28001), RunState::SUCCEEDED);
}

TEST_F(TrialTest, ValuesAreTheTrialsOwnThenSetThenGiven) {
  write("reduce_vars.py", "standard_vars = {'mon': 1, 'grid': 1}\n");
  reduce(28001);
  set_variable("mon", "2");
  set_variable("grid", "2");
  const uint64_t id = attempt(28001, "import reduce_vars\ndef main(input_file, output_dir):\n    pass\n", [&](auto wanted) {
    support::CommandMessage texts("texts");
    auto sibling = wanted.initSiblings(1)[0];
    sibling.setName("reduce_vars.py");
    const base::Sha256 hash = base::sha256("standard_vars = {'mon': 1, 'grid': 1}\n");  // stored with the instrument's own
    sibling.setSha256(support::data(hash));
    auto value = wanted.initVariables(1)[0];
    value.setName("grid");
    value.setValue("7");
  });
  ASSERT_NE(id, 0u) << why_;
  EXPECT_EQ(values_of(job(id)), "grid = 7, mon = 2");
}

TEST_F(TrialTest, WhatMakesNoJobIsSaidInTheHistoryOfTheRun) {
  reduce(28001);
  EXPECT_EQ(attempt(28001, "def main(input_file, output_dir):\n    pass\n",
                    [](auto wanted) {
                      auto value = wanted.initVariables(1)[0];
                      value.setName("mun");
                      value.setValue("7");
                    }),
            0u);
  EXPECT_THAT(why_, HasSubstr("MARI 28001: the script has no variable mun (given by alice, event"));
  EXPECT_EQ(state(28001), RunState::SUCCEEDED);
}

}  // namespace
}  // namespace coordinator_test
