// Which runs a filter means, and which results are stale: of those the caller sees.
#include "tests/rpc/service/reduced_fixture.h"

namespace {

using rpc::Caller;
using support::member_of;
using support::scientist_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RunFilterTest : public support::ReducedTest {
 protected:
  RunFilterTest() {
    reduced("LET", 5, "E1");
    reduced("LET", 6, "E2");
    fail(queue_new("MARI", 1, "E1"));
    reduced("MARI", 2, "E2");
    reduced("MARI", 3, "E1");
  }
  using Wish = std::function<void(schema::RunFilter::Builder)>;
  std::vector<std::string> listed(const Caller& who, const Wish& wish, uint32_t limit = 0) {
    auto client = runs(who);
    return all_pages([&] { auto request = client.listRequest(); wish(request.initFilter()); return request; }, limit, [](auto& page) { return page.getRuns(); },
                     [](auto row) { return key_words(row.getRun()); });
  }
  base::Status refused(const Wish& wish) {
    auto request = runs(scientist_of("LET")).listRequest();
    wish(request.initFilter());
    return status_of(ask(kj::mv(request)).getRefusal());
  }
  std::vector<std::string> stale(const Caller& who, const Wish& wish = [](auto) {}, uint32_t limit = 0) {
    auto client = runs(who);
    return all_pages([&] { auto request = client.staleRequest(); wish(request.initFilter()); return request; }, limit, [](auto& page) { return page.getResults(); },
                     [](auto result) {
                       std::string words = key_words(result.getRun()) + " v" + std::to_string(result.getVersion());
                       for (auto why : result.getWhy()) words += " " + std::to_string(static_cast<int>(why.getKind())) + "@" + std::to_string(why.getEvent());
                       return words;
                     });
  }
};

TEST_F(RunFilterTest, RunsAreChosenByAllThatIsSetOnPagesOfAnySize) {
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(listed(support::owner(), [](auto filter) { filter.setReason("script_exception"); }, limit), ElementsAre("MARI1"));
    EXPECT_THAT(listed(support::owner(), [](auto filter) { filter.setScript(ledger::data(hash("def main(input_file, output_dir):\n    pass\n").substr(0, 4))); }, limit),
                ElementsAre("LET5", "LET6", "MARI1", "MARI2", "MARI3"));
    EXPECT_THAT(listed(support::owner(), [](auto filter) { filter.setScript(ledger::data("none")); }, limit), IsEmpty());
    EXPECT_THAT(listed(support::owner(), [](auto filter) {
      filter.setInstrument("MARI");
      auto ranges = filter.initRanges(2);
      ranges[0].setFirst(3);
      ranges[0].setLast(9);
      ranges[1].setFirst(1);
      ranges[1].setLast(1);
    }, limit), ElementsAre("MARI1", "MARI3"));
    EXPECT_THAT(listed(support::owner(), [](auto filter) { filter.setDetectedTo(1); }, limit), IsEmpty());
  }
}

TEST_F(RunFilterTest, NothingIsChosenThatTheCallerDoesNotSee) {
  const auto any = [](auto filter) { filter.setDetectedFrom(1); };
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(listed(member_of("E1"), any, limit), ElementsAre("LET5", "MARI1", "MARI3"));
    EXPECT_THAT(listed(scientist_of("LET"), any, limit), ElementsAre("LET5", "LET6"));
    EXPECT_THAT(listed(support::caller({}), any, limit), IsEmpty());
  }
  EXPECT_THAT(listed(member_of("E1"), [](auto filter) { filter.setExperiment("E2"); filter.setDetectedFrom(1); }), IsEmpty());
}

TEST_F(RunFilterTest, WhatThereCannotBeIsRefused) {
  EXPECT_THAT(refused([](auto filter) { filter.setScript(ledger::data(std::string(33, 'x'))); }).message(), HasSubstr("33 bytes of its SHA-256"));
  EXPECT_THAT(refused([](auto filter) {
    filter.initRanges(1)[0].setFirst(2);
    filter.getRanges()[0].setLast(1);
  }).message(), HasSubstr("runs 2 to 1"));
  EXPECT_THAT(refused([](auto filter) { filter.initVariables(1)[0].setValue("1"); }).message(), HasSubstr("NAME=VALUE"));
}

TEST_F(RunFilterTest, PlaceThatIsNoneIsAPageLikeAnother) {
  for (const std::string& after : {std::string("x"), std::string(300, '\xff'), std::string(8, '\0')}) {
    auto request = runs(member_of("E1")).listRequest();
    request.initFilter().setDetectedFrom(1);
    request.setAfter(ledger::data(after));
    auto answer = ask(kj::mv(request));
    for (auto run : answer.getRuns()) EXPECT_STREQ(run.getExperiment().cStr(), "E1");
  }
}

TEST_F(RunFilterTest, StaleResultsAreThoseThatAreSeenAndSayWhy) {
  EXPECT_THAT(stale(support::owner()), IsEmpty());
  const uint64_t script = served.must(support::register_script("new script", "MARI", "def main(input_file, output_dir):\n    return 1\n"));
  const std::string why = " v1 0@" + std::to_string(script);
  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(stale(support::owner(), [](auto) {}, limit), ElementsAre("MARI2" + why, "MARI3" + why));
    EXPECT_THAT(stale(member_of("E1"), [](auto) {}, limit), ElementsAre("MARI3" + why));
  }
  EXPECT_THAT(stale(scientist_of("LET")), IsEmpty());
  EXPECT_THAT(stale(support::owner(), [](auto filter) { filter.setExperiment("E2"); }), ElementsAre("MARI2" + why));
  EXPECT_THAT(listed(member_of("E1"), [](auto filter) { filter.setStale(true); }), ElementsAre("MARI3"));
  auto request = runs(member_of("E1")).staleRequest();
  EXPECT_EQ(ask(kj::mv(request)).getConsidered(), 3u) << "others are not counted";
}

}  // namespace
