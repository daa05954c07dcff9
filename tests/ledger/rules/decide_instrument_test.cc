#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DecideInstrumentTest : public ::testing::Test {
 protected:
  DecideInstrumentTest() { story.configure(); }
  Told configure_with(const std::function<void(schema::InstrumentConfigured::Builder)>& change) {
    return story.tell([&](schema::Command::Builder command) {
      auto known = ledger::find_instrument(story.rows(), "MARI");
      command.getBody().setConfigureInstrument(known->get().getConfig());
      change(command.getBody().getConfigureInstrument());
    });
  }
  Story story;
};

TEST_F(DecideInstrumentTest, SameConfigurationAgainIsNothingNew) {
  EXPECT_THAT(story.configure().events, IsEmpty());
  EXPECT_THAT(story.kinds(configure_with([](auto config) { config.setTimeLimitMs(5); })), ElementsAre("instrumentConfigured"));
  EXPECT_EQ(ledger::list_instruments(story.rows()).size(), 1u);
}

TEST_F(DecideInstrumentTest, WhatSurroundsTheScriptIsCheckedAndCounts) {
  auto interpreter = [&](const char* name, const char* path, uint32_t times = 1) {
    return configure_with([=](auto config) {
      for (auto each : config.initInterpreters(times)) {
        each.setName(name);
        each.setPath(path);
      }
    });
  };
  EXPECT_TRUE(interpreter("nightly", "/opt/nightly/bin/python").first());
  EXPECT_THAT(interpreter("nightly", "/opt/nightly/bin/python").events, IsEmpty());
  EXPECT_TRUE(interpreter("nightly", "/opt/other/bin/python").first());
  EXPECT_TRUE(refused(interpreter("nightly", "/a", 2), Code::kInvalidArgument, "interpreter nightly is given twice"));
  EXPECT_TRUE(refused(interpreter("instrument", "/a"), Code::kInvalidArgument, "is the instrument's own"));
  EXPECT_TRUE(refused(interpreter("nightly", ""), Code::kInvalidArgument, "has no path"));
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setCondaPython("/opt/conda/bin/python"); }), Code::kInvalidArgument, "has no {env}"));
  EXPECT_TRUE(configure_with([](auto config) { config.setCondaPython("/opt/conda/envs/{env}/bin/python"); }).first());
  EXPECT_TRUE(refused(configure_with([](auto config) { config.initStderrAllowed(1).set(0, "(warning"); }), Code::kInvalidArgument,
                      "stderr_allowed '(warning' is no regular expression"));
  EXPECT_TRUE(configure_with([](auto config) { config.initStderrAllowed(1).set(0, "^warning"); }).first());
  EXPECT_TRUE(configure_with([](auto config) { config.setStderrFails(true); }).first());
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setFlatFolder("flat"); }), Code::kInvalidArgument, "is not an absolute path"));
  EXPECT_TRUE(configure_with([](auto config) { config.setFlatFolder("/reduced/flat/{experiment}"); }).first());
  EXPECT_TRUE(refused(configure_with([](auto config) { config.initSupportUrls(1).set(0, "masks.example"); }), Code::kInvalidArgument,
                      "is no beginning of a url"));
  EXPECT_TRUE(configure_with([](auto config) { config.initSupportUrls(1).set(0, "https://masks.example/"); }).first());
}

class RetiredInstrumentTest : public DecideInstrumentTest {
 protected:
  Told retire() {
    return configure_with([](auto config) { config.setRetired(true); });
  }
};

TEST_F(RetiredInstrumentTest, TakesNoNewFile) {
  story.detect(1);
  EXPECT_THAT(story.kinds(retire()), ElementsAre("instrumentConfigured"));
  EXPECT_THAT(retire().events, IsEmpty());
  EXPECT_TRUE(refused(story.detect(2), Code::kConflict, "MARI was taken out of site.toml"));
  EXPECT_TRUE(refused(story.refuse_file(3, "/archive/MARI3.raw"), Code::kConflict, "MARI was taken out of site.toml"));
  EXPECT_FALSE(ledger::find_run(story.rows(), "MARI", 2));
}

TEST_F(RetiredInstrumentTest, KeepsItsRunsAndFinishesWhatWasBegun) {
  story.detect(1);
  uint64_t job = story.queue(1).first();
  retire();
  story.join();
  story.complete(job);
  EXPECT_EQ(story.run_state(1), "succeeded");
  EXPECT_TRUE(story.request(1).ok()) << "old runs may still be reduced again";
  EXPECT_EQ(ledger::total_runs(story.rows(), "MARI"), 1u);
}

TEST_F(RetiredInstrumentTest, IsRevivedByItsTable) {
  story.detect(1);
  retire();
  EXPECT_THAT(story.kinds(story.configure()), ElementsAre("instrumentConfigured"));
  EXPECT_THAT(story.kinds(story.detect(2)), ElementsAre("runDetected"));
  EXPECT_EQ(ledger::total_runs(story.rows(), "MARI"), 2u);
  EXPECT_EQ(story.refold().tables(), story.rows().tables());
}

TEST_F(DecideInstrumentTest, BadConfigurationNamesInstrumentAndField) {
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setInstrument("mari"); }), Code::kInvalidArgument,
                      "'mari' is no instrument name"));
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setInstrument(std::string(33, 'A')); }), Code::kInvalidArgument,
                      "no instrument name"));
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setContract(schema::Contract::UNSET); }), Code::kInvalidArgument,
                      "contract"));
  EXPECT_TRUE(refused(configure_with([](auto config) { config.initRawFolders(0); }), Code::kInvalidArgument, "raw files"));
  EXPECT_TRUE(
      refused(configure_with([](auto config) { config.getRawFolders().set(0, "data"); }), Code::kInvalidArgument, "absolute"));
  EXPECT_TRUE(
      refused(configure_with([](auto config) { config.setOutputPattern("/out/{run}"); }), Code::kInvalidArgument, "{version}"));
  EXPECT_TRUE(refused(configure_with([](auto config) { config.setDetect("guess"); }), Code::kInvalidArgument, "guess"));
}

TEST_F(DecideInstrumentTest, PauseHoldsItsQueueAndResumeReleasesItInOrder) {
  story.configure("MERLIN");
  story.join();
  std::vector<uint64_t> jobs;
  for (uint64_t run : {1, 2, 3}) {
    story.detect(run);
    jobs.push_back(story.queue(run).first());
  }
  story.detect(9, "raw", {}, "2010001", "MERLIN");
  uint64_t other = story.queue(9, {}, 0, "MERLIN").first();
  story.start(jobs[0]);

  Told paused = story.as_person("alice").pause();
  EXPECT_THAT(story.kinds(paused), ElementsAre("instrumentPaused", "jobHeld", "jobHeld"));
  EXPECT_EQ(story.job_state(jobs[0]), "running");
  EXPECT_EQ(story.job_state(jobs[1]), "held");
  EXPECT_EQ(story.job_state(other), "queued");
  EXPECT_EQ(ledger::next_waiting_job(story.rows()), other);
  EXPECT_EQ(ledger::waiting_jobs(story.rows(), "MARI"), 2u);

  Told resumed = story.resume();
  EXPECT_THAT(story.kinds(resumed), ElementsAre("instrumentResumed", "jobReleased", "jobReleased"));
  EXPECT_EQ(story.event(resumed.events[1]).getBody().getJobReleased().getJob(), jobs[1]);
  EXPECT_EQ(story.event(resumed.events[1]).getCause(), resumed.first());
  EXPECT_EQ(ledger::next_waiting_job(story.rows()), jobs[1]);
}

TEST_F(DecideInstrumentTest, SecondPauseSaysWhoPausedItAndWhen) {
  story.as_person("alice").pause();
  Told again = story.as_person("bob").pause();
  EXPECT_TRUE(refused(again, Code::kConflict, "MARI is paused already, since 2027-"));
  EXPECT_THAT(again.status.message(), HasSubstr("by alice (alice paused MARI: vanadium first)"));
  story.resume();
  EXPECT_TRUE(refused(story.resume(), Code::kConflict, "MARI is not paused"));
}

TEST_F(DecideInstrumentTest, ScriptIsRegisteredOncePerContent) {
  EXPECT_THAT(story.kinds(story.register_script("one", {{"mon", "2"}})), ElementsAre("scriptRegistered"));
  EXPECT_THAT(story.register_script("one", {{"mon", "2"}}).events, IsEmpty());
  EXPECT_EQ(story.register_script("one", {{"mon", "3"}}).events.size(), 1u);
  EXPECT_EQ(story.register_script("two", {{"mon", "3"}}).events.size(), 1u);
  EXPECT_EQ(story.register_script("one", {{"mon", "2"}}).events.size(), 1u);
  auto scripts = ledger::scripts(story.rows(), "MARI");
  ASSERT_EQ(scripts.size(), 4u);
  EXPECT_LT(scripts[0].get().getSeq(), scripts[1].get().getSeq());
}

TEST_F(DecideInstrumentTest, ScriptThatDiffersOnlyInItsProblemIsRegisteredAnew) {
  auto tell = [&](std::string problem) {
    return story.tell([&](schema::Command::Builder command) {
      command.initBlobs(1).set(0, ledger::data("script"));
      auto script = command.getBody().initRegisterScript();
      script.setInstrument("MARI");
      script.setContract(schema::Contract::ISIS);
      script.setPath("/scripts/reduce.py");
      script.setSha256(ledger::data(hash_of("script")));
      script.setProblem(problem);
    });
  };
  EXPECT_THAT(story.kinds(tell("reduce_vars.py line 3: SyntaxError")), ElementsAre("scriptRegistered"));
  EXPECT_THAT(tell("reduce_vars.py line 3: SyntaxError").events, IsEmpty());
  EXPECT_THAT(story.kinds(tell("")), ElementsAre("scriptRegistered"));
  EXPECT_EQ(ledger::find_instrument(story.rows(), "MARI")->get().getScript().getProblem(), "");
}

TEST_F(DecideInstrumentTest, ScriptVariablesMustBeReadable) {
  Told told = story.tell([](schema::Command::Builder command) {
    auto blobs = command.initBlobs(2);
    blobs.set(0, ledger::data("script"));
    blobs.set(1, ledger::data("rubbish!"));
    auto script = command.getBody().initRegisterScript();
    script.setInstrument("MARI");
    script.setContract(schema::Contract::ISIS);
    script.setPath("/scripts/reduce.py");
    script.setSha256(ledger::data(hash_of("script")));
    script.setDefaults(ledger::data(hash_of("rubbish!")));
  });
  EXPECT_TRUE(refused(told, Code::kInvalidArgument, "the script's variables cannot be read"));
}

}  // namespace
}  // namespace rules_test
