// stale: which results are not what would be made today, what changed, since when and by whom.
#include <gmock/gmock.h>

#include "tests/tools/commands_fixture.h"

namespace fake {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Kind = schema::StaleReason::Kind;

class StaleTest : public CommandsTest {
 protected:
  void add_two_masks_and_a_variable() {
    ledger.add_event("coordinatord");
    ledger.add_event("alice");
    for (const uint64_t run : {28001, 28002}) {
      auto mask = ledger.reducing.add_stale(run, 1, Kind::SUPPORT_FILE, "/archive/mask.xml");
      mask.setWas("aaaaaaaaaaaaaaaaaaaa");
      mask.setNow("bbbbbbbbbbbbbbbbbbbb");
      mask.setEvent(1);
    }
    auto variable = ledger.reducing.add_stale(28003, 2, Kind::VARIABLE, "mon");
    variable.setWas("1");
    variable.setNow("\"two\"");
    variable.setEvent(2);
  }
};

TEST_F(StaleTest, TableSaysWhatChangedSinceWhenAndByWhom) {
  add_two_masks_and_a_variable();
  const Ran ran = command({"stale", "MARI"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "RUN         VERSION  WHAT                            WAS           NOW           SINCE\n"
            "MARI 28001  v1       support file /archive/mask.xml  aaaaaaaaaaaa  bbbbbbbbbbbb  event 1, 2026-11-01 12:00:01, coordinatord\n"
            "MARI 28002  v1       support file /archive/mask.xml  aaaaaaaaaaaa  bbbbbbbbbbbb  event 1, 2026-11-01 12:00:01, coordinatord\n"
            "MARI 28003  v2       variable mon                    1             \"two\"         event 2, 2026-11-01 12:00:02, alice\n"
            "\n"
            "3 of 20 results stale\n"
            "  2 by support file /archive/mask.xml (event 1)\n"
            "  1 by variable mon (event 2)\n");
}

TEST_F(StaleTest, JsonKeepsValuesAndHashesWhole) {
  add_two_masks_and_a_variable();
  const json stale = json_of({"stale", "MARI"});
  ASSERT_EQ(stale.size(), 3u) << "every page";
  EXPECT_EQ(stale[0]["why"][0], json::parse(R"({"kind": "support_file", "name": "/archive/mask.xml", "was": "aaaaaaaaaaaaaaaaaaaa", "now": "bbbbbbbbbbbbbbbbbbbb",
      "event": 1, "since": "2026-11-01T12:00:01.000000000Z", "by": "coordinatord"})"));
  EXPECT_EQ(stale[2]["why"][0]["was"], 1);
  EXPECT_EQ(stale[2]["why"][0]["now"], "two");
  EXPECT_EQ(stale[2]["version"], 2);
}

TEST_F(StaleTest, ReasonsOfOneResultStandBelowEachOtherAndScriptsHaveNoName) {
  auto result = ledger.reducing.stale.emplace_back().get();
  result.getRun().setInstrument("MARI");
  result.getRun().setRunNumber(28001);
  result.setVersion(1);
  auto why = result.initWhy(2);
  why[0].setKind(Kind::SCRIPT);
  why[0].setNow("cccccccccccccccc");
  why[0].setEvent(99);  // not for our eyes
  why[1].setKind(Kind::SCRIPT_FILE);
  why[1].setName("reduce_vars.py");
  EXPECT_THAT(command({"stale"}).out, AllOf(HasSubstr("MARI 28001  v1       script          -    cccccccccccc  event 99\n"),
                                            HasSubstr("\n                     reduce_vars.py  -    -             -\n")));
  EXPECT_TRUE(json_of({"stale"})[0]["why"][0]["name"].is_null());
}

TEST_F(StaleTest, NoneIsExitCodeOne) {
  EXPECT_EQ(json_of({"stale"}, 1), json::array());
  const Ran ran = command({"stale", "MARI", "28001"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_EQ(ran.err, "runledger: MARI 28001: none of 10 results is stale\n");
}

}  // namespace
}  // namespace fake
