// Promise P8 over the wire's capabilities: each caller is shown what is his, and the rest as if it were not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/event_bytes.h"
#include "ledger/subjects.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/allowance.h"
#include "rpc/service/gateway.h"
#include "rpc/service/viewpoint.h"
#include "tests/rpc/service/callers.h"
#include "tests/rpc/service/fake_accounts.h"
#include "tests/support/served_ledger.h"

namespace {

using Code = schema::Refusal::Code;
using rpc::Caller;
using schema::Role;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Caller person(std::vector<rpc::Grant> grants, std::string name = "alice") { return support::caller(std::move(grants), std::move(name)); }
Caller member() { return support::member_of("E1"); }
Caller scientist() { return person({{Role::SCIENTIST, "LET", "", "isis_let_team"}}); }
Caller auditor() { return support::auditor(); }
Caller operator_() { return support::operator_(); }
Caller administrator() { return support::an_administrator(); }
Caller worker(std::string name) {
  Caller caller;
  caller.kind = Caller::Kind::kDaemon;
  caller.daemon = schema::DaemonRole::WORKER;
  caller.name = "workerd/" + name;
  caller.proof = "certificate";
  return caller;
}

class SeenTest : public testing::Test {
 protected:
  SeenTest() {
    for (const char* instrument : {"LET", "MARI"}) {
      served.must(support::configure_instrument(std::string("configure ") + instrument, instrument));
      served.must(support::register_script(std::string("old script ") + instrument, instrument, std::string("# of ") + instrument));
      served.must(support::register_script(std::string("script ") + instrument, instrument));
    }
    served.must(support::join_worker("join", "w1", 4), support::daemon("workerd/w1"));
    run("MARI", 1, "E1");
    run("MARI", 2, "E2");
    run("LET", 5, "E1");
    run("LET", 6, "");
    start("MARI", 2);
  }
  void run(const std::string& instrument, uint64_t number, const std::string& experiment) {
    const std::string name = instrument + std::to_string(number);
    detected[name] = served.must(support::detect_run("detect " + name, instrument, number, experiment), support::daemon("monitord"));
    jobs[name] = served.must(support::queue_job("queue " + name, instrument, number, experiment).cause(detected[name]), support::daemon("coordinatord"));
  }
  void start(const std::string& instrument, uint64_t number) {
    const std::string name = instrument + std::to_string(number);
    fences[name] = served.must(support::start_attempt("start " + name, jobs[name], "w1"), support::daemon("workerd/w1"));
  }

  template <typename Request>
  auto ask(Request request) {
    return served.loop.wait(request.send().then([](auto&& response) { return kj::mv(response); }));
  }
  schema::Session::Client session(const Caller& caller) {
    rpc::Peer peer;
    peer.caller = caller;
    peer.source = caller.source;
    return ask(rpc::make_gateway(*served.service, peer).loginRequest()).getSession();
  }
  schema::Runs::Client runs(const Caller& caller) { return ask(session(caller).runsRequest()).getRuns(); }

  std::vector<std::string> listed(const Caller& caller, uint32_t limit = 0, const std::function<void(schema::RunFilter::Builder)>& filter = {}) {
    auto client = runs(caller);
    std::vector<std::string> names;
    std::string after;
    do {
      auto request = client.listRequest();
      request.setLimit(limit);
      request.setAfter(ledger::data(after));
      if (filter) filter(request.initFilter());
      auto page = ask(kj::mv(request));
      for (auto run : page.getRuns()) names.push_back(run.getRun().getInstrument().cStr() + std::to_string(run.getRun().getRunNumber()));
      after = ledger::view(page.getNext());
    } while (!after.empty());
    return names;
  }
  base::Status shown(const Caller& caller, const std::string& instrument, uint64_t number) {
    auto request = runs(caller).showRequest();
    request.getRun().setInstrument(instrument);
    request.getRun().setRunNumber(number);
    auto answer = ask(kj::mv(request));
    if (answer.getRefusal().getCode() == Code::OK) return {};
    return {static_cast<base::Code>(answer.getRefusal().getCode()), answer.getRefusal().getText().cStr()};
  }
  struct Told {
    base::Status status;
    std::vector<uint64_t> seqs;
  };
  Told history(schema::Runs::Client client, const std::function<void(schema::Subject::Builder)>& subject) {
    auto request = client.historyRequest();
    subject(request.initSubject());
    auto answer = ask(kj::mv(request));
    Told told;
    if (answer.getRefusal().getCode() != Code::OK) told.status = {static_cast<base::Code>(answer.getRefusal().getCode()), answer.getRefusal().getText().cStr()};
    for (auto bytes : answer.getEvents()) {
      ledger::Row<schema::Event> event(ledger::view(bytes));
      told.seqs.push_back(event.get().getSeq());
    }
    return told;
  }
  Told history(const Caller& caller, const std::function<void(schema::Subject::Builder)>& subject) { return history(runs(caller), subject); }
  static auto of_run(std::string instrument, uint64_t number) {
    return [=](schema::Subject::Builder subject) {
      subject.initRun().setInstrument(instrument);
      subject.getRun().setRunNumber(number);
    };
  }
  std::vector<std::string> denials() {
    std::vector<std::string> actions;
    const auto snapshot = served.ledger->snapshot();
    for (const uint64_t seq : snapshot->subject(ledger::denials_subject(), 1, 100)) {
      const auto words = snapshot->event(seq).value();
      ledger::StoredEvent event(words);
      const auto denied = event.get().getBody().getAccessDenied();
      actions.push_back(denied.getAction().cStr() + (" " + std::string(denied.getSubject().cStr())));
    }
    return actions;
  }
  base::Status blob(schema::Runs::Client client, const std::string& sha256) {
    auto request = client.blobRequest();
    request.setSha256(ledger::data(sha256));
    auto answer = ask(kj::mv(request));
    if (answer.getRefusal().getCode() == Code::OK) return {};
    return {static_cast<base::Code>(answer.getRefusal().getCode()), answer.getRefusal().getText().cStr()};
  }
  void until(const std::function<bool()>& condition) {
    auto late = served.loop.timer().afterDelay(60 * kj::SECONDS).then([]() -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "nothing of the kind happened"); });
    served.loop.wait(look(condition).exclusiveJoin(kj::mv(late)));
  }
  kj::Promise<void> look(std::function<bool()> condition) {
    if (condition()) return kj::READY_NOW;
    return served.loop.timer().afterDelay(1 * kj::MILLISECONDS).then([this, condition] { return look(condition); });
  }
  static std::string hash(std::string_view content) { return std::string(base::as_bytes(base::sha256(content))); }

  support::ServedLedger served;
  std::map<std::string, uint64_t> detected, jobs, fences;
};

TEST_F(SeenTest, ListsHoldTheCallersRunsOnPagesOfAnySize) {
  for (const uint32_t limit : {1u, 2u, 100u}) {
    EXPECT_THAT(listed(member(), limit), ElementsAre("LET5", "MARI1"));
    EXPECT_THAT(listed(scientist(), limit), ElementsAre("LET5", "LET6"));
    EXPECT_THAT(listed(auditor(), limit), ElementsAre("LET5", "LET6", "MARI1", "MARI2"));
    EXPECT_THAT(listed(operator_(), limit), ElementsAre("LET5", "LET6", "MARI1", "MARI2"));
    EXPECT_THAT(listed(person({}), limit), IsEmpty());
    EXPECT_THAT(listed(worker("w1"), limit), IsEmpty());
  }
  EXPECT_THAT(listed(member(), 0, [](auto filter) { filter.setExperiment("E2"); }), IsEmpty());
  EXPECT_THAT(listed(member(), 0, [](auto filter) { filter.setInstrument("MARI"); }), ElementsAre("MARI1"));
}

TEST_F(SeenTest, HiddenRunIsAnsweredAsOneThatIsNotThereAndIsOnRecord) {
  EXPECT_TRUE(shown(member(), "MARI", 1).is_ok());
  const base::Status hidden = shown(member(), "MARI", 2), missing = shown(member(), "MARI", 3);
  EXPECT_EQ(hidden.code(), missing.code());
  std::string words = missing.message();
  words.replace(words.find('3'), 1, "2");
  EXPECT_EQ(hidden.message(), words);
  served.until([&] { return !denials().empty(); });
  EXPECT_THAT(denials(), ElementsAre("see_run MARI 2, experiment E2"));
}

TEST_F(SeenTest, WhatWasHiddenIsNotToldByTheRecordOfTheTryEither) {
  const Caller carol = person(member().grants, "carol");
  EXPECT_FALSE(shown(carol, "MARI", 2).is_ok());
  served.until([&] { return !denials().empty(); });
  const auto of_denials = [](auto subject) { subject.setDenials(); };
  const auto of_carol = [](auto subject) { subject.setActor("carol"); };
  EXPECT_THAT(history(carol, of_carol).seqs, IsEmpty());
  EXPECT_EQ(history(auditor(), of_denials).seqs.size(), 1u);
  EXPECT_EQ(history(auditor(), of_carol).seqs.size(), 1u);
}

TEST_F(SeenTest, WatchEndsWithItsSession) {
  struct Sink final : schema::EventSink::Server {
    explicit Sink(bool& to) : gone(to) {}
    ~Sink() noexcept(false) { gone = true; }
    kj::Promise<void> push(PushContext) override { return kj::READY_NOW; }
    bool& gone;
  };
  bool gone = false;
  rpc::Peer peer;
  peer.caller = member();
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto authority = served.loop.wait(served.service->access().log_in(peer, message->initRoot<schema::Credentials>())).value();
  auto client = rpc::make_runs(rpc::Viewpoint(*served.service), authority, std::make_shared<rpc::Allowances>());
  auto request = client.watchRequest();
  request.setSink(kj::heap<Sink>(gone));
  auto subscription = ask(kj::mv(request)).getSubscription();
  EXPECT_FALSE(gone);
  authority->end("logged out");
  until([&] { return gone; });
}

TEST_F(SeenTest, HistoryHoldsWhatIsSeenOfIt) {
  EXPECT_THAT(history(member(), of_run("MARI", 1)).seqs, ElementsAre(detected["MARI1"], jobs["MARI1"]));
  EXPECT_THAT(history(member(), of_run("MARI", 2)).seqs, IsEmpty());
  EXPECT_THAT(history(member(), [&](auto subject) { subject.setJob(jobs["MARI2"]); }).seqs, IsEmpty());
  EXPECT_THAT(history(member(), [](auto subject) { subject.setExperiment("E2"); }).seqs, IsEmpty());
  EXPECT_THAT(history(member(), [](auto subject) { subject.setExperiment("E1"); }).seqs,
              ElementsAre(detected["MARI1"], jobs["MARI1"], detected["LET5"], jobs["LET5"]));
  // Of an instrument: how it is set up, and the caller's own runs.
  EXPECT_THAT(history(member(), [](auto subject) { subject.setInstrument("MARI"); }).seqs, ElementsAre(4u, 5u, 6u, detected["MARI1"], jobs["MARI1"]));
  EXPECT_THAT(history(scientist(), [](auto subject) { subject.setExperiment("E1"); }).seqs, ElementsAre(detected["LET5"], jobs["LET5"]));
}

TEST_F(SeenTest, SingleEventIsHiddenAsOneThatIsNotThere) {
  EXPECT_THAT(history(member(), [&](auto subject) { subject.setSeq(detected["MARI1"]); }).seqs, ElementsAre(detected["MARI1"]));
  const auto hidden = history(member(), [&](auto subject) { subject.setSeq(detected["MARI2"]); });
  const auto missing = history(member(), [&](auto subject) { subject.setSeq(999); });
  EXPECT_EQ(hidden.status.code(), base::Code::kNotFound);
  EXPECT_EQ(missing.status.code(), base::Code::kNotFound);
  EXPECT_EQ(hidden.status.message(), "event " + std::to_string(detected["MARI2"]) + ": there is no such event");
  EXPECT_EQ(missing.status.message(), "event 999: there is no such event");
}

TEST_F(SeenTest, WhoDidWhatAndWorkersTakeARole) {
  const auto workers = [](auto subject) { subject.setWorker("w1"); };
  const auto monitord = [](auto subject) { subject.setActor("monitord"); };
  for (const auto& caller : {member(), scientist(), person({})}) {
    EXPECT_EQ(history(caller, workers).status.code(), base::Code::kPermissionDenied);
    EXPECT_EQ(history(caller, monitord).status.code(), base::Code::kPermissionDenied);
    EXPECT_EQ(history(caller, [](auto subject) { subject.setDenials(); }).status.code(), base::Code::kPermissionDenied);
    EXPECT_TRUE(history(caller, [](auto subject) { subject.setActor("alice"); }).status.is_ok());
  }
  EXPECT_EQ(history(auditor(), monitord).seqs.size(), 4u);
  EXPECT_TRUE(history(operator_(), workers).status.is_ok());
}

TEST_F(SeenTest, DocumentIsReadByWhoWasToldOfIt) {
  const std::string of_mari = hash("# of MARI");
  auto client = runs(member());
  const base::Status before = blob(client, of_mari);
  EXPECT_EQ(before.code(), base::Code::kNotFound);
  const std::string there_is_none = blob(client, hash("nothing of the kind")).message();
  EXPECT_EQ(before.message().substr(before.message().find(": ")), there_is_none.substr(there_is_none.find(": ")));
  EXPECT_EQ(history(client, of_run("MARI", 1)).seqs.size(), 2u);  // the job's event names its script
  EXPECT_TRUE(blob(client, hash(support::text_of(capnp::Text::Reader("def main(input_file, output_dir):\n    pass\n")))).is_ok());
  EXPECT_TRUE(blob(runs(auditor()), of_mari).is_ok());
}

TEST_F(SeenTest, CountsAreOverWhatIsSeen) {
  const auto status_of = [&](const Caller& caller) { return ask(runs(caller).statusRequest()); };
  const auto total = [](auto&& status) {
    uint64_t runs = 0;
    for (auto count : status.getStatus().getCounts()) runs += count.getRuns();
    return runs;
  };
  EXPECT_EQ(total(status_of(member())), 2u);
  EXPECT_EQ(total(status_of(scientist())), 2u);
  EXPECT_EQ(total(status_of(auditor())), 4u);
  EXPECT_EQ(total(status_of(person({}))), 0u);
  EXPECT_EQ(total(status_of(person({{Role::SCIENTIST, "LET", "", "g"}, {Role::MEMBER, "", "E1", "h"}}))), 3u);
  auto seen = status_of(scientist());
  ASSERT_EQ(seen.getStatus().getInstruments().size(), 2u);
  EXPECT_EQ(seen.getStatus().getInstruments()[0].getRuns(), 2u);
  EXPECT_EQ(seen.getStatus().getInstruments()[0].getWaiting(), 2u);
  EXPECT_STREQ(seen.getStatus().getInstruments()[1].getInstrument().cStr(), "MARI");
  EXPECT_EQ(seen.getStatus().getInstruments()[1].getRuns(), 0u);
  EXPECT_EQ(seen.getStatus().getInstruments()[1].getLastRun(), 0u);
  EXPECT_EQ(seen.getStatus().getDaemons().size(), 0u);
}

TEST_F(SeenTest, ExperimentsAreShownAsFarAsTheirRunsAre) {
  const auto names = [&](const Caller& caller, uint32_t limit) {
    auto client = runs(caller);
    std::vector<std::string> found;
    std::string after;
    do {
      auto request = client.experimentsRequest();
      request.setLimit(limit);
      request.setAfter(ledger::data(after));
      auto page = ask(kj::mv(request));
      for (auto row : page.getExperiments()) found.push_back(row.getExperiment().cStr() + (" " + std::to_string(row.getRuns())));
      after = ledger::view(page.getNext());
    } while (!after.empty());
    return found;
  };
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(names(member(), limit), ElementsAre("E1 2"));
    EXPECT_THAT(names(scientist(), limit), ElementsAre("E1 1"));
    EXPECT_THAT(names(auditor(), limit), ElementsAre("E1 2", "E2 1"));
    EXPECT_THAT(names(person({}), limit), IsEmpty());
  }
}

TEST_F(SeenTest, QueueHoldsTheCallersJobs) {
  const auto waiting = [&](const Caller& caller, uint32_t limit) {
    auto client = ask(session(caller).operatorRequest()).getOperator();
    std::vector<uint64_t> found;
    std::string after;
    do {
      auto request = client.queueRequest();
      request.setLimit(limit);
      request.setAfter(ledger::data(after));
      auto page = ask(kj::mv(request));
      for (auto row : page.getWaiting()) found.push_back(row.getJob());
      after = ledger::view(page.getNext());
    } while (!after.empty());
    return found;
  };
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(waiting(member(), limit), ElementsAre(jobs["MARI1"], jobs["LET5"]));
    EXPECT_THAT(waiting(scientist(), limit), ElementsAre(jobs["LET5"], jobs["LET6"]));
    EXPECT_THAT(waiting(operator_(), limit), ElementsAre(jobs["MARI1"], jobs["LET5"], jobs["LET6"]));
  }
}

TEST_F(SeenTest, WatchBringsWhatIsSeen) {
  struct Sink final : schema::EventSink::Server {
    explicit Sink(std::vector<uint64_t>& to) : seqs(to) {}
    kj::Promise<void> push(PushContext context) override {
      for (auto bytes : context.getParams().getEvents()) {
        ledger::Row<schema::Event> event(ledger::view(bytes));
        seqs.push_back(event.get().getSeq());
      }
      return kj::READY_NOW;
    }
    std::vector<uint64_t>& seqs;
  };
  std::vector<uint64_t> members, auditors;
  const auto watch = [&](const Caller& caller, std::vector<uint64_t>& seqs) {
    auto request = runs(caller).watchRequest();
    request.setFrom(1);
    request.setSink(kj::heap<Sink>(seqs));
    return ask(kj::mv(request)).getSubscription();
  };
  auto one = watch(member(), members);
  auto two = watch(auditor(), auditors);
  run("MARI", 3, "E2");
  run("MARI", 4, "E1");
  const uint64_t last = jobs["MARI4"];
  until([&] { return !members.empty() && members.back() == last && !auditors.empty() && auditors.back() == last; });
  EXPECT_THAT(members, ElementsAre(1u, 2u, 3u, 4u, 5u, 6u, detected["MARI1"], jobs["MARI1"], detected["LET5"], jobs["LET5"], detected["MARI4"], jobs["MARI4"]));
  EXPECT_EQ(auditors.size(), last);
}

TEST_F(SeenTest, ChangesTakeTheRoleForThem) {
  const auto rerun = [&](const Caller& caller, const std::string& instrument, uint64_t number, const std::string& id) {
    auto request = runs(caller).rerunRequest();
    request.setCommandId(id);
    request.initRequest().initRun().setInstrument(instrument);
    request.getRequest().getRun().setRunNumber(number);
    return ask(kj::mv(request)).getAnswer().getRefusal().getCode();
  };
  const auto pause = [&](const Caller& caller, const std::string& instrument, const std::string& id) {
    auto named = session(caller).instrumentRequest();
    named.setName(instrument);
    auto request = ask(kj::mv(named)).getInstrument().pauseRequest();
    request.setCommandId(id);
    request.setComment("vanadium");
    return ask(kj::mv(request)).getAnswer().getRefusal().getCode();
  };
  EXPECT_EQ(pause(member(), "MARI", "p1"), Code::PERMISSION_DENIED);
  EXPECT_EQ(pause(auditor(), "MARI", "p2"), Code::PERMISSION_DENIED);
  EXPECT_EQ(pause(administrator(), "MARI", "p3"), Code::PERMISSION_DENIED);
  EXPECT_EQ(pause(scientist(), "MARI", "p4"), Code::PERMISSION_DENIED);
  EXPECT_EQ(pause(scientist(), "LET", "p5"), Code::OK);
  EXPECT_EQ(rerun(member(), "MARI", 2, "r1"), Code::NOT_FOUND);
  EXPECT_EQ(rerun(operator_(), "MARI", 1, "r2"), Code::PERMISSION_DENIED);
  EXPECT_EQ(rerun(auditor(), "MARI", 1, "r3"), Code::PERMISSION_DENIED);
  EXPECT_THAT((std::vector{rerun(member(), "MARI", 1, "r4")}), testing::Not(ElementsAre(Code::PERMISSION_DENIED)));
}

TEST_F(SeenTest, EventSaysWhichRoleAllowedIt) {
  auto named = session(scientist()).instrumentRequest();
  named.setName("LET");
  auto request = ask(kj::mv(named)).getInstrument().pauseRequest();
  request.setCommandId("pause");
  auto answer = ask(kj::mv(request));
  ASSERT_GT(answer.getAnswer().getEvents().size(), 0u) << answer.getAnswer().getRefusal().getText().cStr();
  const auto words = served.ledger->snapshot()->event(answer.getAnswer().getEvents()[0]).value();
  ledger::StoredEvent event(words);
  EXPECT_STREQ(event.get().getActor().getName().cStr(), "alice");
  EXPECT_STREQ(event.get().getActor().getRight().cStr(), "scientist of LET by group isis_let_team");
}

TEST_F(SeenTest, CancellingTakesARoleOrOnesOwnRequest) {
  const auto cancel = [&](const Caller& caller, uint64_t job, const std::string& id) {
    auto request = ask(session(caller).operatorRequest()).getOperator().cancelRequest();
    request.setCommandId(id);
    request.setJob(job);
    return ask(kj::mv(request)).getAnswer().getRefusal().getCode();
  };
  EXPECT_EQ(cancel(member(), jobs["MARI1"], "c1"), Code::PERMISSION_DENIED);
  EXPECT_EQ(cancel(member(), jobs["LET6"], "c2"), Code::NOT_FOUND);
  EXPECT_EQ(cancel(auditor(), jobs["MARI1"], "c3"), Code::PERMISSION_DENIED);
  EXPECT_EQ(cancel(scientist(), jobs["LET6"], "c4"), Code::OK);
  EXPECT_EQ(cancel(operator_(), jobs["MARI1"], "c5"), Code::OK);
}

TEST_F(SeenTest, ProofsAreOfWhatIsSeen) {
  const auto prove = [&](const Caller& caller, uint64_t seq) {
    auto request = ask(session(caller).auditorRequest()).getAuditor().proveRequest();
    request.initEvents(1).set(0, seq);
    return ask(kj::mv(request)).getRefusal().getCode();
  };
  EXPECT_EQ(prove(member(), detected["MARI1"]), Code::OK);
  EXPECT_EQ(prove(member(), detected["MARI2"]), Code::NOT_FOUND);
  EXPECT_EQ(prove(auditor(), detected["MARI2"]), Code::OK);
}

TEST_F(SeenTest, WholeLedgerIsForThoseWhoseWorkItIs) {
  const auto refusal_of = [](auto&& answer) { return answer.getRefusal().getCode(); };
  for (const auto& caller : {member(), scientist(), person({}), worker("w1")}) {
    EXPECT_EQ(refusal_of(ask(session(caller).administratorRequest())), Code::PERMISSION_DENIED);
    auto given = ask(session(caller).auditorRequest());
    if (refusal_of(given) == Code::PERMISSION_DENIED) continue;
    auto auditor_of = given.getAuditor();
    EXPECT_EQ(refusal_of(ask(auditor_of.verifyRequest())), Code::PERMISSION_DENIED);
    EXPECT_EQ(refusal_of(ask(auditor_of.copyRequest())), Code::PERMISSION_DENIED);
    EXPECT_EQ(refusal_of(ask(auditor_of.whoCouldSeeRequest())), Code::PERMISSION_DENIED);
  }
  EXPECT_EQ(refusal_of(ask(session(person({})).auditorRequest())), Code::PERMISSION_DENIED);
  auto checked = ask(session(administrator()).administratorRequest()).getAdministrator().rebuildRequest();
  checked.setCheckOnly(true);
  EXPECT_EQ(refusal_of(ask(kj::mv(checked))), Code::OK);
}

TEST_F(SeenTest, AdministratorWhoLosesTheRoleCanDoNothingWithWhatHeHolds) {
  rpc::Peer peer;
  peer.caller = administrator();
  capnp::MallocMessageBuilder message;
  auto authority = served.loop.wait(served.service->access().log_in(peer, message.initRoot<schema::Credentials>())).value();
  auto held = rpc::make_administrator(*served.service, authority);
  authority->become({});
  const auto refusal_of = [](auto&& answer) { return answer.getRefusal().getCode(); };
  EXPECT_EQ(refusal_of(ask(held.rebuildRequest())), Code::PERMISSION_DENIED);
  EXPECT_EQ(refusal_of(ask(held.backupRequest())), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(held.eraseBlobsRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(held.forgetCommandsRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(refusal_of(ask(held.refreshRolesRequest())), Code::PERMISSION_DENIED);
}

TEST_F(SeenTest, DocumentsHeWasToldOfAreClosedToWhoLosesTheRole) {
  rpc::Peer peer;
  peer.caller = member();
  capnp::MallocMessageBuilder message;
  auto authority = served.loop.wait(served.service->access().log_in(peer, message.initRoot<schema::Credentials>())).value();
  auto client = rpc::make_runs(rpc::Viewpoint(*served.service), authority, std::make_shared<rpc::Allowances>());
  const std::string script = hash("def main(input_file, output_dir):\n    pass\n");
  EXPECT_EQ(history(client, of_run("MARI", 1)).seqs.size(), 2u);
  EXPECT_TRUE(blob(client, script).is_ok());
  authority->become({});
  EXPECT_EQ(blob(client, script).code(), base::Code::kNotFound);
}

/// Symptom: where a page of history ended told how many events there were that nobody was shown.
TEST_F(SeenTest, PagesOfHistoryTellNothingOfWhatIsHidden) {
  const auto page = [&](const Caller& caller, const std::function<void(schema::Subject::Builder)>& subject) {
    auto request = runs(caller).historyRequest();
    subject(request.initSubject());
    request.setLimit(1);
    auto answer = ask(kj::mv(request));
    return std::pair<size_t, uint64_t>(answer.getEvents().size(), answer.getNext());
  };
  const auto none = page(member(), of_run("MARI", 99));
  EXPECT_EQ(page(member(), of_run("MARI", 2)), none);
  EXPECT_EQ(page(person({}), of_run("MARI", 1)), none);
  EXPECT_EQ(page(member(), [&](auto subject) { subject.setJob(jobs["MARI2"]); }), none);
  EXPECT_EQ(page(member(), [](auto subject) { subject.setExperiment("E2"); }), none);
  EXPECT_EQ(page(person({}), [](auto subject) { subject.setInstrument("MARI"); }), none);
  EXPECT_EQ(page(member(), of_run("MARI", 1)), (std::pair<size_t, uint64_t>(1, detected["MARI1"])));
}

TEST_F(SeenTest, MemberHasSoManyReductionsAskedForAtATime) {
  rpc::AccessSettings settings;
  settings.enforced = true;
  settings.member_reruns = 2;
  served.service->use_access(settings, std::make_shared<support::FakeAccounts>());
  for (const uint64_t number : {11, 12, 13}) served.must(support::detect_run("detect " + std::to_string(number), "MARI", number, "E3"), support::daemon("monitord"));
  const Caller caller = person({{Role::MEMBER, "", "E3", "IPTS-E3"}});
  auto client = runs(caller);
  std::vector<kj::Promise<Code>> answers;
  for (const uint64_t number : {11, 12, 13}) {
    auto request = client.rerunRequest();
    request.setCommandId("rerun " + std::to_string(number));
    request.initRequest().initRun().setInstrument("MARI");
    request.getRequest().getRun().setRunNumber(number);
    request.getRequest().setScript(schema::ReductionRequested::ScriptChoice::CURRENT);
    answers.push_back(request.send().then([](auto&& answer) { return answer.getAnswer().getRefusal().getCode(); }));
  }
  std::vector<Code> codes;
  for (auto& answer : answers) codes.push_back(served.loop.wait(kj::mv(answer)));
  EXPECT_THAT(codes, ElementsAre(Code::OK, Code::OK, Code::UNAVAILABLE)) << "all at once, before any has a job";
}

/// A stolen worker's credential.
class WorkerCredentialTest : public SeenTest {
 protected:
  schema::DaemonPort::Client port(const std::string& name, Code& refusal) {
    auto request = session(worker(name)).daemonRequest();
    request.setRole(schema::DaemonRole::WORKER);
    request.setName("workerd/" + name);
    auto answer = ask(kj::mv(request));
    refusal = answer.getRefusal().getCode();
    return answer.getPort();
  }
  Code submit(schema::DaemonPort::Client port, const support::CommandMessage& command) {
    auto request = port.submitRequest();
    request.initCommands(1).setWithCaveats(0, command.reader());
    return ask(kj::mv(request)).getAnswers()[0].getRefusal().getCode();
  }
  Code job(schema::DaemonPort::Client port, uint64_t id) {
    auto request = port.jobRequest();
    request.setJob(id);
    return ask(kj::mv(request)).getRefusal().getCode();
  }
};

TEST_F(WorkerCredentialTest, ReadsTheJobsLeasedToItAndNoOthers) {
  Code refusal{};
  auto own = port("w1", refusal), other = port("w2", refusal);
  EXPECT_EQ(job(own, jobs["MARI2"]), Code::OK);
  EXPECT_EQ(job(own, jobs["MARI1"]), Code::NOT_FOUND);
  EXPECT_EQ(job(other, jobs["MARI2"]), Code::NOT_FOUND);
  served.until([&] { return denials().size() == 2; });
  EXPECT_THAT(denials(), UnorderedElementsAre("be_worker job " + std::to_string(jobs["MARI1"]), "be_worker job " + std::to_string(jobs["MARI2"])));
}

TEST_F(WorkerCredentialTest, MovesNobodyElsesPosition) {
  Code refusal{};
  auto own = port("w2", refusal);
  auto join = support::join_worker("join", "w2");
  join.position("coordinatord", 5);
  EXPECT_EQ(submit(own, join), Code::PERMISSION_DENIED);
  EXPECT_EQ(submit(own, support::join_worker("join again", "w2").position("workerd/w2", 5)), Code::OK);
}

TEST_F(WorkerCredentialTest, ReportsForItsOwnAttemptsOnly) {
  Code refusal{};
  auto own = port("w1", refusal), other = port("w2", refusal);
  const auto result = support::succeed_attempt("done", jobs["MARI2"], 1, fences["MARI2"]);
  EXPECT_EQ(submit(other, result), Code::PERMISSION_DENIED);
  EXPECT_EQ(submit(other, support::join_worker("join as w1", "w1")), Code::PERMISSION_DENIED);
  EXPECT_NE(submit(own, result), Code::PERMISSION_DENIED);
}

TEST_F(WorkerCredentialTest, IsNothingElse) {
  auto request = session(worker("w2")).daemonRequest();
  request.setRole(schema::DaemonRole::WORKER);
  request.setName("workerd/w1");
  EXPECT_EQ(ask(kj::mv(request)).getRefusal().getCode(), Code::PERMISSION_DENIED);
  auto monitor = session(worker("w2")).daemonRequest();
  monitor.setRole(schema::DaemonRole::MONITOR);
  monitor.setName("workerd/w2");
  EXPECT_EQ(ask(kj::mv(monitor)).getRefusal().getCode(), Code::PERMISSION_DENIED);
  Code refusal{};
  auto own = port("w2", refusal);
  EXPECT_EQ(refusal, Code::OK);
  EXPECT_EQ(submit(own, support::detect_run("detect", "MARI", 9)), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(own.filesRequest()).getRefusal().getCode(), Code::PERMISSION_DENIED);
}

}  // namespace
