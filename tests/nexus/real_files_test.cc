// Real files of many facilities against facts.json, which was read with another library.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "nexus/times.h"
#include "tests/nexus/report_fixture.h"

namespace {

using nexus_test::Report;
using nlohmann::json;

std::filesystem::path data_folder() {
  const char* given = std::getenv("RUNLEDGER_SHARED_DATA");
  return given != nullptr ? given : RUNLEDGER_SHARED_DATA;
}

class RealFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream stream(data_folder() / "facts.json");
    if (!stream)
      GTEST_SKIP() << "no real data files in " << data_folder() << "; set RUNLEDGER_SHARED_DATA to the folder of facts.json";
    facts_ = json::parse(stream);
    ASSERT_GE(facts_.size(), 20u);
  }

  Report report(const std::string& name) { return Report((data_folder() / name).string(), data_folder().string()); }

  json facts_;
};

std::string trimmed(std::string text) {
  size_t start = text.find_first_not_of(" \n"), end = text.find_last_not_of(" \n");
  return start == text.npos ? "" : text.substr(start, end - start + 1);
}

/// The text a fact holds, "" if it holds none.
std::string fact_text(const json& entry, const char* name) {
  if (!entry.contains(name) || !entry[name].contains("value") || !entry[name]["value"].is_string()) return "";
  return trimmed(entry[name]["value"].get<std::string>());
}

void expect_text(const json& entry, const char* name, schema::TextField::Reader field) {
  std::string fact = fact_text(entry, name);
  EXPECT_EQ(field.getKnown(), !fact.empty()) << name;
  EXPECT_EQ(std::string(field.getValue().cStr()), fact) << name;
  if (!fact.empty()) {
    EXPECT_EQ(std::string(field.getPath().cStr()), entry[name]["path"].get<std::string>());
  }
}

void expect_time(const json& entry, const char* name, schema::TimeField::Reader field) {
  std::string fact = fact_text(entry, name);
  EXPECT_EQ(field.getKnown(), !fact.empty()) << name;
  if (fact.empty()) return;
  EXPECT_EQ(trimmed(field.getRaw().cStr()), fact);
  bool zoned = fact.size() > 20 && fact.find_first_of("+-Z", 19) != fact.npos;
  EXPECT_EQ(field.getZoned(), zoned) << fact;
  auto time = nexus::parse_time(fact);
  ASSERT_TRUE(time) << fact;
  EXPECT_EQ(field.getValue(), time->time_ns);
}

void expect_integer(const json& entry, const char* name, schema::IntegerField::Reader field) {
  bool there = entry.contains(name);
  EXPECT_EQ(field.getKnown(), there) << name;
  if (there) {
    EXPECT_EQ(field.getValue(), entry[name]["value"].get<int64_t>()) << name;
  }
}

void expect_real(const json& entry, const char* name, schema::RealField::Reader field) {
  bool there = entry.contains(name);
  EXPECT_EQ(field.getKnown(), there) << name;
  if (!there) return;
  EXPECT_DOUBLE_EQ(field.getValue(), entry[name]["value"].get<double>()) << name;
  EXPECT_EQ(std::string(field.getUnit().cStr()), entry[name].value("units", "")) << name;
}

void expect_run_number(const json& entry, schema::IntegerField::Reader field) {
  int64_t number = 0;
  if (entry.contains("run_number")) {
    const json& value = entry["run_number"]["value"];
    number = value.is_string() ? std::stoll(value.get<std::string>()) : value.get<int64_t>();
  }
  EXPECT_EQ(field.getKnown(), number > 0);
  EXPECT_EQ(field.getValue(), number);
}

void expect_users(const json& entry, capnp::List<capnp::Text>::Reader users) {
  std::vector<std::string> facts, found;
  for (const auto& user : entry["users"]) {
    if (!trimmed(user.get<std::string>()).empty()) facts.push_back(trimmed(user.get<std::string>()));
  }
  for (auto user : users) found.emplace_back(user.cStr());
  if (!facts.empty()) {  // else the file's owner may stand in
    EXPECT_EQ(found, facts);
  }
}

TEST_F(RealFilesTest, EveryFieldAgreesWithTheFacts) {
  for (const json& fact : facts_) {
    SCOPED_TRACE(fact["dest"].get<std::string>());
    Report report = this->report(fact["dest"]);
    auto file = report.reader().getFile();
    EXPECT_EQ(file.getSizeBytes(), fact["size"].get<uint64_t>());
    auto hash = file.getSha256().asChars();
    EXPECT_EQ(base::hex({hash.begin(), hash.size()}), fact["sha256"].get<std::string>());

    bool run = fact["hdf5"] && !fact["entries"].empty() && fact["entries"][0]["NX_class"] == "NXentry";
    EXPECT_EQ(report.reader().getOutcome().isRun(), run) << report.outcome() << " " << report.reason();
    if (!run || !report.reader().getOutcome().isRun()) {
      EXPECT_TRUE(report.reader().getOutcome().isRefused()) << report.outcome();
      continue;
    }
    const json& entry = fact["entries"][0];
    auto metadata = report.run();
    EXPECT_EQ(std::string(metadata.getEntryPath().cStr()), "/" + entry["entry"].get<std::string>());
    EXPECT_EQ(metadata.getEntryCount(), fact["entries"].size());
    expect_run_number(entry, metadata.getRunNumber());
    expect_text(entry, "experiment_id", metadata.getExperiment());
    expect_text(entry, "title", metadata.getTitle());
    expect_text(entry, "definition", metadata.getDefinition());
    expect_time(entry, "start_time", metadata.getStartTime());
    expect_time(entry, "end_time", metadata.getEndTime());
    expect_real(entry, "proton_charge", metadata.getProtonCharge());
    expect_real(entry, "duration", metadata.getDuration());
    expect_integer(entry, "raw_frames", metadata.getRawFrames());
    expect_integer(entry, "good_frames", metadata.getGoodFrames());
    expect_users(entry, metadata.getUsers());
    if (!entry["instrument"].empty() && entry["instrument"][0]["value"].is_string()) {
      EXPECT_EQ(std::string(metadata.getInstrument().getValue().cStr()), entry["instrument"][0]["value"].get<std::string>());
      EXPECT_EQ(std::string(metadata.getInstrument().getPath().cStr()), entry["instrument"][0]["path"].get<std::string>());
    }
    int64_t field = entry.contains("total_counts_field") ? entry["total_counts_field"]["value"].get<int64_t>() : 0;
    if (field > 0) {
      EXPECT_EQ(metadata.getTotalCounts().getValue(), field);
    } else if (entry["events_total"].is_null()) {
      EXPECT_FALSE(metadata.getTotalCounts().getKnown()) << "histograms are not summed, and 0 is not their number of counts";
    }
  }
}

TEST_F(RealFilesTest, FilesThatAreNoRunsAreNamedForWhatTheyAre) {
  EXPECT_EQ(report("ISIS/INTER00007709.raw").outcome(), "refused: isis_raw");
  EXPECT_EQ(report("ISIS-muon/argus0044309.nxs").outcome(), "refused: hdf4");
  EXPECT_EQ(report("ESS-SINQ/amor2025n006003.hdf").outcome(), "refused: git_lfs_pointer");
  EXPECT_EQ(report("DLS/k11-18014/k11-18014-imaging.h5").outcome(), "refused: no_entry");
  EXPECT_EQ(report("DLS/k11-18014/k11-18014-pcompPanda.h5").outcome(), "refused: no_entry");
}

TEST_F(RealFilesTest, DetectorEventsAreCountedWithoutChoppersAndMonitors) {
  EXPECT_EQ(report("ESS-SINQ/amor2025n004107.hdf").run().getTotalCounts().getValue(), 84'620);
  EXPECT_EQ(report("ISIS-muon/HIFI00195790.nxs").run().getTotalCounts().getValue(), 64'147);
}

TEST_F(RealFilesTest, WhatIsOddIsSaid) {
  EXPECT_TRUE(report("ISIS/IRIS00103225.nxs").has_problem("good_frames 1080340 is more than raw_frames 1080339"));
  EXPECT_TRUE(report("ISIS/IRIS00103225.nxs").has_problem("proton_charge is 0"));
  EXPECT_TRUE(report("ISIS-muon/HIFI00180594.nxs").problems().empty()) << "no charge is counted for muons";
  EXPECT_TRUE(report("ISIS-muon/HIFI00195790.nxs").has_problem("run_number is 0"));
  EXPECT_TRUE(report("IPNS/lrcs3701.nx5").has_problem("2 NXentry groups"));
  EXPECT_TRUE(report("DLS/k11-18014.nxs").has_problem("40 links to other files"));
  EXPECT_TRUE(report("DLS/Therm_6_2.nxs").has_problem("1 virtual dataset"));
  EXPECT_TRUE(report("ESS-SINQ/poldi2014n019874.hdf").has_problem("end_time is an array of shape [2]"));
  EXPECT_EQ(std::string(report("ESS-SINQ/poldi2014n019874.hdf").run().getEndTime().getRaw().cStr()), "[1319617013, -1075840652]");
  EXPECT_TRUE(report("ISIS/SANS2D00022048.nxs").has_problem("experiment_identifier is -1, which names no experiment"));
  EXPECT_TRUE(report("ISIS/ENGINX00241391.nxs").problems().empty());
}

TEST_F(RealFilesTest, OwnerAndInstrumentMayBeAttributes) {
  Report poldi = report("ESS-SINQ/poldi2014n019874.hdf");
  ASSERT_EQ(poldi.run().getUsers().size(), 1u);
  EXPECT_EQ(std::string(poldi.run().getUsers()[0].cStr()), "Panzner");
  EXPECT_EQ(std::string(report("DLS/Therm_6_2.nxs").run().getInstrument().getValue().cStr()), "I04");
}

TEST_F(RealFilesTest, TheLastTenthUnwrittenIsNotTakenForWhole) {
  nexus_test::TemporaryFolder folder;
  for (const char* name :
       {"ISIS/INTER00007709.nxs", "ISIS/SANS2D00022048.nxs", "SNS/HYSA_2678.nxs.h5", "ESS-SINQ/poldi2014n019874.hdf",
        "ESS-SINQ/amor2025n004107.hdf", "ISIS-muon/HIFI00195790.nxs", "ILL/ILLIN4_074252.nxs"}) {
    std::ifstream stream(data_folder() / name, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(stream), {});
    for (size_t tenths : {5u, 9u}) {
      std::string partial = bytes.substr(0, bytes.size() * tenths / 10);
      partial.resize(bytes.size(), '\0');
      EXPECT_EQ(Report(folder.write("partial.nxs", partial)).outcome(), "not yet: damaged_structure")
          << name << " " << tenths << "/10";
    }
  }
}

}  // namespace
