#include "base/text.h"

#include <gtest/gtest.h>

namespace {

TEST(TextTest, BytesThatAreNotUtf8AreShownNotDropped) {
  EXPECT_EQ(base::to_utf8("caf\xe9 \xc3\x85"), "caf\\xe9 \xc3\x85");
  EXPECT_EQ(base::to_utf8("\xed\xa0\x80"), "\\xed\\xa0\\x80");
}

TEST(TextTest, LongTextIsCutAtACharacterAndSaysSo) {
  EXPECT_EQ(base::to_utf8("abcdef", 6), "abcdef");
  EXPECT_EQ(base::to_utf8("abcdefg", 6), "abc…");
  EXPECT_EQ(base::to_utf8("ab\xc3\x85zz", 5), "ab…");
}

TEST(TextTest, NothingPrintedSteersTheTerminal) {
  EXPECT_EQ(base::printable("a\x1b[31m\r\nb\t"), "a\\x1b[31m\\r\\nb\\t");
  EXPECT_EQ(base::printable("run\xe2\x80\xae.sxn"), "run\\u202e.sxn");
  EXPECT_EQ(base::printable("Å °"), "Å °");
}

TEST(TextTest, HexGoesThereAndBack) {
  EXPECT_EQ(base::hex(std::string_view("\x00\xff", 2)), "00ff");
  EXPECT_EQ(base::from_hex("00fF"), std::string("\x00\xff", 2));
  EXPECT_FALSE(base::from_hex("0"));
  EXPECT_FALSE(base::from_hex("zz"));
}

}  // namespace
