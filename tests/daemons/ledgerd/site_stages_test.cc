#include "daemons/ledgerd/site_stages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "tests/support/served_ledger.h"

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SiteStagesTest : public testing::Test {
 protected:
  SiteStagesTest() {
    spdlog::set_level(spdlog::level::off);
    served.must(support::configure_instrument("configure", "MARI"));
    site.instruments.emplace_back().name = "MARI";
  }
  site::Stage& stage(const std::string& name, const std::vector<std::string>& after) {
    site::Stage& stage = site.instruments[0].stages.emplace_back();
    stage = {name, after, "run", "/scripts/" + name + ".py", "isis", "", {"*.nxspe"}, "/out/{run}/{stage}-{version}", 60'000, 0};
    return stage;
  }
  void start() { served.loop.wait(daemons::put_stages_on_record(*served.service, *served.ledger, site)); }
  /// "merge after reduction"; those of people in brackets.
  std::vector<std::string> on_record() {
    std::vector<std::string> words;
    for (const auto& row : ledger::stage_rules(*served.ledger->snapshot(), "MARI")) {
      auto rule = row.get().getRule();
      std::string word = rule.getName().cStr() + std::string(" after");
      for (auto name : rule.getAfter()) word += std::string(" ") + name.cStr();
      words.push_back(rule.getFromSite() ? word : "(" + word + ")");
    }
    return words;
  }
  void set_by_person(const std::string& name) {
    support::CommandMessage command("set " + name);
    auto rule = command.get().getBody().initSetStage();
    rule.setInstrument("MARI");
    rule.setName(name);
    rule.initAfter(1).set(0, "reduction");
    rule.setScriptPath("/scripts/theirs.py");
    rule.setContract(schema::Contract::ISIS);
    rule.setOutputPattern("/theirs/{run}/{version}");
    served.must(command);
  }

  support::ServedLedger served;
  site::Site site;
};

TEST_F(SiteStagesTest, StagesOfTheSiteFileAreOnRecordAndSetOnce) {
  stage("merge", {"reduction"});
  stage("fit", {"merge"});
  start();
  EXPECT_THAT(on_record(), ElementsAre("fit after merge", "merge after reduction"));
  auto fit = ledger::find_stage(*served.ledger->snapshot(), "MARI", "fit");
  EXPECT_EQ(fit->get().getRule().getTimeLimitMs(), 60'000u);
  EXPECT_EQ(fit->get().getRule().getInputPatterns()[0], "*.nxspe");
  const uint64_t head = served.ledger->head();
  start();
  EXPECT_EQ(served.ledger->head(), head);
}

TEST_F(SiteStagesTest, OnesTakenOutGoInAnOrderTheLedgerTakes) {
  stage("a_first", {"reduction"});
  stage("b_second", {"a_first"});
  stage("c_third", {"b_second"});
  start();
  set_by_person("theirs");
  site.instruments[0].stages.clear();
  start();
  EXPECT_THAT(on_record(), ElementsAre("(theirs after reduction)"));
}

TEST_F(SiteStagesTest, OneThatComesBackIsSetAgain) {
  stage("merge", {"reduction"});
  start();
  auto stages = std::exchange(site.instruments[0].stages, {});
  start();
  EXPECT_THAT(on_record(), IsEmpty());
  site.instruments[0].stages = stages;
  start();
  EXPECT_THAT(on_record(), ElementsAre("merge after reduction"));
}

TEST_F(SiteStagesTest, OneTheLedgerRefusesHoldsUpNoOther) {
  stage("wrong", {"reduction"}).output_pattern = "/no/place/for/versions";
  stage("merge", {"reduction"});
  start();
  EXPECT_THAT(on_record(), ElementsAre("merge after reduction"));
}

}  // namespace
