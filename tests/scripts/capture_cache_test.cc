#include "scripts/capture_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/fake_clock.h"
#include "tests/support/temporary_folder.h"

namespace {

using schema::Contract;

class CaptureCacheTest : public testing::Test {
 protected:
  CaptureCacheTest() {
    folder.write("reduce.py", "import a\nimport later\nopen('mask.cfg')\nimport pkg\n");
    folder.write("a.py", "");
    std::filesystem::create_directory(folder / "pkg");
    folder.write("pkg/__init__.py", "");
  }
  scripts::CaptureCache::Captured get(const std::string& name = "reduce.py") {
    auto captured = cache.capture(folder / name, Contract::ISIS);
    EXPECT_TRUE(captured.is_ok()) << captured.status().message();
    return *captured;
  }
  std::vector<std::string> siblings() {
    auto captured = get();
    std::vector<std::string> names;
    for (const auto& file : captured->siblings) names.push_back(file.name);
    return names;
  }
  /// The present, by the clock of the files, so long after that they count as settled.
  static int64_t in_a_minute() { return base::system_clock().now_ns() + 60 * support::FakeClock::kSecond; }

  support::TemporaryFolder folder;
  support::FakeClock clock{in_a_minute()};
  scripts::CaptureCache cache{clock};
};

TEST_F(CaptureCacheTest, UnchangedFolderIsNotReadAgain) {
  auto first = get();
  EXPECT_EQ(get(), first);
  folder.write("unrelated.dat", "x");
  EXPECT_EQ(get(), first);
}

TEST_F(CaptureCacheTest, WhateverChangesIsSeen) {
  auto names = siblings();
  folder.write("reduce_vars.py", "standard_vars = {}");
  EXPECT_THAT(siblings(), testing::ElementsAre("a.py", "pkg/__init__.py", "reduce_vars.py")) << "a file that was not there";
  folder.write("later.py", "");
  folder.write("mask.cfg", "1");
  EXPECT_THAT(siblings(), testing::ElementsAre("a.py", "later.py", "mask.cfg", "pkg/__init__.py", "reduce_vars.py"));
  folder.write("pkg/new.py", "");
  EXPECT_THAT(siblings(), testing::Contains("pkg/new.py"));
  std::filesystem::remove(folder / "later.py");
  EXPECT_THAT(siblings(), testing::Not(testing::Contains("later.py")));
  auto before = get();
  folder.write("a.py", "changed = 1");
  EXPECT_EQ(get()->siblings[0].bytes, "changed = 1");
  folder.write("other.py", "CHANGED = 2");
  std::filesystem::last_write_time(folder / "other.py", std::filesystem::last_write_time(folder / "a.py"));
  std::filesystem::rename(folder / "other.py", folder / "a.py");  // of the same size and time
  EXPECT_EQ(get()->siblings[0].bytes, "CHANGED = 2");
}

TEST_F(CaptureCacheTest, FileThatJustChangedIsReadAgain) {
  // A second change within the same tick of the file server's clock leaves size and times as they were.
  auto first = get();
  clock.advance(-59 * support::FakeClock::kSecond);
  folder.write("a.py", "1");
  auto second = get();
  EXPECT_NE(get(), second);
  clock.advance(59 * support::FakeClock::kSecond);
  auto third = get();
  EXPECT_EQ(get(), third);
}

TEST_F(CaptureCacheTest, TroubleIsNotKept) {
  std::filesystem::rename(folder / "reduce.py", folder / "away.py");
  EXPECT_FALSE(cache.capture(folder / "reduce.py", Contract::ISIS).is_ok());
  std::filesystem::rename(folder / "away.py", folder / "reduce.py");
  get();
}

TEST_F(CaptureCacheTest, SpaceIsBounded) {
  scripts::CaptureCache small(clock, 3000);
  auto of = [&](const char* name) { return *small.capture(folder / name, Contract::FIA); };
  for (const char* name : {"1.py", "2.py", "3.py"}) folder.write(name, std::string(1000, '#'));
  auto one = of("1.py"), two = of("2.py");
  EXPECT_EQ(of("1.py"), one);
  auto three = of("3.py");
  EXPECT_EQ(of("1.py"), one) << "asked for after the other";
  EXPECT_EQ(of("3.py"), three);
  EXPECT_NE(of("2.py"), two);
  folder.write("large.py", std::string(5000, '#'));
  EXPECT_NE(of("large.py"), of("large.py"));
}

}  // namespace
