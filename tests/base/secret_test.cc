#include "base/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/temporary_folder.h"

namespace {

using base::Secret;
using testing::HasSubstr;
using testing::Not;

/// The flags of the mapping that holds `address` (proc(5), VmFlags).
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = reinterpret_cast<uintptr_t>(address) >= begin && reinterpret_cast<uintptr_t>(address) < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line;
    }
  }
  return {};
}

TEST(SecretTest, HoldsItsBytesUntilItIsMovedAway) {
  Secret secret("correct horse");
  EXPECT_EQ(secret.view(), "correct horse");
  Secret other = std::move(secret);
  EXPECT_EQ(other.view(), "correct horse");
  EXPECT_TRUE(secret.empty());  // NOLINT: what a move leaves behind is stated
  other = Secret();
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(Secret(std::string(10'000, 'x')).view(), std::string(10'000, 'x'));
}

TEST(SecretTest, TakingWipesTheText) {
  std::string text = "correct horse battery staple";
  const char* bytes = text.data();
  Secret secret = Secret::take(text);
  EXPECT_EQ(secret.view(), "correct horse battery staple");
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string_view(bytes, 28), std::string(28, '\0'));
}

TEST(SecretTest, ItsPagesStayOutOfCoreDumps) {
  Secret secret("correct horse");
  EXPECT_THAT(flags_of(secret.view().data()), HasSubstr(" dd"));
  EXPECT_THAT(flags_of(secret.view().data()), HasSubstr(" wf"));
}

TEST(SecretTest, AFileGivesItsFirstLine) {
  support::TemporaryFolder folder;
  const auto write = [&](const char* name, std::string_view bytes) {
    const std::string path = folder.write(name, bytes);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
  };
  EXPECT_EQ(Secret::from_file(write("a", "swordfish\nnot this\n"))->view(), "swordfish");
  EXPECT_EQ(Secret::from_file(write("b", "sword fish"))->view(), "sword fish");
  EXPECT_THAT(Secret::from_file(write("empty", "\nsecond")).status().message(), HasSubstr("is empty"));
  const std::string large = write("large", std::string(5000, 'x'));
  EXPECT_THAT(Secret::from_file(large).status().message(), HasSubstr(large + ": is longer"));
  EXPECT_THAT(Secret::from_file(large).status().message(), Not(HasSubstr("xxx")));
  std::filesystem::permissions(large, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  EXPECT_THAT(Secret::from_file(large).status().message(), HasSubstr("others may read or change it"));
  EXPECT_THAT(Secret::from_file(folder / "none").status().message(), HasSubstr("No such file"));
  EXPECT_FALSE(Secret::from_file(folder.path()).is_ok());
}

}  // namespace
