#include "daemons/worker/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace {

using base::Code;
using daemons::FolderState;
using testing::HasSubstr;
namespace fs = std::filesystem;

class OutputFolderTest : public testing::Test {
 protected:
  void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  support::TemporaryFolder folder;
  std::string final = folder / "RB1/autoreduced/28001/run-version-1";
  std::string staging = daemons::staging_path(final, 2, 77);
};

TEST_F(OutputFolderTest, StagingIsHiddenBesideTheFinalDirectory) {
  EXPECT_EQ(staging, (folder / "RB1/autoreduced/28001/.run-version-1.attempt-2.77").string());
  EXPECT_EQ(daemons::staging_path(final + "/", 2, 77), staging);
}

TEST_F(OutputFolderTest, WhatCannotBeMadeIsNamed) {
  write(folder / "RB1", "a file in the way");
  base::Status made = daemons::make_staging(staging);
  ASSERT_FALSE(made.is_ok());
  EXPECT_THAT(made.message(), HasSubstr((folder / "RB1").string()));
}

TEST_F(OutputFolderTest, EveryRegularFileIsListedWithItsHash) {
  ASSERT_TRUE(daemons::make_staging(staging).is_ok());
  write(fs::path(staging) / "b.txt", "abc");
  write(fs::path(staging) / "sub/a.txt", "");
  auto listing = daemons::list_output(staging, true, nullptr);
  ASSERT_TRUE(listing.is_ok()) << listing.status().message();
  ASSERT_EQ(listing->files.size(), 2u);
  EXPECT_EQ(listing->files[0].path, "b.txt");
  EXPECT_EQ(listing->files[0].size_bytes, 3u);
  EXPECT_EQ(listing->files[0].sha256, base::sha256("abc"));
  EXPECT_EQ(listing->files[1].path, "sub/a.txt");
  EXPECT_EQ(listing->total_bytes, 3u);
}

TEST_F(OutputFolderTest, LinksAndPipesAreNamedAndNotFollowed) {
  ASSERT_TRUE(daemons::make_staging(staging).is_ok());
  write(folder / "secret", "elsewhere");
  fs::create_symlink(folder / "secret", fs::path(staging) / "link");
  fs::create_directory_symlink("/", fs::path(staging) / "root");
  ASSERT_EQ(mkfifo((staging + "/pipe").c_str(), 0600), 0);
  auto listing = daemons::list_output(staging, false, nullptr);
  ASSERT_TRUE(listing.is_ok());
  EXPECT_TRUE(listing->files.empty());
  EXPECT_EQ(listing->problems.size(), 3u);
  EXPECT_THAT(listing->problems, testing::Contains(HasSubstr("link is a symbolic link")));
  EXPECT_THAT(listing->problems, testing::Contains(HasSubstr("pipe is no regular file")));
}

TEST_F(OutputFolderTest, PublishingNeverReplacesAnything) {
  ASSERT_TRUE(daemons::make_staging(staging).is_ok());
  write(fs::path(staging) / "new.txt", "new");
  fs::create_directory(final);
  base::Status published = daemons::publish_folder(staging, final);
  EXPECT_EQ(published.code(), Code::kAlreadyExists);
  EXPECT_THAT(published.message(), HasSubstr("already exists"));
  EXPECT_TRUE(fs::exists(staging + "/new.txt"));
  EXPECT_EQ(daemons::folder_state(final), FolderState::kEmpty);

  fs::remove(final);
  EXPECT_TRUE(daemons::publish_folder(staging, final).is_ok());
  EXPECT_TRUE(fs::exists(final + "/new.txt"));
  EXPECT_EQ(daemons::folder_state(staging), FolderState::kMissing);
}

TEST_F(OutputFolderTest, KeptFoldersNeverReplaceEachOther) {
  for (uint64_t fence : {77, 78}) {
    staging = daemons::staging_path(final, 2, fence);
    ASSERT_TRUE(daemons::make_staging(staging).is_ok());
    write(fs::path(staging) / "half.txt", "half");
    auto kept = daemons::keep_folder(staging, final + ".failed-attempt-2", fence);
    ASSERT_TRUE(kept.is_ok()) << kept.status().message();
    EXPECT_EQ(*kept, final + (fence == 77 ? ".failed-attempt-2" : ".failed-attempt-2.78"));
    EXPECT_TRUE(fs::exists(*kept + "/half.txt"));
  }
}

TEST_F(OutputFolderTest, EmptyFolderIsNotKept) {
  ASSERT_TRUE(daemons::make_staging(staging).is_ok());
  auto kept = daemons::keep_folder(staging, final + ".failed-attempt-2", 77);
  ASSERT_TRUE(kept.is_ok());
  EXPECT_EQ(*kept, "");
  EXPECT_EQ(daemons::folder_state(staging), FolderState::kMissing);
}

TEST_F(OutputFolderTest, StoppedListingGivesUp) {
  ASSERT_TRUE(daemons::make_staging(staging).is_ok());
  write(fs::path(staging) / "a", "a");
  auto stop = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(daemons::list_output(staging, false, stop).status().code(), Code::kUnavailable);
}

}  // namespace
