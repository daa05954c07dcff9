// Session.at: what a session that looks back answers, and that it changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/canonical.h"
#include "tests/support/served_ledger.h"

namespace {

using Code = schema::Refusal::Code;

class PastSessionTest : public testing::Test {
 protected:
  PastSessionTest() {
    served.must(support::configure_instrument("configure", "MARI"));
    served.clock.advance(support::FakeClock::kSecond);
    served.must(support::register_script("script", "MARI"));
    first = served.must(support::detect_run("detect 1", "MARI", 1));
    first_at = served.clock.now_ns();
    before = runs_as_bytes(served.session());
    served.clock.advance(support::FakeClock::kSecond);
    served.must(support::queue_job("queue 1", "MARI", 1).cause(first));
    served.must(support::detect_run("detect 2", "MARI", 2));
    served.must(support::pause_instrument("pause", "MARI"));
  }

  template <typename Request>
  auto ask(Request request) {
    return served.loop.wait(request.send().then([](auto&& response) { return kj::mv(response); }));
  }
  auto at_seq(uint64_t seq) {
    auto request = served.session().atRequest();
    request.getMoment().setSeq(seq);
    return ask(kj::mv(request));
  }
  auto at_time(int64_t time) {
    auto request = served.session().atRequest();
    request.getMoment().setTime(time);
    return ask(kj::mv(request));
  }
  std::vector<std::string> runs_as_bytes(schema::Session::Client session) {
    std::vector<std::string> rows;
    auto page = ask(session.runsRequest().send().getRuns().listRequest());
    for (auto run : page.getRuns()) rows.push_back(ledger::canonical_bytes(run));
    return rows;
  }
  schema::Instrument::Client mari(schema::Session::Client session) {
    auto request = session.instrumentRequest();
    request.setName("MARI");
    return ask(kj::mv(request)).getInstrument();
  }

  support::ServedLedger served;
  uint64_t first = 0;
  int64_t first_at = 0;
  std::vector<std::string> before;
};

TEST_F(PastSessionTest, AnswersWhatWasAnsweredThenByEventAndByTime) {
  auto by_seq = at_seq(first);
  EXPECT_EQ(by_seq.getSeq(), first);
  EXPECT_EQ(by_seq.getTime(), first_at);
  EXPECT_EQ(runs_as_bytes(by_seq.getSession()), before);
  EXPECT_EQ(before.size(), 1u);
  EXPECT_NE(runs_as_bytes(served.session()), before);
  auto by_time = at_time(first_at + 1);
  EXPECT_EQ(by_time.getSeq(), first);
  EXPECT_EQ(runs_as_bytes(by_time.getSession()), before);
}

TEST_F(PastSessionTest, StatusIsOfThenAndNamesNoDaemons) {
  auto past = at_seq(first);
  auto answer = ask(past.getSession().runsRequest().send().getRuns().statusRequest());
  auto status = answer.getStatus();
  EXPECT_EQ(status.getHead(), first);
  EXPECT_EQ(status.getNow(), first_at);
  EXPECT_EQ(status.getStartedAt(), 0);
  EXPECT_EQ(status.getLedger(), "");
  EXPECT_EQ(status.getDaemons().size(), 0u);
  ASSERT_EQ(status.getInstruments().size(), 1u);
  EXPECT_FALSE(status.getInstruments()[0].getPaused());
  EXPECT_EQ(status.getInstruments()[0].getLastRun(), 1u);
}

TEST_F(PastSessionTest, MomentsOutsideTheLogAreNotFound) {
  EXPECT_EQ(at_seq(0).getRefusal().getCode(), Code::NOT_FOUND);
  EXPECT_EQ(at_seq(served.ledger->head() + 1).getRefusal().getCode(), Code::NOT_FOUND);
  EXPECT_EQ(at_time(1).getRefusal().getCode(), Code::NOT_FOUND);
  EXPECT_EQ(at_time(INT64_MAX).getSeq(), served.ledger->head());
}

TEST_F(PastSessionTest, NothingIsThereThatCameLater) {
  auto past = at_seq(first - 2);
  auto runs = past.getSession().runsRequest().send().getRuns();
  auto show = runs.showRequest();
  show.getRun().setInstrument("MARI");
  show.getRun().setRunNumber(1);
  EXPECT_EQ(ask(kj::mv(show)).getRefusal().getCode(), Code::NOT_FOUND);
  auto history = runs.historyRequest();
  history.initSubject().setInstrument("MARI");
  EXPECT_EQ(ask(kj::mv(history)).getEvents().size(), first - 2);
  auto further = past.getSession().atRequest();
  further.getMoment().setSeq(first);
  EXPECT_EQ(ask(kj::mv(further)).getRefusal().getCode(), Code::NOT_FOUND);
}

TEST_F(PastSessionTest, EveryChangeIsRefusedAndNothingIsRecorded) {
  auto past = at_seq(first);
  auto session = past.getSession();
  auto instrument = mari(session);
  auto runs = session.runsRequest().send().getRuns();
  const uint64_t head = served.ledger->head();
  EXPECT_EQ(ask(instrument.pauseRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(instrument.resumeRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(instrument.setVariablesRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(instrument.clearVariablesRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(runs.rerunRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(ask(runs.watchRequest()).getRefusal().getCode(), Code::PERMISSION_DENIED);
  auto operate = session.operatorRequest().send().getOperator();
  EXPECT_EQ(ask(operate.cancelRequest()).getAnswer().getRefusal().getCode(), Code::PERMISSION_DENIED);
  auto daemon = session.daemonRequest();
  daemon.setName("monitord");
  EXPECT_EQ(ask(kj::mv(daemon)).getRefusal().getCode(), Code::PERMISSION_DENIED);
  EXPECT_EQ(served.ledger->head(), head);
}

}  // namespace
