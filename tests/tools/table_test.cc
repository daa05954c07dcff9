#include "tools/table.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/text.h"

namespace tools {
namespace {

Table two_columns() { return Table({{"RUN", Table::Align::kRight}, {"TITLE", Table::Align::kLeft, true}}); }

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table = two_columns();
  table.add({"28001", "vanadium"});
  table.add({"7", "empty can"});
  EXPECT_EQ(table.text({}), "  RUN  TITLE\n28001  vanadium\n    7  empty can\n");
}

TEST(TableTest, ControlCharactersAreWrittenOut) {
  Table table = two_columns();
  table.add({"1", "a\x1b[2Jb\nc\xff\xe2\x80\xae"});
  std::string text = table.text({});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("a\\x1b[2Jb\\nc\\xff\\u202e"), std::string::npos) << text;
}

TEST(TableTest, WideAndCombiningCharactersAreCountedAsShown) {
  EXPECT_EQ(display_width("中性子"), 6u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);
  EXPECT_EQ(display_width("Å"), 1u);
  Table table({{"A"}, {"B"}});
  table.add({"中", "x"});
  table.add({"abc", "y"});
  EXPECT_EQ(table.text({}), "A    B\n中   x\nabc  y\n");
}

TEST(TableTest, ElasticColumnGivesWayOnANarrowTerminal) {
  Table table = two_columns();
  table.add({"28001", "a very long title of a sample"});
  EXPECT_EQ(table.text({20, true}), "  RUN  TITLE\n28001  a very long …\n");
  EXPECT_EQ(table.text({}), "  RUN  TITLE\n28001  a very long title of a sample\n");
}

TEST(TableTest, LinesNeverPassATerminalsWidth) {
  Table table = two_columns();
  table.add({"28001", "a very long title of a sample"});
  EXPECT_EQ(table.text({10, true}), "  RUN  TI…\n28001  a …\n");
}

TEST(TableTest, CuttingKeepsWholeCharacters) {
  EXPECT_EQ(cut_to_width("中性子", 4), "中…");
  EXPECT_EQ(cut_to_width("abc", 3), "abc");
  EXPECT_TRUE(base::is_utf8(cut_to_width("ÅÅÅ", 2)));
}

TEST(TableTest, LabelledValuesKeepTheirLines) {
  EXPECT_EQ(labelled({{"raw file", "/a\n/b"}, {"state", "failed\x1b"}}), "raw file  /a\n          /b\nstate     failed\\x1b\n");
}

TEST(TableTest, PrintableLinesKeepLineEndsAndTabs) { EXPECT_EQ(printable_lines("a\tb\n\x1b]0;x\x07\n"), "a\tb\n\\x1b]0;x\\x07\n"); }

TEST(TableTest, SizesAndDurationsAreRounded) {
  EXPECT_EQ(human_size(12), "12 B");
  EXPECT_EQ(human_size(3u << 20), "3.0 MiB");
  EXPECT_EQ(human_duration(350'000'000), "350 ms");
  EXPECT_EQ(human_duration(4'250'000'000), "4.2 s");
  EXPECT_EQ(human_duration(200'000'000'000), "3 min 20 s");
  EXPECT_EQ(human_duration(7'500'000'000'000), "2 h 05 min");
}

TEST(TableTest, ExactTimeHasNineDigitsFromTheFirstToTheLast) {
  // Symptom: the earliest time there can be, which a damaged event may have, was shown as one in the year 2262.
  EXPECT_EQ(exact_time(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(exact_time(INT64_MAX, false), "2262-04-11T23:47:16.854775807");
  EXPECT_EQ(exact_time(-500'000'000), "1969-12-31T23:59:59.500000000Z");
  EXPECT_EQ(exact_time(0), "1970-01-01T00:00:00.000000000Z");
}

TEST(TableTest, TimeIsLocal) {
  setenv("TZ", "UTC", 1);
  tzset();
  EXPECT_EQ(human_time(1'793'534'405'123'000'000), "2026-11-01 12:00:05");
  EXPECT_EQ(human_time(0), "-");
}

}  // namespace
}  // namespace tools
