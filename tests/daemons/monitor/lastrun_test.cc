#include "daemons/monitor/lastrun.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace daemons {
namespace {

TEST(LastRunTest, ThreeWordsAreRead) {
  auto run = parse_last_run("ENGINX 00241391 0\r\n");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->prefix, "ENGINX");
  EXPECT_EQ(run->run_number, 241391u);
  EXPECT_EQ(run->last_ended(), 241391u);
}

TEST(LastRunTest, RunInProgressHasNotEnded) {
  auto run = parse_last_run("ENGINX 241391 1");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->last_ended(), 241390u);
}

TEST(LastRunTest, HalfWrittenTextSaysNothing) {
  for (const char* text : {"", "\n", "ENGINX", "ENGINX 241391", "ENGINX 241391 0 7", "ENGINX x 0", "ENGINX 99999999999999999999999 0", "ENGINX -1 0"}) {
    EXPECT_FALSE(parse_last_run(text)) << text;
  }
}

TEST(LastRunTest, IsFoundBesideTheDataFolder) {
  support::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "Instrument/data");
  std::filesystem::create_directories(folder.path() / "Instrument/logs");
  std::string data = folder.path() / "Instrument/data";
  EXPECT_FALSE(read_last_run({data}));
  std::ofstream(data + "/lastrun.txt") << "MARI 5 0";
  EXPECT_EQ(read_last_run({data})->run_number, 5u);
  std::ofstream(folder.path() / "Instrument/logs/lastrun.txt") << "MARI 7 0";
  EXPECT_EQ(read_last_run({data})->run_number, 7u);
}

}  // namespace
}  // namespace daemons
