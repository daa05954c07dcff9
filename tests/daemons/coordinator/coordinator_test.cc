// coordinatord against a real ledger in process.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/daemons/coordinator/coordinated.h"

namespace coordinator_test {
namespace {

class CoordinatorTest : public Coordinated {};

TEST_F(CoordinatorTest, NewRunIsQueuedWithTheScriptOnRecord) {
  detect(28001);
  EXPECT_EQ(state(28001), RunState::QUEUED);
  auto job = ledger::find_job(*served.ledger->snapshot(), served.run(28001).get().getJob());
  EXPECT_EQ(job->get().getQueued().getScriptSha256(), served.mari().get().getScript().getSha256());
}

TEST_F(CoordinatorTest, JobTheLedgerRefusesSkipsTheRunWithTheReason) {
  // Symptom: a run whose job was refused stayed "detected" for ever, and no reason was to be found.
  refuse([](Body::Reader body) { return body.isQueueJob() && body.getQueueJob().getRuns()[0].getRunNumber() == 28001; });
  served.must(support::detect_run("detect28001", "MARI", 28001));
  detect(28002);
  EXPECT_EQ(state(28002), RunState::QUEUED);
  EXPECT_EQ(state(28001), RunState::SKIPPED);
  auto run = served.run(28001);
  EXPECT_EQ(run.get().getReason().getCode(), "not_queued");
  EXPECT_THAT(run.get().getReason().getText().cStr(), HasSubstr("MARI 28001: the ledger refused the job: the test refuses it"));
}

TEST_F(CoordinatorTest, RequestWhoseJobIsRefusedMayBeMadeAgain) {
  // Symptom: after a refused job every further rerun was answered "is about to be queued; wait for it".
  refuse([](Body::Reader body) { return body.isQueueJob() && body.getQueueJob().getRuns()[0].getRunNumber() == 28001; });
  detect(28001);
  uint64_t asked = request(28001);
  EXPECT_EQ(served.run(28001).get().getPendingRequest(), asked);
  detect(28002);
  EXPECT_EQ(served.run(28001).get().getPendingRequest(), 0u);
  EXPECT_EQ(served.run(28001).get().getReason().getCode(), "not_queued");
  refuse([](Body::Reader) { return false; });
  request(28001);
  detect(28003);
  EXPECT_EQ(state(28001), RunState::QUEUED);
}

TEST_F(CoordinatorTest, ScriptWithoutVariablesIsOnRecordWithoutAny) {
  detect(28001);
  detect(28002);
  auto mari = served.mari();
  auto script = mari.get().getScript();
  EXPECT_EQ(script.getSha256().size(), 32u);
  EXPECT_EQ(script.getDefaults().size(), 0u);
  EXPECT_EQ(script.getProblem(), "");
  EXPECT_EQ(ledger::scripts(*served.ledger->snapshot(), "MARI").size(), 1u);
  EXPECT_EQ(state(28002), RunState::QUEUED);
}

TEST_F(CoordinatorTest, ScriptWhoseVariablesAreRefusedIsOnRecordWithTheReason) {
  // Symptom: a script whose variables the ledger did not take was never on record, and runs went on without a word about it.
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  refuse([](Body::Reader body) { return body.isRegisterScript() && body.getRegisterScript().getDefaults().size() > 0; });
  detect(28001);
  detect(28002);
  auto mari = served.mari();
  auto script = mari.get().getScript();
  EXPECT_EQ(script.getSiblings().size(), 1u);
  EXPECT_EQ(script.getDefaults().size(), 0u);
  EXPECT_EQ(script.getProblem(), "the test refuses it");
  EXPECT_EQ(ledger::scripts(*served.ledger->snapshot(), "MARI").size(), 1u);
  EXPECT_EQ(state(28001), RunState::SKIPPED);
  EXPECT_EQ(served.run(28001).get().getReason().getCode(), "variables_unknown");
  refuse([](Body::Reader) { return false; });
  detect(28003);
  EXPECT_EQ(state(28003), RunState::QUEUED);
  EXPECT_EQ(served.mari().get().getScript().getDefaults().size(), 32u) << "it is tried again with the next run";
}

TEST_F(CoordinatorTest, RunIsSkippedWhileItsScriptsVariablesCannotBeRead) {
  // Symptom: it was reduced without any of the values people had set, and nobody was told.
  write("reduce_vars.py", "standard_vars = {'mon': 1\n");
  detect(28001);
  auto run = served.run(28001);
  EXPECT_EQ(state(28001), RunState::SKIPPED);
  EXPECT_EQ(run.get().getReason().getCode(), "variables_unknown");
  EXPECT_THAT(run.get().getReason().getText().cStr(),
              testing::MatchesRegex("MARI 28001: the variables of MARI's script are not known: .*reduce_vars.py, line 1: SyntaxError.*mend that.*"));
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  request(28001);
  detect(28002);
  EXPECT_EQ(state(28001), RunState::QUEUED);
  EXPECT_EQ(state(28002), RunState::QUEUED);
}

TEST_F(CoordinatorTest, ValueTheScriptHasNoVariableForIsNamedWithTheJob) {
  // Symptom: when a variable was taken out of the script, what was set for it was dropped without a word.
  write("reduce_vars.py", "standard_vars = {'mon': 1, 'mask': ''}\n");
  detect(28001);
  set_variable("mask", "\"m.xml\"");
  write("reduce_vars.py", "standard_vars = {'mon': 1}\n");
  detect(28002);
  auto job = ledger::find_job(*served.ledger->snapshot(), served.run(28002).get().getJob());
  EXPECT_THAT(job->get().getQueued().getReason().getText().cStr(),
              HasSubstr("; set but not used, as its script has no such variable: mask"));
}

TEST_F(CoordinatorTest, DenialIsTheReasonItEndsWith) {
  // Symptom: with a wrong credential the log showed the source's own condition, "expected response.getRefusal().getCode() == ...".
  class DenyingSession final : public schema::Session::Server {
    kj::Promise<void> daemon(DaemonContext context) override {
      context.getResults().initRefusal().setCode(schema::Refusal::Code::PERMISSION_DENIED);
      context.getResults().getRefusal().setText("alice is no daemon");
      return kj::READY_NOW;
    }
  };
  daemons::Coordinator denied{served.loop, kj::heap<DenyingSession>(), {base::shared_file("run_script.py"), served.folder / "other", served.folder / "trials"}, *launcher};
  auto end = denied.run().then([] { return std::string(); }, [](kj::Exception&& problem) { return std::string(problem.getDescription().cStr()); });
  EXPECT_EQ(served.loop.wait(kj::mv(end)), "the ledger does not let coordinatord work: alice is no daemon");
}

TEST_F(CoordinatorTest, InstrumentWhoseVariablesTakeForEverDelaysNoOther) {
  // Symptom: one endless reduce_vars.py made every run of the facility wait, 30 s for each of its own runs.
  std::filesystem::path pipe = served.folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  write("reduce_vars.py", "standard_vars = {'mon': len(open('" + pipe.string() + "').read())}\n");
  std::filesystem::create_directory(served.folder / "let");
  auto configure = support::configure_instrument("configure-let", "LET");
  configure.get().getBody().getConfigureInstrument().setScriptPath((served.folder / "let/reduce.py").string());
  write("let/reduce.py", "def main(input_file, output_dir):\n    pass\n");
  served.must(configure);
  served.must(support::detect_run("detect28001", "MARI", 28001));
  served.must(support::detect_run("detect-let", "LET", 1));
  served.until([&] { return ledger::find_run(*served.ledger->snapshot(), "LET", 1)->get().getState() != RunState::DETECTED; });
  EXPECT_EQ(ledger::find_run(*served.ledger->snapshot(), "LET", 1)->get().getState(), RunState::QUEUED);
  ASSERT_EQ(state(28001), RunState::DETECTED);  // else nobody opens the pipe
  EXPECT_LT(served.ledger->snapshot()->position("coordinatord"), served.run(28001).get().getRevisedSeq());
  served.loop.wait(served.loop.on_pool([pipe] { close(open(pipe.c_str(), O_WRONLY)); }));  // opening it waits for the reader
  served.until([&] { return state(28001) != RunState::DETECTED; });
  EXPECT_EQ(state(28001), RunState::QUEUED);
}

}  // namespace
}  // namespace coordinator_test
