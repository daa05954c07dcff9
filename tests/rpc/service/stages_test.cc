// What an instrument's page holds beside its variables: stages and support files.
#include "tests/rpc/service/reduced_fixture.h"

namespace {

using rpc::Caller;
using support::auditor;
using support::member_of;
using support::operator_;
using support::scientist_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StagesTest : public support::ReducedTest {
 protected:
  static void merged(schema::StageRule::Builder rule) {
    rule.setInstrument("LET");  // whatever it says, it is this instrument's
    rule.setName("merged");
    rule.initAfter(1).set(0, "reduction");
    rule.setOver(schema::StageRule::Over::RUNS);
    rule.setScriptPath("/scripts/MARI/merge.py");
    rule.setContract(schema::Contract::ISIS);
    rule.setOutputPattern("/reduced/merged/{run}/{version}");
    rule.setFromSite(true);
  }
  base::Status set(const Caller& who) {
    auto request = instrument(who, "MARI").setStageRequest();
    request.setCommandId(next_id("set"));
    merged(request.initRule());
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  base::Status remove(const Caller& who) {
    auto request = instrument(who, "MARI").removeStageRequest();
    request.setCommandId(next_id("remove"));
    request.setName("merged");
    return status_of(ask(kj::mv(request)).getAnswer().getRefusal());
  }
  auto stages(const Caller& who) { return ask(instrument(who, "MARI").stagesRequest()); }

  void see(const std::string& path, std::string_view content) {
    support::CommandMessage command(next_id("see"));
    auto seen = command.get().getBody().initSeeSupportFile();
    seen.setInstrument("MARI");
    seen.setPath(path);
    seen.setSha256(support::data(command.blob(content)));
    seen.setSizeBytes(content.size());
    seen.setKept(true);
    seen_at[path] = served.must(command, support::daemon("coordinatord"));
  }
  void set_variable(const std::string& name, const std::string& json, const std::function<void(schema::Scope::Builder)>& scope) {
    support::CommandMessage command(next_id("vars"));
    auto change = command.get().getBody().initSetVariables();
    change.setInstrument("MARI");
    scope(change.initScope());
    auto variable = change.initVariables(1)[0];
    variable.setName(name);
    variable.setValue(json);
    served.must(command);
  }
  std::vector<std::string> support_files(schema::Instrument::Client client, uint32_t limit = 0) {
    return all_pages([&] { return client.supportFilesRequest(); }, limit, [](auto& page) { return page.getFiles(); },
                     [](auto row) { return std::string(row.getFile().getPath().cStr()); });
  }

  std::map<std::string, uint64_t> seen_at;
};

TEST_F(StagesTest, AreSetByScientistsOfTheInstrumentAndSeenByWhoSeesIt) {
  for (const Caller& who : {member_of("E1"), scientist_of("LET"), operator_(), auditor(), support::an_administrator()}) {
    EXPECT_EQ(set(who).code(), base::Code::kPermissionDenied);
  }
  EXPECT_TRUE(set(scientist_of("MARI")).is_ok());
  auto seen = stages(member_of("E1"));
  ASSERT_EQ(seen.getStages().size(), 1u);
  EXPECT_STREQ(seen.getStages()[0].getRule().getInstrument().cStr(), "MARI");
  EXPECT_FALSE(seen.getStages()[0].getRule().getFromSite()) << "a person's rule is not the site file's";
  EXPECT_STREQ(seen.getStages()[0].getSetBy().cStr(), "alice");
  EXPECT_EQ(stages(support::caller({})).getRefusal().getCode(), support::Code::PERMISSION_DENIED);
  EXPECT_EQ(remove(member_of("E1")).code(), base::Code::kPermissionDenied);
  EXPECT_TRUE(remove(scientist_of("MARI")).is_ok());
  EXPECT_EQ(stages(scientist_of("MARI")).getStages().size(), 0u);
}

TEST_F(StagesTest, SupportFilesOfAnotherExperimentsSettingAreNotShown) {
  for (const char* path : {"/share/all.xml", "/share/of_e1.xml", "/share/of_e2.xml", "/scripts/MARI/beside.map", "https://masks.example/1"}) see(path, path);
  support::CommandMessage script("script with variables");
  capnp::MallocMessageBuilder defaults;
  auto own = defaults.initRoot<schema::VariableSet>().initVariables(3);
  uint32_t next = 0;
  for (const char* name : {"map", "mask", "web"}) {
    own[next].setName(name);
    own[next++].setValue(std::string_view(name) == "map" ? "\"beside.map\"" : "null");
  }
  const std::string document(ledger::built_bytes(defaults));
  const base::Sha256 text = script.blob("mask = None\n");
  auto registered = script.get().getBody().initRegisterScript();
  registered.setInstrument("MARI");
  registered.setContract(schema::Contract::ISIS);
  registered.setPath("/scripts/MARI/reduce.py");
  registered.setSha256(support::data(text));
  registered.setDefaults(support::data(script.blob(document)));
  served.must(script);
  set_variable("mask", "[\"/share/all.xml\"]", [](auto scope) { scope.setDefault(); });
  set_variable("mask", "\"/share/of_e1.xml\"", [](auto scope) { scope.setExperiment("E1"); });
  set_variable("mask", "\"/share/of_e2.xml\"", [](auto scope) { scope.setExperiment("E2"); });
  set_variable("web", "{\"url\": \"https://masks.example/1\"}", [](auto scope) { scope.setFromRun(5); });

  for (const uint32_t limit : {1u, 100u}) {
    EXPECT_THAT(support_files(instrument(scientist_of("MARI"), "MARI"), limit),
                ElementsAre("/scripts/MARI/beside.map", "/share/all.xml", "/share/of_e1.xml", "/share/of_e2.xml", "https://masks.example/1"));
    EXPECT_THAT(support_files(instrument(member_of("E1"), "MARI"), limit),
                ElementsAre("/scripts/MARI/beside.map", "/share/all.xml", "/share/of_e1.xml", "https://masks.example/1"));
  }
  const auto of_mari = [](auto subject) { subject.setInstrument("MARI"); };
  EXPECT_THAT(history(scientist_of("MARI"), of_mari), testing::Contains(seen_at["/share/of_e2.xml"]));
  EXPECT_THAT(history(member_of("E1"), of_mari), testing::Not(testing::Contains(seen_at["/share/of_e2.xml"])));
}

TEST_F(StagesTest, SupportFileIsReadByWhoIsShownIt) {
  see("/share/mask.xml", "a mask");
  auto one = session(scientist_of("MARI"));
  auto client = ask(one.runsRequest()).getRuns();
  EXPECT_FALSE(blob(client, hash("a mask")).is_ok());
  auto named = one.instrumentRequest();
  named.setName("MARI");
  EXPECT_EQ(support_files(ask(kj::mv(named)).getInstrument()).size(), 1u);
  EXPECT_TRUE(blob(client, hash("a mask")).is_ok());
}

}  // namespace
