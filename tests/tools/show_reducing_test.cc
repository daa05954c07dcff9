// What a run shows of what came after it and beside it: newer versions, campaigns, support files, stages, trials; and its log, queue, difference.
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ShowReducingTest : public CommandsTest {
 protected:
  void SetUp() override {
    CommandsTest::SetUp();
    add_reduced_run();
  }
  schema::JobRow::Builder job() { return ledger.jobs[0].get(); }
  void add_support_file(schema::JobRow::Builder of, const char* hash) {
    auto file = of.getQueued().initSupportFiles(1)[0];
    file.setName("mask");
    file.setPath("/archive/mask.xml");
    file.setSha256(as_data(std::string(32, hash[0])));
    file.setSizeBytes(2048);
    file.setKept(true);
  }
  /// The manifest of the version.
  void write(const std::function<void(schema::OutputManifest::Builder)>& fill) {
    Message<schema::OutputManifest> manifest;
    fill(manifest.get());
    auto outputs = job().getAttempts()[0].getOutputs();
    outputs.setManifest(as_data(ledger.add_document(manifest)));
    outputs.setFiles(manifest.read().getFiles().size());
  }
  /// A stage's result or a trial that the run is part of.
  schema::JobRow::Builder add_other(uint64_t number, schema::JobKind kind, const char* stage) {
    auto other = ledger.jobs.emplace_back().get();
    other.setJob(number);
    other.setState(schema::RunState::SUCCEEDED);
    auto queued = other.getQueued();
    queued.initRuns(1).setWithCaveats(0, ledger.runs[0].read().getRun());
    queued.setKind(kind);
    queued.setStage(stage);
    if (kind == schema::JobKind::STAGE) queued.setVersion(1);
    queued.setOutputDirectory("/out/other");
    auto before = capnp::clone(ledger.runs[0].read().getOtherJobs());
    auto others = ledger.runs[0].get().initOtherJobs(before->size() + 1);
    for (uint32_t i = 0; i < before->size(); ++i) others.set(i, (*before)[i]);
    others.set(others.size() - 1, number);
    return other;
  }
};

TEST_F(ShowReducingTest, VersionNamesTheOneThatTookItsPlaceAndItsCampaign) {
  ledger.add_version(2).setJob(17);
  job().setSupersededBy(17);
  ledger.jobs[1].get().getQueued().setCampaign(812);
  EXPECT_THAT(command({"show", "MARI", "28001"}).out, AllOf(HasSubstr("state         succeeded; superseded by v2\n"), HasSubstr("campaign      812\n")));
  const json versions = json_of({"show", "MARI", "28001"})["versions"];
  EXPECT_EQ(versions[0]["superseded_by"], 2);
  EXPECT_TRUE(versions[0]["campaign"].is_null());
  EXPECT_TRUE(versions[1]["superseded_by"].is_null());
  EXPECT_EQ(versions[1]["campaign"], 812);
  EXPECT_EQ(json_of({"trace", "MARI/28001/v1"})["superseded_by"], 2);
}

TEST_F(ShowReducingTest, SucceededButWroteNothingIsSaid) {
  write([](auto) {});
  EXPECT_THAT(command({"show", "MARI", "28001"}).out, HasSubstr("succeeded, but wrote nothing\n"));
  EXPECT_EQ(json_of({"show", "MARI", "28001"})["versions"][0]["wrote_nothing"], true);
}

TEST_F(ShowReducingTest, FilesWrittenOutsideRemarksAndNamedResultsAreShown) {
  write([](schema::OutputManifest::Builder manifest) {
    auto file = manifest.initFiles(1)[0];
    file.setPath("a.nxs");
    file.setDeclared(true);
    auto outside = manifest.initOutside(2);
    outside[0].setPath("/home/mari/notes.txt");
    outside[0].setWhat(schema::OutsideFile::What::CHANGED);
    outside[0].setSizeBytes(12);
    outside[1].setPath("/tmp/old");
    outside[1].setWhat(schema::OutsideFile::What::REMOVED);
    manifest.initRemarks(1).set(0, "named as a result, but not made: b.nxs");
  });
  EXPECT_THAT(command({"show", "MARI", "28001"}).out,
              AllOf(HasSubstr("a.nxs (0 B, named by the script)"), HasSubstr("written outside  changed /home/mari/notes.txt (12 B)\n"), HasSubstr("removed /tmp/old\n"),
                    HasSubstr("named as a result, but not made: b.nxs")));
  const json version = json_of({"show", "MARI", "28001"})["versions"][0];
  EXPECT_EQ(version["outputs"][0]["declared"], true);
  EXPECT_EQ(version["outside"][0], json::parse(R"({"path": "/home/mari/notes.txt", "what": "changed", "size_bytes": 12, "sha256": null})"));
  EXPECT_EQ(version["remarks"], json::array({"named as a result, but not made: b.nxs"}));
}

TEST_F(ShowReducingTest, PlotsAreTheImagesFirstThoseNamedAfterTheRawFile) {
  write([](schema::OutputManifest::Builder manifest) {
    auto files = manifest.initFiles(4);
    files[0].setPath("a/other.SVG");
    files[1].setPath("mar28001_peaks.png");
    files[2].setPath("MAR28001.nxs");
    files[3].setPath("sub/MAR28001.tiff");
  });
  EXPECT_EQ(json_of({"show", "MARI", "28001"})["versions"][0]["plots"],
            json::array({"/out/run-version-1/mar28001_peaks.png", "/out/run-version-1/sub/MAR28001.tiff", "/out/run-version-1/a/other.SVG"}));
  EXPECT_THAT(command({"show", "MARI", "28001"}).out, HasSubstr("plots         mar28001_peaks.png\n"));
}

TEST_F(ShowReducingTest, SupportFilesAreShownAndCompared) {
  add_support_file(job(), "a");
  const json file = json_of({"show", "MARI", "28001"})["versions"][0]["support_files"][0];
  EXPECT_EQ(file["path"], "/archive/mask.xml");
  EXPECT_EQ(file["sha256"], base::hex(std::string(32, 'a')));
  EXPECT_EQ(file["kept"], true);
  EXPECT_THAT(command({"show", "MARI", "28001"}).out, HasSubstr("support files  mask = /archive/mask.xml (2.0 KiB)\n"));
  auto second = ledger.add_version(2);
  second.setJob(17);
  second.setQueued(job().getQueued());
  second.getQueued().setVersion(2);
  second.setAttempts(job().getAttempts());
  add_support_file(second, "b");
  EXPECT_THAT(command({"diff", "MARI/28001/v1", "MARI/28001/v2"}).out, AllOf(HasSubstr("\nsupport files\n"), HasSubstr("standard.mask /archive/mask.xml")));
  EXPECT_EQ(json_of({"diff", "MARI/28001/v1", "MARI/28001/v2"}, 1)["support_files"].size(), 1u);
}

TEST_F(ShowReducingTest, StagesAndTrialsAreListedBesideTheVersions) {
  add_other(17, schema::JobKind::STAGE, "sum");
  auto trial = add_other(18, schema::JobKind::TRIAL, "");
  trial.setState(schema::RunState::FAILED);
  trial.getReason().setText("ValueError: no monitor");
  EXPECT_THAT(command({"show", "MARI", "28001"}).out, AllOf(HasSubstr("stages  MARI 28001 sum v1 succeeded, job 17, in /out/other\n"),
                                                            HasSubstr("trials  MARI 28001 trial (job 18) failed: ValueError: no monitor\n")));
  const json shown = json_of({"show", "MARI", "28001"});
  EXPECT_EQ(shown["versions"].size(), 1u) << "they are no versions";
  EXPECT_EQ(shown["stages"][0]["stage"], "sum");
  EXPECT_EQ(shown["stages"][0]["version"], 1);
  EXPECT_EQ(shown["trials"][0]["job"], 18);
  EXPECT_TRUE(shown["trials"][0]["version"].is_null());
}

TEST_F(ShowReducingTest, LogOfAStageOrATrialIsNamedByItsJob) {
  auto trial = add_other(18, schema::JobKind::TRIAL, "");
  auto attempt = trial.initAttempts(1)[0];
  attempt.setNumber(1);
  attempt.setOutcome(schema::AttemptRow::Outcome::SUCCEEDED);
  attempt.setLog(as_data(ledger.add_blob("tried\n")));
  EXPECT_EQ(command({"log", "--job", "18"}).out, "tried\n");
  const json log = json_of({"log", "--job", "18"});
  EXPECT_EQ(log["job"], 18);
  EXPECT_TRUE(log["version"].is_null());
  EXPECT_EQ(log["text"], "tried\n");
  EXPECT_EQ(command({"log", "--job", "99"}).exit_code, 1);
  EXPECT_EQ(command({"log"}).exit_code, 2);
  EXPECT_EQ(command({"log", "MARI/28001", "--job", "18"}).exit_code, 2);
}

TEST_F(ShowReducingTest, QueueTellsVersionsStagesAndTrialsApart) {
  for (const auto kind : {schema::JobKind::REDUCTION, schema::JobKind::STAGE, schema::JobKind::TRIAL}) {
    auto row = ledger.queue.emplace_back().get();
    row.setJob(20 + static_cast<uint64_t>(kind));
    row.getRun().setInstrument("MARI");
    row.getRun().setRunNumber(28001);
    row.setKind(kind);
    if (kind != schema::JobKind::TRIAL) row.setVersion(2);
    if (kind == schema::JobKind::STAGE) row.setStage("sum");
    if (kind == schema::JobKind::REDUCTION) row.setCampaign(812);
  }
  EXPECT_THAT(command({"queue"}).out, AllOf(HasSubstr(" 20  MARI 28001 v2      -                  0       812  "), HasSubstr(" 21  MARI 28001 sum v2 "), HasSubstr(" 22  MARI 28001 trial ")));
  const json queue = json_of({"queue"});
  EXPECT_EQ(queue[0]["campaign"], 812);
  EXPECT_EQ(queue[1]["stage"], "sum");
  EXPECT_EQ(queue[2]["kind"], "trial");
}

}  // namespace
}  // namespace fake
