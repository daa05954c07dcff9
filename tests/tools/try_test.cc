// try: a script of this machine, captured with its folder, sent, waited for.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.h"
#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TryTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    ledger.instruments["MARI"].get().getConfig().setContract(schema::Contract::ISIS);
    write("reduce.py", "import helper\n");
    write("helper.py", "x = 1\n");
    write("unrelated.py", "y = 2\n");
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder.path() / name) << text; }
  std::string script() const { return (folder.path() / "reduce.py").string(); }

  /// What happens once somebody waits for the trial: its job is queued and ends.
  void end_trial(schema::RunState state, const char* reason) {
    ledger.live.push_back([this, state, reason] {
      const uint64_t number = ledger.events.size() + 1;
      auto event = ledger.add_event();
      event.setCause(901);
      auto queued = event.getBody().initJobQueued();
      queued.initRuns(1).setWithCaveats(0, ledger.runs[0].read().getRun());
      queued.setKind(schema::JobKind::TRIAL);
      auto job = ledger.jobs.emplace_back().get();
      job.setJob(number);
      job.setState(state);
      job.getReason().setText(std::string("the trial on MARI 28001: ") + reason);
      job.setQueued(queued);
      job.getQueued().setOutputDirectory((folder.path() / "trial").c_str());
      Message<schema::OutputManifest> manifest;
      auto file = manifest.get().initFiles(1)[0];
      file.setPath("sub/a.nxs");
      file.setSizeBytes(3);
      auto attempt = job.initAttempts(1)[0];
      attempt.setLog(as_data(ledger.add_blob("reading\nwriting")));
      if (state == schema::RunState::FAILED) attempt.setMessage(reason);
      attempt.setOutcome(state == schema::RunState::SUCCEEDED ? schema::AttemptRow::Outcome::SUCCEEDED : schema::AttemptRow::Outcome::FAILED);
      attempt.getOutputs().setManifest(as_data(ledger.add_document(manifest)));
      attempt.getOutputs().setFiles(1);
      ledger.add_event().getBody().initJobSucceeded().setJob(number);  // any end; the row says which
    });
  }
  void lay_out_output() {
    std::filesystem::create_directories(folder.path() / "trial/sub");
    write("trial/sub/a.nxs", "abc");
  }

  support::TemporaryFolder folder;
};

TEST_F(TryTest, SendsTheScriptWithWhatItNeedsAndShowsLogAndOutputs) {
  add_reduced_run();
  end_trial(schema::RunState::SUCCEEDED, "");
  const Ran ran = command({"try", "MARI", "28001", "--script", script(), "--set", "mon=3", "--set", "new=a text", "--interpreter", "mantid", "--comment", "first try"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ledger.asked, ElementsAre("trial MARI 28001 helper.py standard.mon=3 standard.new=\"a text\" with mantid (first try)"));
  EXPECT_THAT(ledger.reducing.files, ElementsAre("import helper\n", "x = 1\n"));
  EXPECT_THAT(ran.out, AllOf(testing::StartsWith("reading\nwriting\n"), HasSubstr("sub/a.nxs   3 B"), HasSubstr("in " + folder.path().string() + "/trial\n"),
                             HasSubstr("the trial succeeded (job 6)\n")));
  EXPECT_THAT(ran.err, HasSubstr("with 1 file of its folder is asked for (event 901)"));
}

TEST_F(TryTest, FailureIsExitCodeTwoAndShowsTheLog) {
  add_reduced_run();
  end_trial(schema::RunState::FAILED, "ValueError: no monitor");
  const Ran ran = command({"try", "MARI", "28001", "--script", script()});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.out, AllOf(testing::StartsWith("reading\nwriting\n"), HasSubstr("the trial failed (job 6): ValueError: no monitor\n")));
}

TEST_F(TryTest, OutputsAreCopied) {
  add_reduced_run();
  lay_out_output();
  end_trial(schema::RunState::SUCCEEDED, "");
  const auto target = folder.path() / "mine";
  EXPECT_EQ(json_of({"try", "MARI", "28001", "--script", script(), "--output", target.string()})["copied_to"], target.string());
  EXPECT_TRUE(std::filesystem::exists(target / "sub/a.nxs"));
}

TEST_F(TryTest, CopyReplacesNothing) {
  add_reduced_run();
  lay_out_output();
  std::filesystem::create_directories(folder.path() / "mine/sub");
  write("mine/sub/a.nxs", "from yesterday");
  end_trial(schema::RunState::SUCCEEDED, "");
  const Ran ran = command({"try", "MARI", "28001", "--script", script(), "--output", (folder.path() / "mine").string()});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("sub/a.nxs cannot be copied"), HasSubstr("File exists; the outputs lie in ")));
  EXPECT_EQ(std::filesystem::file_size(folder.path() / "mine/sub/a.nxs"), 14u);
}

TEST_F(TryTest, OutputsThatCannotBeReadHereStayWhereTheyAre) {
  add_reduced_run();
  end_trial(schema::RunState::SUCCEEDED, "");
  const Ran ran = command({"try", "MARI", "28001", "--script", script(), "--output", (folder.path() / "mine").string()});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("cannot be read here, so nothing is copied"));
}

TEST_F(TryTest, TrialThatGetsNoJobSaysWhy) {
  add_reduced_run();
  ledger.live.push_back([this] {
    auto event = ledger.add_event();
    event.setCause(901);
    auto skipped = event.getBody().initRunSkipped();
    skipped.getRun().setInstrument("MARI");
    skipped.getRun().setRunNumber(28001);
    skipped.getReason().setText("MARI 28001: monitor has no value; give it with --set");
  });
  const Ran ran = command({"try", "MARI", "28001", "--script", script()});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("no trial: MARI 28001: monitor has no value; give it with --set"));
}

TEST_F(TryTest, ScriptThatCannotBeCapturedIsNotSent) {
  add_reduced_run();
  const Ran gone = command({"try", "MARI", "28001", "--script", (folder.path() / "gone.py").string()});
  EXPECT_EQ(gone.exit_code, 2);
  EXPECT_THAT(gone.err, HasSubstr("gone.py"));
  EXPECT_THAT(command({"try", "MARI/28001/v1", "--script", script()}).err, HasSubstr("leave the version out"));
  EXPECT_THAT(ledger.asked, IsEmpty());
}

}  // namespace
}  // namespace fake
