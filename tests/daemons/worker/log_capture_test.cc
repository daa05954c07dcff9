#include "daemons/worker/log_capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using daemons::LogCapture;
using testing::HasSubstr;

TEST(LogCaptureTest, ShortLogIsWhole) {
  LogCapture log(4, 6);
  log.add("abc");
  log.add("defghij");
  EXPECT_EQ(log.text(), "abcdefghij");
}

TEST(LogCaptureTest, LongLogKeepsBeginningAndEndAndSaysWhatIsMissing) {
  LogCapture log(4, 6);
  for (char c = 'a'; c <= 'z'; ++c) log.add(std::string(1, c));
  EXPECT_EQ(log.text(), "abcd\n[runledger: 16 bytes left out here, of 26 printed]\nuvwxyz");
}

TEST(LogCaptureTest, PiecesOfAnySizeLeaveTheSameLog) {
  std::string printed;
  for (int i = 0; i < 400; ++i) printed += std::to_string(i) + " ";
  LogCapture whole(10, 64);
  whole.add(printed);
  for (size_t step : {1, 3, 7, 63, 64, 65, 100, 1000}) {
    LogCapture log(10, 64);
    for (size_t at = 0; at < printed.size(); at += step) log.add(printed.substr(at, step));
    EXPECT_EQ(log.text(), whole.text()) << "pieces of " << step;
  }
}

TEST(LogCaptureTest, NoteStandsOnALineOfItsOwn) {
  LogCapture log;
  log.add("half a line");
  log.note("it was killed");
  EXPECT_EQ(log.text(), "half a line\nrunledger: it was killed\n");
}

TEST(LogCaptureTest, LastLineSkipsBlankOnes) {
  LogCapture log;
  EXPECT_EQ(log.last_line(), "");
  log.add("one\n\nValueError: two\n  \n\n");
  EXPECT_EQ(log.last_line(), "ValueError: two");
  EXPECT_EQ(log.last_line(5), "Value");
}

}  // namespace
