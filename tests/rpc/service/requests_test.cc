// What is asked for runs beside re-runs: trials and combinations; and the jobs that come of it.
#include "tests/rpc/service/reduced_fixture.h"

namespace {

using rpc::Caller;
using support::Code;
using support::auditor;
using support::member_of;
using support::operator_;
using support::scientist_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kTried = "def main(input_file, output_dir):\n    return 'tried'\n";

class RequestsTest : public support::ReducedTest {
 protected:
  RequestsTest() {
    for (const uint64_t number : {1, 2}) jobs[number] = reduced("MARI", number, "E1");
    jobs[3] = reduced("MARI", 3, "E2");
    support::CommandMessage stage("stage");
    auto rule = stage.get().getBody().initSetStage();
    rule.setInstrument("MARI");
    rule.setName("merged");
    rule.initAfter(1).set(0, "reduction");
    rule.setOver(schema::StageRule::Over::RUNS);
    rule.setScriptPath("/scripts/MARI/merge.py");
    rule.setContract(schema::Contract::ISIS);
    rule.setOutputPattern("/reduced/merged/{run}/{version}");
    served.must(stage);
  }
  base::Status try_script(const Caller& who, uint64_t number, const std::vector<std::string>& texts, std::string_view named = kTried) {
    auto request = runs(who).trialRequest();
    request.setCommandId(next_id("try"));
    auto wanted = request.initRequest();
    wanted.initRun().setInstrument("MARI");
    wanted.getRun().setRunNumber(number);
    wanted.setScriptPath("/home/alice/reduce.py");
    wanted.setScriptSha256(ledger::data(hash(named)));
    auto files = request.initFiles(static_cast<uint32_t>(texts.size()));
    for (uint32_t i = 0; i < files.size(); ++i) files.set(i, ledger::data(texts[i]));
    auto answer = ask(kj::mv(request));
    if (answer.getAnswer().getEvents().size() > 0) event = answer.getAnswer().getEvents()[0];
    return status_of(answer.getAnswer().getRefusal());
  }
  base::Status combine(const Caller& who, const std::vector<uint64_t>& numbers) {
    auto request = runs(who).combineRequest();
    request.setCommandId(next_id("combine"));
    auto wanted = request.initRequest();
    wanted.setInstrument("MARI");
    wanted.setStage("merged");
    auto list = wanted.initRuns(static_cast<uint32_t>(numbers.size()));
    for (uint32_t i = 0; i < list.size(); ++i) list.set(i, numbers[i]);
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  base::Status job(schema::Runs::Client client, uint64_t id) {
    auto request = client.jobRequest();
    request.setJob(id);
    return status_of(ask(kj::mv(request)).getRefusal());
  }
  std::vector<std::string> results(const Caller& who, uint32_t limit = 0) {
    auto client = runs(who);
    return all_pages([&] { auto request = client.stageResultsRequest(); request.setInstrument("MARI"); return request; }, limit,
                     [](auto& page) { return page.getResults(); }, [](auto row) {
                       std::string words = row.getStage().cStr();
                       for (const uint64_t number : row.getRuns()) words += " " + std::to_string(number);
                       return words;
                     });
  }

  std::map<uint64_t, uint64_t> jobs;
  uint64_t event = 0;
};

TEST_F(RequestsTest, ScriptIsTriedByAScientistOfTheInstrument) {
  const std::vector<std::string> texts = {std::string(kTried)};
  EXPECT_TRUE(try_script(scientist_of("MARI"), 1, texts).is_ok());
  EXPECT_EQ(try_script(member_of("E1"), 1, texts).code(), base::Code::kPermissionDenied);
  EXPECT_EQ(try_script(operator_("oscar"), 1, texts).code(), base::Code::kPermissionDenied);
  EXPECT_EQ(try_script(scientist_of("LET"), 1, texts).code(), base::Code::kNotFound);
  EXPECT_EQ(denials().size(), 3u);
}

TEST_F(RequestsTest, TrialBringsItsTextsOrNamesWhatItsSenderWasTold) {
  EXPECT_THAT(try_script(scientist_of("MARI"), 1, {}).message(), HasSubstr("/home/alice/reduce.py: its text is not sent"));
  EXPECT_THAT(try_script(scientist_of("MARI"), 1, {std::string(kTried), "something else"}).message(), HasSubstr("does not name"));
  // A text that is stored for another instrument is not to be had by naming it.
  served.must(support::register_script("script of LET", "LET", "# of LET"));
  EXPECT_THAT(try_script(scientist_of("MARI"), 1, {}, "# of LET").message(), HasSubstr("its text is not sent"));
  EXPECT_TRUE(try_script(support::owner(), 1, {}, "# of LET").is_ok());
}

TEST_F(RequestsTest, RunsAreCombinedByWhoMayReduceAllOfThem) {
  EXPECT_TRUE(combine(member_of("E1"), {1, 2}).is_ok());
  EXPECT_EQ(combine(member_of("E1"), {1, 3}).code(), base::Code::kNotFound);
  EXPECT_THAT(combine(member_of("E1"), {1, 3}).message(), HasSubstr("MARI 3: there is no such run"));
  EXPECT_EQ(combine(auditor(), {1, 2}).code(), base::Code::kPermissionDenied);
  EXPECT_THAT(combine(scientist_of("MARI"), {1, 3}).message(), HasSubstr("of one experiment"));
  EXPECT_THAT(combine(scientist_of("MARI"), {}).message(), HasSubstr("0 runs are named"));
}

TEST_F(RequestsTest, StageResultsAreShownToWhoSeesTheirExperiment) {
  ASSERT_TRUE(combine(scientist_of("MARI"), {1, 2}).is_ok());
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(results(member_of("E1"), limit), ElementsAre("merged 1 2"));
    EXPECT_THAT(results(scientist_of("MARI"), limit), ElementsAre("merged 1 2"));
    EXPECT_THAT(results(member_of("E2"), limit), IsEmpty());
    EXPECT_THAT(results(scientist_of("LET"), limit), IsEmpty());
  }
}

TEST_F(RequestsTest, JobIsShownWithItsDocumentsToWhoSeesARunOfIt) {
  auto client = runs(member_of("E1"));
  const std::string files = hash(manifest({{"a.nxs", "1"}}));
  EXPECT_EQ(blob(client, files).code(), base::Code::kNotFound);
  EXPECT_TRUE(job(client, jobs[1]).is_ok());
  EXPECT_TRUE(blob(client, files).is_ok());
  const base::Status hidden = job(client, jobs[3]), missing = job(client, 9999);
  EXPECT_EQ(hidden.code(), base::Code::kNotFound);
  EXPECT_EQ(hidden.message().substr(hidden.message().find(": ")), missing.message().substr(missing.message().find(": ")));
  EXPECT_THAT(denials(), testing::Contains("alice see_run job " + std::to_string(jobs[3]) + ", experiment E2, account coordinatord"));
}

TEST_F(RequestsTest, TrialIsShownToWhoAskedForItWhateverBecameOfHisRole) {
  ASSERT_TRUE(try_script(scientist_of("MARI"), 3, {std::string(kTried)}).is_ok());
  auto command = support::queue_job("trial job", "MARI", 3, "E2");
  command.cause(event);
  auto queued = command.get().getBody().getQueueJob();
  queued.setKind(schema::JobKind::TRIAL);
  queued.setScriptSha256(ledger::data(hash(kTried)));
  queued.setOutputDirectory("/trials/{job}");
  const uint64_t trial = served.must(command, support::daemon("coordinatord"));
  EXPECT_TRUE(job(runs(support::caller({})), trial).is_ok());
  EXPECT_FALSE(job(runs(support::caller({}, "bob")), trial).is_ok());
  EXPECT_TRUE(job(runs(member_of("E2", "carol")), trial).is_ok());
}

}  // namespace
