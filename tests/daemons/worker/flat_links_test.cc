#include "daemons/worker/flat_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace {

using daemons::VersionFolders;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class FlatLinksTest : public testing::Test {
 protected:
  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  void publish(uint16_t version, const std::vector<std::string>& names) {
    versions[version] = folder / ("28001/v" + std::to_string(version));
    for (const std::string& name : names) write(fs::path(versions[version]) / name, "v" + std::to_string(version) + " " + name);
  }
  std::vector<std::string> refresh(uint16_t version) { return daemons::refresh_flat_links(flat, version, versions); }
  std::string read(const std::string& name) {
    std::ifstream file(flat + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(flat)) {
      if (!entry.is_directory() || entry.is_symlink()) found.push_back(entry.path().lexically_relative(flat));
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  support::TemporaryFolder folder;
  std::string flat = folder / "flat/RB1";
  VersionFolders versions;
};

TEST_F(FlatLinksTest, NewestVersionsFilesAreLinked) {
  publish(1, {"a.nxs", "plots/one.png", "old.txt"});
  EXPECT_THAT(refresh(1), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("a.nxs", "old.txt", "plots/one.png"));
  publish(2, {"a.nxs", "plots/two.png"});
  EXPECT_THAT(refresh(2), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("a.nxs", "plots/two.png"));
  EXPECT_EQ(read("a.nxs"), "v2 a.nxs");
  EXPECT_EQ(read("plots/two.png"), "v2 plots/two.png");
}

TEST_F(FlatLinksTest, DoneTwiceItIsTheSame) {
  publish(1, {"a.nxs"});
  publish(2, {"a.nxs"});
  for (uint16_t version : {1, 2, 2}) EXPECT_THAT(refresh(version), IsEmpty());
  EXPECT_THAT(names(), ElementsAre("a.nxs"));
  EXPECT_EQ(read("a.nxs"), "v2 a.nxs");
}

TEST_F(FlatLinksTest, LatecomerDoesNotBringBackAnOldVersion) {
  // A worker that stalled while it published version 1 goes on after version 2 is there.
  publish(1, {"a.nxs"});
  publish(2, {"a.nxs"});
  refresh(2);
  EXPECT_THAT(refresh(1), IsEmpty());
  EXPECT_EQ(read("a.nxs"), "v2 a.nxs");
}

TEST_F(FlatLinksTest, FilesThatAreNotOursAreLeftAlone) {
  publish(1, {"a.nxs", "b.nxs", "sub/c.nxs", "d"});
  write(fs::path(flat) / "a.nxs", "a scientist's own");
  write(folder / "28001/v10/b.nxs", "of something like a version");
  fs::create_symlink(folder / "28001/v10/b.nxs", flat + "/b.nxs");
  write(fs::path(flat) / "sub", "no folder");
  fs::create_directory(flat + "/d");
  EXPECT_THAT(refresh(1), ElementsAre(HasSubstr("flat/RB1/a.nxs: something else has this name"), HasSubstr("b.nxs: something else"),
                                      HasSubstr("d: something else"), HasSubstr("sub/c.nxs: Not a directory")));
  EXPECT_EQ(read("a.nxs"), "a scientist's own");
  EXPECT_EQ(fs::read_symlink(flat + "/b.nxs"), folder / "28001/v10/b.nxs");
  EXPECT_EQ(read("sub"), "no folder");
}

TEST_F(FlatLinksTest, ChangedLinksOfAFormerVersionAreLeftAlone) {
  publish(1, {"a.nxs", "b.nxs"});
  refresh(1);
  fs::remove(flat + "/b.nxs");
  write(fs::path(flat) / "b.nxs", "mine now");
  publish(2, {"a.nxs"});
  EXPECT_THAT(refresh(2), IsEmpty());
  EXPECT_EQ(read("b.nxs"), "mine now");
}

TEST_F(FlatLinksTest, FolderThatLeadsElsewhereIsNotEntered) {
  publish(1, {"sub/a.nxs"});
  fs::create_directories(flat);
  fs::create_directory(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", flat + "/sub");
  EXPECT_THAT(refresh(1), ElementsAre(HasSubstr("sub/a.nxs: ")));
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
}

TEST_F(FlatLinksTest, VersionWhoseDirectoryIsGoneIsReplaced) {
  publish(1, {"a.nxs"});
  refresh(1);
  fs::remove_all(versions[1]);
  publish(2, {"a.nxs"});
  EXPECT_THAT(refresh(2), IsEmpty());
  EXPECT_EQ(read("a.nxs"), "v2 a.nxs");
}

TEST_F(FlatLinksTest, FolderThatCannotBeMadeIsSaid) {
  write(folder / "flat", "a file in the way");
  publish(1, {"a.nxs"});
  EXPECT_THAT(refresh(1), ElementsAre(HasSubstr("is in the way")));
}

}  // namespace
