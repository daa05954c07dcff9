#include <gmock/gmock.h>

#include "tests/ledger/rules/story.h"

namespace rules_test {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DecideRunTest : public ::testing::Test {
 protected:
  DecideRunTest() { EXPECT_TRUE(story.configure().ok()); }
  Story story;
};

TEST_F(DecideRunTest, NewFileMakesARun) {
  EXPECT_THAT(story.kinds(story.detect(28001, "raw", {}, "2010001", "MARI", {"2 NXentry groups"})), ElementsAre("runDetected"));
  auto row = story.run(28001);
  auto run = row.get();
  EXPECT_EQ(story.run_state(28001), "detected");
  EXPECT_EQ(run.getExperiment(), "2010001");
  EXPECT_EQ(run.getTitle(), "title of raw");
  EXPECT_EQ(run.getRawFiles().size(), 1u);
  EXPECT_EQ(run.getRevisedSeq(), story.head());
  EXPECT_THAT(story.problems(28001), ElementsAre("2 NXentry groups"));
}

TEST_F(DecideRunTest, UnknownInstrumentIsNotFound) {
  EXPECT_TRUE(refused(story.detect(1, "raw", {}, {}, "MERLIN"), Code::kNotFound, "no instrument MERLIN is configured"));
}

TEST_F(DecideRunTest, RunNumberZeroIsRefused) { EXPECT_TRUE(refused(story.detect(0), Code::kInvalidArgument, "run number")); }

TEST_F(DecideRunTest, SameFileAgainIsNothingNew) {
  story.detect(28001);
  Told again = story.detect(28001);
  EXPECT_TRUE(again.ok());
  EXPECT_THAT(again.events, IsEmpty());
}

TEST_F(DecideRunTest, RewrittenFileRevisesTheRunAndReplacesItsProblems) {
  story.detect(28001, "short", {}, "2010001", "MARI", {"no end time"});
  EXPECT_THAT(story.kinds(story.detect(28001, "whole", {}, "2010002", "MARI", {"2 NXentry groups"})), ElementsAre("runRevised"));
  EXPECT_THAT(story.problems(28001), ElementsAre("2 NXentry groups"));
  EXPECT_EQ(story.run(28001).get().getRevisedSeq(), story.head());
  EXPECT_EQ(story.run(28001).get().getExperiment(), "2010002");
}

TEST_F(DecideRunTest, CopyElsewhereIsNotedOnce) {
  story.detect(28001);
  EXPECT_THAT(story.kinds(story.detect(28001, "raw", "/archive/copy/28001.nxs")), ElementsAre("runAnnotated"));
  EXPECT_THAT(story.detect(28001, "raw", "/archive/copy/28001.nxs").events, IsEmpty());
  EXPECT_THAT(story.problems(28001), IsEmpty());
}

TEST_F(DecideRunTest, OtherFileOfTheSameNumberIsAProblemAndTheFirstIsKept) {
  story.detect(28001);
  story.detect(28001, "other", "/archive/copy/28001.nxs");
  ASSERT_EQ(story.problems(28001).size(), 1u);
  EXPECT_THAT(story.problems(28001)[0], HasSubstr("run 28001 is also claimed by /archive/copy/28001.nxs"));
  EXPECT_EQ(story.run(28001).get().getRawFiles()[0].getPath(), "/archive/MARI/28001.nxs");
  EXPECT_THAT(story.detect(28001, "other", "/archive/copy/28001.nxs").events, IsEmpty());
  EXPECT_THAT(story.kinds(story.detect(28001, "a third", "/archive/copy/28001.nxs")), ElementsAre("runAnnotated"));
}

TEST_F(DecideRunTest, RefusedFileMakesARefusedRunUntilAGoodOneComes) {
  EXPECT_THAT(story.kinds(story.refuse_file(7709, "/archive/MARI/INTER00007709.raw")), ElementsAre("rawFileRefused"));
  EXPECT_EQ(story.run_state(7709), "refused");
  EXPECT_EQ(story.reason_code(7709), "isis_raw");
  story.detect(7709, "good", "/archive/MARI/INTER00007709.nxs");
  EXPECT_EQ(story.run_state(7709), "detected");
  EXPECT_THAT(story.problems(7709), ElementsAre("INTER00007709.raw: ISIS RAW is not read; not used"));
  EXPECT_EQ(ledger::run_counts(story.rows())[static_cast<size_t>(schema::RunState::REFUSED)], 0u);
}

TEST_F(DecideRunTest, EveryRefusedCompanionStaysOnRecord) {
  story.refuse_file(7, "/archive/MARI/a7.raw", "isis_raw", "MARI a7.raw: ISIS RAW");
  story.refuse_file(7, "/archive/MARI/b7.zip", "zip", "MARI b7.zip: a ZIP archive");
  EXPECT_EQ(story.reason_code(7), "zip");
  story.detect(7, "good", "/archive/MARI/c7.nxs");
  EXPECT_THAT(story.problems(7), ElementsAre("a7.raw: ISIS RAW; not used", "b7.zip: a ZIP archive; not used"));
}

TEST_F(DecideRunTest, MendedFileIsTakenWithoutItsOldProblem) {
  story.refuse_file(7, "/archive/MARI/7.nxs", "not_hdf5", "7.nxs: no HDF5 file");
  story.detect(7, "good", "/archive/MARI/7.nxs");
  EXPECT_EQ(story.run_state(7), "detected");
  EXPECT_THAT(story.problems(7), IsEmpty());
}

TEST_F(DecideRunTest, RefusalIsRecordedOncePerContentAndReason) {
  story.refuse_file(0, "/archive/MARI/notes.txt", "text_mode");
  EXPECT_THAT(story.refuse_file(0, "/archive/MARI/notes.txt", "text_mode").events, IsEmpty());
  EXPECT_EQ(story.refuse_file(0, "/archive/MARI/notes.txt", "html").events.size(), 1u);
  EXPECT_EQ(story.refuse_file(0, "/archive/MARI/notes.txt", "html", "html", "old", 2).events.size(), 1u);
  EXPECT_FALSE(ledger::find_run(story.rows(), "MARI", 0));
  auto file = ledger::find_file(story.rows(), "MARI", "/archive/MARI/notes.txt");
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->get().getRefused());
  EXPECT_EQ(file->get().getReason().getCode(), "html");
}

TEST_F(DecideRunTest, OwnFileGoneBadIsAProblemThatLeavesTheStateAlone) {
  story.detect(28001);
  story.refuse_file(28001, "/archive/MARI/28001.nxs", "not_hdf5", "28001.nxs: no HDF5 file");
  EXPECT_EQ(story.run_state(28001), "detected");
  EXPECT_THAT(story.problems(28001), ElementsAre("28001.nxs: no HDF5 file; it was taken as this run's raw file before"));
  EXPECT_THAT(story.kinds(story.detect(28001)), ElementsAre("runAnnotated"));
  EXPECT_FALSE(ledger::find_file(story.rows(), "MARI", "/archive/MARI/28001.nxs")->get().getRefused());
}

TEST_F(DecideRunTest, SkippedRunShowsWhyAndARevisionAsksAnew) {
  story.detect(28001);
  EXPECT_THAT(story.kinds(story.skip_run(28001)), ElementsAre("runSkipped"));
  EXPECT_THAT(story.skip_run(28001).events, IsEmpty());
  EXPECT_EQ(story.run_state(28001), "skipped");
  EXPECT_EQ(story.reason_code(28001), "calibration");
  story.detect(28001, "rewritten");
  EXPECT_EQ(story.run_state(28001), "detected");
}

TEST_F(DecideRunTest, ReducedRunIsNotSkipped) {
  story.detect(28001);
  story.queue(28001);
  EXPECT_TRUE(refused(story.skip_run(28001), Code::kConflict, "MARI 28001 was reduced already (v1 queued)"));
}

TEST_F(DecideRunTest, SkippingARequestLetsThePersonAskAgain) {
  story.join();
  story.detect(28001);
  story.complete(story.queue(28001).first());
  uint64_t asked = story.request(28001).first();
  EXPECT_TRUE(story.skip_run(28001, "no_script", "reduce.py is gone", asked).ok());
  EXPECT_EQ(story.run_state(28001), "succeeded");
  EXPECT_THAT(story.problems(28001), ElementsAre(HasSubstr("reduce.py is gone")));
  EXPECT_TRUE(story.request(28001).ok());
}

TEST_F(DecideRunTest, RequestOfABusyRunSaysWhatToDo) {
  story.detect(28001);
  uint64_t job = story.queue(28001).first();
  EXPECT_TRUE(refused(story.request(28001), Code::kConflict, "MARI 28001 v1 is still queued; wait for it, or cancel it first"));
  story.cancel(job);
  EXPECT_TRUE(story.request(28001).ok());
  EXPECT_TRUE(refused(story.request(28001), Code::kConflict, "is about to be queued"));
}

TEST_F(DecideRunTest, RequestNeedsARunAFileAndAVersionToRepeat) {
  EXPECT_TRUE(refused(story.request(28001), Code::kNotFound, "MARI 28001 is not known"));
  story.refuse_file(28001, "/archive/MARI/28001.raw");
  EXPECT_TRUE(refused(story.request(28001), Code::kConflict, "no file that can be reduced"));
  story.detect(28001);
  auto stored = [](schema::ReductionRequested::Builder request) {
    request.setScript(schema::ReductionRequested::ScriptChoice::STORED);
  };
  EXPECT_TRUE(refused(story.request(28001, stored), Code::kConflict, "use the current script"));
  EXPECT_TRUE(refused(story.request(28001, [](auto request) { request.setBasis(3); }), Code::kNotFound, "has no v3"));
}

TEST_F(DecideRunTest, RequestWithAnUnknownVariableNamesTheKnownOnes) {
  story.register_script(kScript, {{"mon", "2"}, {"Low energy", "1.5"}});
  story.detect(28001);
  auto with = [](std::string name, std::string value) {
    return [=](schema::ReductionRequested::Builder request) {
      auto variable = request.initVariables(1)[0];
      variable.setName(name);
      variable.setValue(value);
    };
  };
  EXPECT_TRUE(refused(story.request(28001, with("mn", "3")), Code::kInvalidArgument, "has no variable mn; it has mon, Low energy"));
  EXPECT_TRUE(refused(story.request(28001, with("mon", "{")), Code::kInvalidArgument, "is not JSON"));
  EXPECT_TRUE(story.request(28001, with("mon", "3")).ok());
}

TEST_F(DecideRunTest, ReportThatDiffersOnlyInItsProblemsIsTheSameFile) {
  // Symptom guarded against: a reader that words a problem anew would have every run of the archive reduced again.
  story.detect(28001);
  EXPECT_THAT(story.detect(28001, "raw", {}, "2010001", "MARI", {"the title is not UTF-8"}).events, IsEmpty());
  EXPECT_THAT(story.problems(28001), IsEmpty());
  EXPECT_THAT(story.kinds(story.detect(28001, "other bytes", {}, "2010001", "MARI", {"the title is not UTF-8"})), ElementsAre("runRevised"));
  EXPECT_THAT(story.problems(28001), ElementsAre("the title is not UTF-8"));
}

TEST_F(DecideRunTest, CommandsNobodySendsAreNotTaken) {
  story.detect(28001);
  Told note = story.tell([&](schema::Command::Builder command) {
    auto body = command.getBody().initAnnotateRun();
    body.initRun().setInstrument("MARI");
    body.getRun().setRunNumber(28001);
    body.setText("a note");
  });
  EXPECT_TRUE(refused(note, Code::kUnsupportedVersion, "not taken by this release"));
  Told advance = story.tell([](schema::Command::Builder command) { command.getBody().setAdvance(); });
  EXPECT_TRUE(refused(advance, Code::kUnsupportedVersion, "not taken by this release"));
}

}  // namespace
}  // namespace rules_test
