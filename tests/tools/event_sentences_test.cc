// The sentence of each event about stages, trials, support files and campaigns, and where explain follows them to.
#include <capnp/dynamic.h>
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"
#include "tools/event_text.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class EventSentencesTest : public CommandsTest {
 protected:
  std::string sentence(const std::function<void(schema::Event::Body::Builder)>& fill) {
    Message<schema::Event> event;
    event.get().setSeq(812);
    fill(event.get().getBody());
    return tools::event_line(event.read(), tools::JobNames()).text;
  }
};

TEST_F(EventSentencesTest, NoneIsLeftWithoutOne) {
  for (const auto field : capnp::Schema::from<schema::Event::Body>().getUnionFields()) {
    Message<schema::Event> event;
    auto body = capnp::toDynamic(event.get().getBody());
    if (field.getProto().getName() == "unset") continue;
    body.init(field);
    EXPECT_THAT(tools::event_line(event.read(), tools::JobNames()).text, testing::Not(HasSubstr("later release"))) << field.getProto().getName().cStr();
  }
}

TEST_F(EventSentencesTest, SayWhatHappenedToWhat) {
  EXPECT_EQ(sentence([](auto body) {
              auto seen = body.initSupportFileSeen();
              seen.setInstrument("MARI");
              seen.setPath("/archive/mask.xml");
              seen.setSha256(as_data(std::string(32, '\xab')));
              seen.setSizeBytes(2048);
            }),
            "MARI: support file /archive/mask.xml has new content abababababab (2.0 KiB, too large to be kept here)");
  EXPECT_EQ(sentence([](auto body) {
              auto rule = body.initStageSet();
              rule.setInstrument("MARI");
              rule.setName("sum");
              rule.setScriptPath("/scripts/sum.py");
              rule.initAfter(1).set(0, "reduction");
              rule.setOver(schema::StageRule::Over::EXPERIMENT);
            }),
            "MARI: stage sum is set: /scripts/sum.py over a whole experiment, after reduction");
  EXPECT_EQ(sentence([](auto body) {
              auto request = body.initCombinationRequested();
              request.setInstrument("MARI");
              request.setStage("sum");
              request.setComment("for the poster");
              auto runs = request.initRuns(3);
              for (uint32_t i = 0; i < 3; ++i) runs.set(i, 28001 + i);
            }),
            "MARI: stage sum asked for over runs 28001-28003: for the poster");
  EXPECT_EQ(sentence([](auto body) {
              auto trial = body.initTrialRequested();
              trial.getRun().setInstrument("MARI");
              trial.getRun().setRunNumber(28001);
              trial.setScriptPath("/home/alice/reduce.py");
              trial.setScriptSha256(as_data(std::string(32, '\xab')));
              auto value = trial.initVariables(1)[0];
              value.setName("mon");
              value.setValue("3");
            }),
            "MARI 28001: a trial of /home/alice/reduce.py (abababababab) asked for, mon = 3");
  EXPECT_EQ(sentence([](auto body) {
              auto started = body.initCampaignStarted();
              started.setPurpose("the mask was wrong");
              started.setSelection("MARI, stale");
              started.setRuns(2000);
            }),
            "campaign 812: reprocessing of 2000 runs started: the mask was wrong (MARI, stale)");
  EXPECT_EQ(sentence([](auto body) {
              auto stopped = body.initCampaignStopped();
              stopped.setCampaign(17);
              stopped.getReason().setText("alice stopped campaign 17: the new mask is wrong too");
            }),
            "alice stopped campaign 17: the new mask is wrong too");
}

TEST_F(EventSentencesTest, JobsOfStagesAndTrialsAreNamedAsWhatTheyAre) {
  tools::JobNames jobs;
  const auto queue = [&](uint64_t seq, schema::JobKind kind, uint32_t runs) {
    Message<schema::Event> event;
    event.get().setSeq(seq);
    auto queued = event.get().getBody().initJobQueued();
    auto list = queued.initRuns(runs);
    for (uint32_t i = 0; i < runs; ++i) {
      list[i].setInstrument("MARI");
      list[i].setRunNumber(28001 + i);
    }
    queued.setKind(kind);
    if (kind == schema::JobKind::STAGE) queued.setStage("sum");
    if (kind != schema::JobKind::TRIAL) queued.setVersion(2);
    jobs.learn(event.read());
  };
  queue(1, schema::JobKind::REDUCTION, 1);
  queue(2, schema::JobKind::STAGE, 3);
  queue(3, schema::JobKind::TRIAL, 1);
  std::vector<std::string> names;
  for (uint64_t job = 1; job <= 3; ++job) names.push_back(tools::subject_text(*jobs.find(job)));
  EXPECT_THAT(names, ElementsAre("MARI 28001 v2", "MARI 28001-28003 sum v2", "MARI 28001 trial"));
  EXPECT_TRUE(jobs.find(1)->fits_version(2));
  EXPECT_FALSE(jobs.find(2)->fits_version(2)) << "the second sum is not the second version";
  EXPECT_FALSE(jobs.find(3)->fits_version(1));
}

TEST_F(EventSentencesTest, ExplainFollowsTheCampaign) {
  add_reduced_run();
  auto started = ledger.add_event("alice");  // event 6
  started.getBody().initCampaignStarted().setPurpose("the mask was wrong");
  auto queued = ledger.add_event();  // event 7
  queued.setCause(6);
  queued.getBody().initJobQueued().initRuns(1).setWithCaveats(0, ledger.runs[0].read().getRun());
  queued.getBody().getJobQueued().setVersion(2);
  queued.getBody().getJobQueued().setCampaign(6);
  ledger.add_version(2).setJob(7);
  EXPECT_THAT(command({"explain", "MARI", "28001"}).out,
              AllOf(HasSubstr("campaign 6: reprocessing of 0 runs started: the mask was wrong"), HasSubstr("6 campaign started\n")));
  const json of_campaign = json_of({"explain", "--campaign", "6"});
  ASSERT_EQ(of_campaign.size(), 2u);
  EXPECT_EQ(of_campaign[0]["kind"], "campaignStarted");
  EXPECT_EQ(of_campaign[1]["cause_kind"], "campaignStarted");
  EXPECT_EQ(command({"explain", "--campaign", "9"}).exit_code, 1);
  EXPECT_EQ(command({"explain"}).exit_code, 2);
  EXPECT_EQ(command({"explain", "MARI", "28001", "--campaign", "6"}).exit_code, 2);
}

TEST_F(EventSentencesTest, ExplainOfAVersionLeavesOutWhatIsCountedOtherwise) {
  add_reduced_run();
  auto queued = ledger.add_event();
  queued.getBody().initJobQueued().initRuns(1).setWithCaveats(0, ledger.runs[0].read().getRun());
  queued.getBody().getJobQueued().setVersion(1);
  queued.getBody().getJobQueued().setStage("sum");
  queued.getBody().getJobQueued().setKind(schema::JobKind::STAGE);
  auto job = ledger.jobs.emplace_back().get();
  job.setJob(6);
  job.setQueued(queued.getBody().getJobQueued());
  const auto count = [&](const char* run) { return json_of({"explain", run}).size(); };
  EXPECT_EQ(count("MARI/28001"), count("MARI/28001/v1") + 1);
}

}  // namespace
}  // namespace fake
