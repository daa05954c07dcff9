#include "daemons/monitor/file_name.h"

#include <gtest/gtest.h>

namespace daemons {
namespace {

struct NameCase {
  const char* name;
  uint64_t number;  // 0 = none
};

TEST(RunNumberRuleTest, LastDigitsOfTheStemAreTheNumber) {
  const NameCase cases[] = {{"ENGINX00241391.nxs", 241391},
                            {"CSP85423.nxs", 85423},
                            {"argus0044309.nxs", 44309},
                            {"EQSANS_1466_event.nxs", 1466},
                            {"HYSA_2678.nxs.h5", 2678},
                            {"amor2025n004107.hdf", 4107},
                            {"ILLIN4_074252.nxs", 74252},
                            {"lrcs3701.nx5", 3701},
                            {"AgBehenate_228.hdf5", 228},
                            {"k11-18014.nxs", 18014},
                            {"k11-18014-imaging.h5", 18014},
                            {"Therm_6_2.nxs", 2},
                            {"Sample_Image_2021-03-16_095.hdf5", 95},
                            {"SANS2D00022048.nxs", 22048},
                            {"103418.nxs", 103418},
                            {"GPS5397.NXS", 5397},
                            {"INTER00007709.raw", 7709},
                            {"INTER00007709.s01", 7709},
                            {"ARCS_201.nx.hdf", 201},
                            {"poldi2014n019874.hdf", 19874},
                            {"R0000000000000000000000042.nxs", 42},
                            {"R9007199254740991.nxs", 9007199254740991},
                            {"R9007199254740992.nxs", 0},
                            {"R99999999999999999999.nxs", 0},
                            {"R000.nxs", 0},
                            {"dark_field.nxs", 0},
                            {".nxs", 0},
                            {"", 0}};
  for (const NameCase& c : cases) EXPECT_EQ(RunNumberRule().number_in(c.name).value_or(0), c.number) << c.name;
}

TEST(RunNumberRuleTest, PatternPicksItsGroup) {
  auto rule = RunNumberRule::make("^SCAN_([0-9]+)_");
  ASSERT_TRUE(rule.is_ok()) << rule.status().message();
  EXPECT_EQ(rule->number_in("SCAN_17_2.nxs"), 17u);
  EXPECT_EQ(rule->number_in("OTHER_17_2.nxs"), std::nullopt);
}

TEST(RunNumberRuleTest, WrongPatternsAreExplained) {
  auto broken = RunNumberRule::make("([0-9");
  ASSERT_FALSE(broken.is_ok());
  EXPECT_NE(broken.status().message().find("not a regular expression"), std::string::npos) << broken.status().message();
  auto groups = RunNumberRule::make("([A-Z]+)([0-9]+)");
  ASSERT_FALSE(groups.is_ok());
  EXPECT_NE(groups.status().message().find("2 groups"), std::string::npos) << groups.status().message();
}

TEST(NameFilterTest, PatternsMatchWithoutRegardToCase) {
  NameFilter filter({"*.nxs", "*.raw"});
  EXPECT_TRUE(filter.accepts("MARI28001.nxs"));
  EXPECT_TRUE(filter.accepts("GPS5397.NXS"));
  EXPECT_TRUE(filter.accepts("a name\nwith\ttricks $(id);.nxs"));
  EXPECT_TRUE(filter.accepts("M\xE4RI1.nxs"));
  EXPECT_FALSE(filter.accepts("MARI29531 10.5meV_sa.nxspe"));
  EXPECT_FALSE(filter.accepts("MARI28001.log"));
  EXPECT_FALSE(filter.accepts(""));
}

TEST(NameFilterTest, LeftoversOfTransfersAreNeverTaken) {
  NameFilter filter({"*"});
  for (const char* name : {".MARI28001.nxs.Xy12aB", ".nfs000000001", ".hidden.nxs", "MARI28001.nxs~", "MARI28001.tmp", "MARI28001.nxs.filepart",
                           "MARI28001.nxs.TMP", "MARI28001.nxs.part"}) {
    EXPECT_FALSE(filter.accepts(name)) << name;
  }
  EXPECT_TRUE(filter.accepts("MARI28001.nxs"));
}

TEST(InstrumentNameTest, CaseAndPunctuationDoNotMatter) {
  EXPECT_TRUE(same_instrument_name("ENGIN-X", "enginx"));
  EXPECT_TRUE(same_instrument_name("BL-14B HYSPEC", "BL14BHYSPEC"));
  EXPECT_FALSE(same_instrument_name("HYSPECA", "HYSA"));
  EXPECT_FALSE(same_instrument_name("CRISP", "CSP"));
}

}  // namespace
}  // namespace daemons
