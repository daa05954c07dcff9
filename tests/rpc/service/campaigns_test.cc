// Campaigns over the wire's capabilities: who may start, see and control them, and what each is told.
#include "tests/rpc/service/reduced_fixture.h"

namespace {

using rpc::Caller;
using support::Code;
using support::auditor;
using support::member_of;
using support::operator_;
using support::scientist_of;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class CampaignsTest : public support::ReducedTest {
 protected:
  CampaignsTest() {
    reduced("LET", 5, "E1", {{"a.nxs", "1"}, {"b.nxs", "2"}});
    reduced("LET", 6, "");
    reduced("MARI", 1, "E1");
    reduced("MARI", 2, "E2");
  }

  using Wish = std::function<void(schema::CampaignRequest::Builder)>;
  static void everything(schema::CampaignRequest::Builder request) {
    request.setPurpose("tests");
    request.setSelection("all runs");
  }
  static Wish of(const std::string& instrument, uint64_t number) {
    return [=](schema::CampaignRequest::Builder request) {
      everything(request);
      request.getFilter().setInstrument(instrument);
      request.getFilter().setFirstRun(number);
      request.getFilter().setLastRun(number);
    };
  }
  static Wish replay() {
    return [](schema::CampaignRequest::Builder request) {
      everything(request);
      request.setKind(schema::CampaignStarted::Kind::REPLAY);
    };
  }
  struct Plan {
    std::vector<std::string> runs, passed, problems;
    uint64_t considered = 0;
    uint32_t workers = 0;
  };
  Plan plan(const Caller& who, const Wish& wish = everything) {
    auto request = campaigns(who).planRequest();
    wish(request.initRequest());
    auto answer = ask(kj::mv(request));
    Plan plan;
    for (auto run : answer.getPlan().getRuns()) plan.runs.push_back(key_words(run.getRun()));
    for (auto run : answer.getPlan().getPassed()) plan.passed.push_back(key_words(run.getRun()) + " " + run.getReason().getCode().cStr());
    for (auto problem : answer.getPlan().getProblems()) plan.problems.emplace_back(problem.cStr());
    plan.considered = answer.getPlan().getConsidered();
    plan.workers = answer.getPlan().getWorkers();
    return plan;
  }
  struct Started {
    base::Status status;
    uint64_t campaign = 0;
    bool repeated = false;
  };
  Started start(const Caller& who, const Wish& wish = everything, const std::string& id = {}) {
    auto request = campaigns(who).startRequest();
    request.setCommandId(id.empty() ? next_id("start campaign") : id);
    wish(request.initRequest());
    auto answer = ask(kj::mv(request));
    return {status_of(answer.getAnswer().getRefusal()), answer.getCampaign(), answer.getAnswer().getRepeated()};
  }
  uint64_t started(const Caller& who, const Wish& wish = everything) {
    const Started answer = start(who, wish);
    EXPECT_TRUE(answer.status.is_ok()) << answer.status.message();
    return answer.campaign;
  }
  std::vector<std::string> listed(const Caller& who, uint32_t limit = 0) {
    auto client = campaigns(who);
    return all_pages([&] { return client.listRequest(); }, limit, [](auto& page) { return page.getCampaigns(); },
                     [](auto row) { return std::to_string(row.getCampaign()) + " " + row.getOwner().getName().cStr(); });
  }
  base::Status shown(const Caller& who, uint64_t campaign) {
    auto request = campaigns(who).showRequest();
    request.setCampaign(campaign);
    return status_of(ask(kj::mv(request)).getRefusal());
  }
  std::vector<std::string> runs_of(const Caller& who, uint64_t campaign, uint32_t limit = 0) {
    auto client = campaigns(who);
    return all_pages([&] { auto request = client.runsRequest(); request.setCampaign(campaign); return request; }, limit, [](auto& page) { return page.getRuns(); },
                     [](auto row) { return key_words(row.getRun()); });
  }
  static const char* outcome_words(schema::ComparedRun::Outcome outcome) {
    static constexpr const char* kWords[] = {"unfinished", "same", "differs", "only after", "failed"};
    return kWords[static_cast<size_t>(outcome)];
  }
  std::vector<std::string> report(const Caller& who, uint64_t campaign, uint32_t limit = 0) {
    auto client = campaigns(who);
    return all_pages([&] { auto request = client.reportRequest(); request.setCampaign(campaign); return request; }, limit, [](auto& page) { return page.getRuns(); },
                     [](auto row) {
                       std::string words = key_words(row.getRun()) + " v" + std::to_string(row.getBefore()) + " v" + std::to_string(row.getAfter()) + " " +
                                           outcome_words(row.getOutcome());
                       for (auto path : row.getPaths()) words += std::string(", ") + path.cStr();
                       return words;
                     });
  }
  base::Status pause(const Caller& who, uint64_t campaign) {
    auto request = campaigns(who).pauseRequest();
    request.setCommandId(next_id("pause"));
    request.setCampaign(campaign);
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  base::Status resume(const Caller& who, uint64_t campaign) {
    auto request = campaigns(who).resumeRequest();
    request.setCommandId(next_id("resume"));
    request.setCampaign(campaign);
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  base::Status stop(const Caller& who, uint64_t campaign) {
    auto request = campaigns(who).stopRequest();
    request.setCommandId(next_id("stop"));
    request.setCampaign(campaign);
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  uint64_t pass(uint64_t campaign, const std::string& instrument, uint64_t number) {
    support::CommandMessage command(next_id("pass"));
    auto passed = command.get().getBody().initPassCampaignRun();
    passed.setCampaign(campaign);
    passed.initRun().setInstrument(instrument);
    passed.getRun().setRunNumber(number);
    passed.initReason().setCode("raw_file_gone");
    passed.getReason().setText("its raw file is gone");
    return served.must(command, support::daemon("coordinatord"));
  }
};

TEST_F(CampaignsTest, PlanChoosesAmongWhatTheCallerSeesAndNamesNothingElse) {
  const Plan members = plan(member_of("E1")), scientists = plan(scientist_of("LET"));
  EXPECT_THAT(members.runs, ElementsAre("LET5", "MARI1"));
  EXPECT_EQ(members.considered, 2u);
  EXPECT_EQ(members.workers, 4u);
  EXPECT_THAT(members.problems, IsEmpty());
  EXPECT_THAT(scientists.runs, ElementsAre("LET5", "LET6"));
  EXPECT_EQ(scientists.considered, 2u);
  EXPECT_THAT(plan(support::caller({})).runs, IsEmpty());
  EXPECT_THAT(plan(support::owner()).runs, ElementsAre("LET5", "LET6", "MARI1", "MARI2"));
}

TEST_F(CampaignsTest, RunsThatAreSeenAndNotTheCallersToReduceArePassedWithThatReason) {
  const Plan found = plan(auditor());
  EXPECT_THAT(found.runs, IsEmpty());
  EXPECT_THAT(found.passed, ElementsAre("LET5 no_right", "LET6 no_right", "MARI1 no_right", "MARI2 no_right"));
  EXPECT_THAT(found.problems, ElementsAre(HasSubstr("that takes the role member of experiment E1 or scientist of LET")));
  EXPECT_THAT(denials(), IsEmpty()) << "planning is no try";
  EXPECT_EQ(start(auditor()).status.code(), base::Code::kPermissionDenied);
  EXPECT_THAT(denials(), ElementsAre("alice start_campaign LET 5, experiment E1"));
}

TEST_F(CampaignsTest, PlanSaysWhatDecidingWouldRefuse) {
  const Plan found = plan(scientist_of("LET"), [](auto request) { request.setSelection("all"); });
  EXPECT_THAT(found.runs, ElementsAre("LET5", "LET6"));
  EXPECT_THAT(found.problems, ElementsAre(HasSubstr("purpose")));
}

TEST_F(CampaignsTest, MemberAndScientistHaveSoManyRunsInACampaign) {
  set_limits(1, 3);
  EXPECT_THAT(plan(member_of("E1")).problems, ElementsAre(HasSubstr("2 runs of experiments you are a member of are chosen; a member's campaigns have at most 1")));
  EXPECT_EQ(start(member_of("E1")).status.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(plan(scientist_of("LET")).problems, IsEmpty());
  Caller both = scientist_of("LET");
  both.grants.push_back({schema::Role::SCIENTIST, "MARI", "", "team of MARI"});
  EXPECT_THAT(plan(both).problems, ElementsAre(HasSubstr("4 runs are chosen; a scientist's campaign has at most 3")));
  both.grants.push_back({schema::Role::ADMINISTRATOR, "", "", "admins"});
  EXPECT_THAT(plan(both).problems, IsEmpty());
  EXPECT_THAT(plan(support::owner()).problems, IsEmpty());
}

TEST_F(CampaignsTest, SeveralCampaignsOfAMemberCountTogether) {
  set_limits(1, 3);
  started(member_of("E1"), of("LET", 5));
  const Started second = start(member_of("E1"), of("MARI", 1));
  EXPECT_EQ(second.status.code(), base::Code::kInvalidArgument);
  EXPECT_THAT(second.status.message(), HasSubstr("1 of your campaigns are left"));
  EXPECT_TRUE(start(member_of("E1", "carol"), of("MARI", 1)).status.is_ok());
}

TEST_F(CampaignsTest, P4SameStartIsTheSameCampaignWhateverThePlanWouldBeNow) {
  const Started first = start(scientist_of("LET"), everything, "start");
  ASSERT_TRUE(first.status.is_ok()) << first.status.message();
  EXPECT_FALSE(first.repeated);
  queue("LET", 5, first.campaign, first.campaign);
  queue("LET", 6, first.campaign, first.campaign);
  EXPECT_THAT(plan(scientist_of("LET")).passed, ElementsAre("LET5 run_busy", "LET6 run_busy"));
  const uint64_t head = served.ledger->head();
  const Started again = start(scientist_of("LET"), everything, "start");
  EXPECT_TRUE(again.status.is_ok()) << again.status.message();
  EXPECT_EQ(again.campaign, first.campaign);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(served.ledger->head(), head);
  EXPECT_FALSE(start(scientist_of("LET", "bob"), everything, "start").status.is_ok()) << "another's id is another command";
}

TEST_F(CampaignsTest, IsSeenByItsOwnerAndByWhoSeesOneOfItsInstrumentsWhole) {
  const uint64_t members = started(member_of("E1"), of("LET", 5));
  const uint64_t other = started(scientist_of("MARI", "bob"));
  const std::string own = std::to_string(members) + " alice", bobs = std::to_string(other) + " bob";
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(listed(member_of("E1"), limit), ElementsAre(own));
    EXPECT_THAT(listed(scientist_of("LET", "eve"), limit), ElementsAre(own));
    EXPECT_THAT(listed(scientist_of("MARI", "eve"), limit), ElementsAre(bobs));
    EXPECT_THAT(listed(operator_("eve"), limit), ElementsAre(bobs, own));
    EXPECT_THAT(listed(member_of("E1", "carol"), limit), IsEmpty());
  }
  const base::Status hidden = shown(member_of("E1", "carol"), members), missing = shown(member_of("E1", "carol"), 9999);
  EXPECT_EQ(hidden.code(), base::Code::kNotFound);
  EXPECT_EQ(hidden.message().substr(hidden.message().find(": ")), missing.message().substr(missing.message().find(": ")));
  EXPECT_THAT(denials(), ElementsAre("carol see_campaign campaign " + std::to_string(members) + ", account alice"));
}

TEST_F(CampaignsTest, RowsAndReportHoldTheRunsThatAreSeenOnPagesOfAnySize) {
  const uint64_t campaign = started(support::owner());
  for (const auto& [name, number] : {std::pair("LET", 5), std::pair("LET", 6), std::pair("MARI", 1), std::pair("MARI", 2)}) {
    succeed(queue(name, number, campaign, campaign), {{"a.nxs", "1"}});
  }
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(runs_of(scientist_of("MARI"), campaign, limit), ElementsAre("MARI1", "MARI2"));
    EXPECT_THAT(runs_of(operator_(), campaign, limit), ElementsAre("LET5", "LET6", "MARI1", "MARI2"));
    EXPECT_THAT(report(scientist_of("LET"), campaign, limit), ElementsAre("LET5 v1 v2 differs, - b.nxs", "LET6 v1 v2 same"));
  }
  Caller also_member = scientist_of("LET");
  also_member.grants.push_back({schema::Role::MEMBER, "", "E1", "IPTS-E1"});
  EXPECT_THAT(runs_of(also_member, campaign, 1), ElementsAre("LET5", "LET6", "MARI1"));
}

TEST_F(CampaignsTest, PlanIsReadByWhoSeesAllItsInstruments) {
  const uint64_t campaign = started(support::owner());
  const auto row = ledger::find_campaign(*served.ledger->snapshot(), campaign);
  const std::string plan_document(ledger::view(row->get().getStarted().getPlan()));
  const auto reads = [&](const Caller& who) {
    auto one = session(who);
    auto request = ask(one.campaignsRequest()).getCampaigns().showRequest();
    request.setCampaign(campaign);
    EXPECT_EQ(ask(kj::mv(request)).getCampaign().getCampaign(), campaign);
    auto client = ask(one.runsRequest()).getRuns();
    auto events = client.historyRequest();
    events.initSubject().setCampaign(campaign);
    EXPECT_EQ(ask(kj::mv(events)).getEvents().size(), 1u);
    return blob(client, plan_document).is_ok();
  };
  EXPECT_FALSE(reads(scientist_of("LET")));
  Caller both = scientist_of("LET");
  both.grants.push_back({schema::Role::SCIENTIST, "MARI", "", "team of MARI"});
  EXPECT_TRUE(reads(both));
}

TEST_F(CampaignsTest, ReportComparesEachVersionWithTheResultBefore) {
  detect("LET", 7, "");
  served.must(support::skip_run(next_id("skip"), "LET", 7, "no_script", "it has no script"), support::daemon("coordinatord"));
  reduced("LET", 8, "");
  reduced("LET", 9, "");
  const uint64_t campaign = started(scientist_of("LET"), [](auto request) {
    everything(request);
    request.setScript(schema::ReductionRequested::ScriptChoice::CURRENT);
  });
  succeed(queue("LET", 5, campaign, campaign), {{"a.nxs", "1"}, {"b.nxs", "3"}, {"c.nxs", "4"}});
  succeed(queue("LET", 6, campaign, campaign), {{"a.nxs", "1"}, {"reduction_log/reduce.log", "another time"}});
  succeed(queue("LET", 7, campaign, campaign), {{"a.nxs", "1"}});
  fail(queue("LET", 8, campaign, campaign));
  queue("LET", 9, campaign, campaign);
  EXPECT_THAT(report(scientist_of("LET"), campaign),
              ElementsAre("LET5 v1 v2 differs, ~ b.nxs, + c.nxs", "LET6 v1 v2 same", "LET7 v0 v1 only after", "LET8 v1 v2 failed", "LET9 v1 v2 unfinished"));
}

TEST_F(CampaignsTest, ErasedListOfFilesIsSaidOfItsRunAlone) {
  const uint64_t campaign = started(scientist_of("LET"));
  succeed(queue("LET", 5, campaign, campaign), {{"a.nxs", "1"}});
  succeed(queue("LET", 6, campaign, campaign), {{"a.nxs", "1"}});
  support::CommandMessage erase("erase");
  erase.get().getBody().initEraseBlobs().initBlobs(1)[0].setSha256(ledger::data(hash(manifest({{"a.nxs", "1"}, {"b.nxs", "2"}}))));
  erase.get().getBody().getEraseBlobs().initReason().setCode("asked_for");
  erase.get().getBody().getEraseBlobs().getReason().setText("tests");
  served.must(erase);
  EXPECT_THAT(report(scientist_of("LET"), campaign), ElementsAre("LET5 v1 v2 differs, ? the list of the files of v1 is erased", "LET6 v1 v2 same"));
}

TEST_F(CampaignsTest, IsControlledByItsOwnerAScientistOfItAndOperators) {
  const uint64_t campaign = started(member_of("E1"), of("LET", 5));
  EXPECT_EQ(pause(auditor("eve"), campaign).code(), base::Code::kPermissionDenied);
  EXPECT_EQ(pause(scientist_of("MARI", "eve"), campaign).code(), base::Code::kNotFound);
  EXPECT_EQ(pause(member_of("E1", "carol"), campaign).code(), base::Code::kNotFound);
  EXPECT_TRUE(pause(member_of("E1"), campaign).is_ok());
  EXPECT_TRUE(resume(scientist_of("LET", "bob"), campaign).is_ok());
  EXPECT_TRUE(stop(operator_("oscar"), campaign).is_ok());
  EXPECT_THAT(denials(), UnorderedElementsAre(HasSubstr("eve control_campaign campaign"), HasSubstr("eve control_campaign campaign"), HasSubstr("carol control_campaign campaign")));
}

TEST_F(CampaignsTest, ReplayIsAnOperatorsTooAndWithoutLimit) {
  set_limits(1, 1);
  for (const uint64_t number : {7, 8}) fail(queue_new("LET", number, "E1"));
  EXPECT_THAT(plan(operator_(), replay()).runs, ElementsAre("LET7", "LET8"));
  EXPECT_EQ(start(operator_()).status.code(), base::Code::kPermissionDenied);
  EXPECT_TRUE(start(operator_(), replay()).status.is_ok());
}

TEST_F(CampaignsTest, ItsEventsAreItsOwnersWhoeverDidThem) {
  const uint64_t campaign = started(member_of("E1"));
  const uint64_t job = queue("LET", 5, campaign, campaign);
  EXPECT_TRUE(pause(operator_("oscar"), campaign).is_ok());  // holds the job
  const uint64_t paused = job + 1;
  EXPECT_TRUE(resume(operator_("oscar"), campaign).is_ok());
  const uint64_t resumed = paused + 2;
  const uint64_t passed = pass(campaign, "MARI", 1);
  const auto of_it = [&](auto subject) { subject.setCampaign(campaign); };
  const std::vector<uint64_t> all = {campaign, job, paused, resumed, passed};
  EXPECT_EQ(history(operator_(), of_it), all);
  EXPECT_EQ(history(member_of("E1"), of_it), all);
  EXPECT_THAT(history(scientist_of("LET", "bob"), of_it), ElementsAre(campaign, job, paused, resumed));
  // No longer of the experiment: what he did is his, the runs are not.
  EXPECT_THAT(history(support::caller({}), of_it), ElementsAre(campaign, paused, resumed));
  EXPECT_THAT(history(member_of("E1", "carol"), of_it), IsEmpty());
  EXPECT_THAT(denials(), ElementsAre("carol see_campaign campaign " + std::to_string(campaign) + ", account alice"));
}

TEST_F(CampaignsTest, WatcherOfACampaignIsPushedWhatHeSeesOfIt) {
  struct Sink final : schema::EventSink::Server {
    explicit Sink(std::vector<uint64_t>& to) : seqs(to) {}
    kj::Promise<void> push(PushContext context) override {
      for (auto bytes : context.getParams().getEvents()) seqs.push_back(ledger::Row<schema::Event>(ledger::view(bytes)).get().getSeq());
      return kj::READY_NOW;
    }
    std::vector<uint64_t>& seqs;
  };
  const uint64_t campaign = started(support::owner());
  std::vector<uint64_t> seen;
  auto request = runs(scientist_of("LET")).watchRequest();
  request.initFilter().initSubjects(1)[0].setCampaign(campaign);
  request.setFrom(1);
  request.setSink(kj::heap<Sink>(seen));
  auto subscription = ask(kj::mv(request)).getSubscription();
  pass(campaign, "MARI", 2);
  const uint64_t own = pass(campaign, "LET", 5);
  served.loop.wait(served.service->when_committed(own));
  const auto look = [&](auto&& self) -> kj::Promise<void> {
    if (seen.size() >= 2) return kj::READY_NOW;
    return served.loop.timer().afterDelay(1 * kj::MILLISECONDS).then([self] { return self(self); });
  };
  served.loop.wait(look(look));
  EXPECT_THAT(seen, ElementsAre(campaign, own));
}

TEST_F(CampaignsTest, TokenForAnInstrumentShowsAndControlsItsOwnersCampaignsThereOnly) {
  const uint64_t campaign = started(member_of("E1"), of("LET", 5));
  Caller by_token = member_of("E1");
  by_token.scope = rpc::TokenScope{.instruments = {"MARI"}};
  EXPECT_THAT(listed(by_token), IsEmpty());
  EXPECT_EQ(stop(by_token, campaign).code(), base::Code::kNotFound);
  EXPECT_THAT(history(by_token, [&](auto subject) { subject.setCampaign(campaign); }), IsEmpty());
  EXPECT_THAT(history(by_token, [](auto subject) { subject.setInstrument("LET"); }), testing::Not(Contains(campaign)));
  by_token.scope = rpc::TokenScope{.read_only = true, .instruments = {"LET"}};
  EXPECT_EQ(listed(by_token).size(), 1u);
  EXPECT_EQ(stop(by_token, campaign).code(), base::Code::kPermissionDenied);
  EXPECT_EQ(start(by_token, of("LET", 5)).status.code(), base::Code::kPermissionDenied);
}

TEST_F(CampaignsTest, PastSessionStartsAndStopsNothing) {
  const uint64_t campaign = started(scientist_of("LET"));
  auto request = session(scientist_of("LET")).atRequest();
  request.getMoment().setSeq(campaign);
  auto client = ask(ask(kj::mv(request)).getSession().campaignsRequest()).getCampaigns();
  auto again = client.startRequest();
  again.setCommandId("past");
  everything(again.initRequest());
  EXPECT_EQ(ask(kj::mv(again)).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  auto stopping = client.stopRequest();
  stopping.setCommandId("past stop");
  stopping.setCampaign(campaign);
  EXPECT_EQ(ask(kj::mv(stopping)).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
}

}  // namespace
