// What lies in a watched folder without being a file, and files that somebody still writes.
#include "nexus/input_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/nexus/report_fixture.h"

namespace {

using nexus_test::Report;
using nexus_test::TemporaryFolder;

class InputFileTest : public ::testing::Test {
 protected:
  std::string path(std::string_view name) const { return (folder_.path() / name).string(); }
  std::string outcome(std::string_view name) const { return Report(path(name), folder_.path().string()).outcome(); }

  TemporaryFolder folder_;
};

TEST_F(InputFileTest, WhatIsNoFileIsRefusedAtOnce) {
  ASSERT_EQ(mkfifo(path("fifo.nxs").c_str(), 0600), 0);
  std::filesystem::create_directory(path("directory.nxs"));
  folder_.write("file.nxs", "text");
  std::filesystem::create_symlink(path("file.nxs"), path("link.nxs"));
  std::filesystem::create_symlink("/etc/passwd", path("passwd.nxs"));
  std::filesystem::create_symlink(path("circle.nxs"), path("circle.nxs"));
  for (const char* name : {"fifo.nxs", "directory.nxs", "link.nxs", "passwd.nxs", "circle.nxs"}) {
    EXPECT_EQ(outcome(name), "refused: not_regular") << name;
  }
  EXPECT_EQ(Report("/dev/null").outcome(), "refused: not_regular");
  EXPECT_EQ(Report("relative.nxs").outcome(), "refused: not_regular");
  EXPECT_EQ(Report("").outcome(), "refused: not_regular");
  EXPECT_EQ(Report(std::string_view("/a\0b", 4)).outcome(), "refused: not_regular");
}

TEST_F(InputFileTest, SocketIsRefused) {
  int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string name = path("s.nxs");
  ASSERT_LT(name.size(), sizeof address.sun_path);
  std::copy(name.begin(), name.end(), address.sun_path);
  ASSERT_EQ(bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(outcome("s.nxs"), "refused: not_regular");
  close(descriptor);
}

TEST_F(InputFileTest, MissingFileIsTriedAgain) {
  Report report(path("gone.nxs"));
  EXPECT_EQ(report.outcome(), "not yet: unreadable");
  EXPECT_NE(report.reason().find("No such file"), std::string::npos);
}

TEST_F(InputFileTest, FileWithoutPermissionIsTriedAgain) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  chmod(folder_.write("closed.nxs", "text").c_str(), 0);
  EXPECT_EQ(outcome("closed.nxs"), "not yet: unreadable");
}

TEST_F(InputFileTest, PathThatLeavesTheFolderIsRefused) {
  TemporaryFolder outside;
  outside.write("run.nxs", "text");
  std::filesystem::create_directory(path("inside"));
  std::filesystem::create_directory_symlink(outside.path(), path("cycle_24_3"));
  std::filesystem::create_directory_symlink(path("inside"), path("cycle_24_4"));
  folder_.write("inside/run.nxs", "text");
  EXPECT_EQ(outcome("cycle_24_3/run.nxs"), "refused: outside_archive");
  EXPECT_EQ(outcome("inside/../../" + outside.path().filename().string() + "/run.nxs"), "refused: outside_archive");
  EXPECT_EQ(outcome("cycle_24_4/run.nxs"), "refused: not_hdf5") << "a link that stays inside is followed";
  EXPECT_EQ(Report(path("inside/run.nxs"), path("ins")).outcome(), "not yet: unreadable") << "the watched folder is not there";
  std::filesystem::create_directory(path("ins"));
  EXPECT_EQ(Report(path("inside/run.nxs"), path("ins")).outcome(), "refused: outside_archive") << "a folder is no prefix of a name";
  EXPECT_EQ(Report(path("inside/run.nxs"), "/").outcome(), "refused: not_hdf5");
}

TEST_F(InputFileTest, NameThatIsNotUtf8IsShownWithItsBytes) {
  std::string name = folder_.write("caf\xe9\n.nxs", "text");
  Report report(name);
  EXPECT_EQ(report.outcome(), "refused: not_hdf5");
  EXPECT_NE(std::string(report.reader().getFile().getPath().cStr()).find("caf\\xe9\n.nxs"), std::string::npos);
}

TEST_F(InputFileTest, FileOpenForWritingIsBeingWritten) {  // recipe 28
  std::string name = folder_.write("run.nxs", "text");
  int probe = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  bool leases = fcntl(probe, F_SETLEASE, F_RDLCK) == 0;
  close(probe);
  if (!leases) GTEST_SKIP() << "the file system of " << name << " grants no leases";
  int writer = open(name.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(outcome("run.nxs"), "not yet: being_written");
  close(writer);
  EXPECT_EQ(outcome("run.nxs"), "refused: not_hdf5");
}

TEST_F(InputFileTest, LockedFileIsWaitedFor) {
  std::string name = folder_.write("run.nxs", "text");
  int holder = open(name.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(flock(holder, LOCK_EX), 0);
  EXPECT_EQ(outcome("run.nxs"), "not yet: locked");
  ASSERT_EQ(flock(holder, LOCK_UN), 0);
  EXPECT_EQ(outcome("run.nxs"), "refused: not_hdf5");
  EXPECT_EQ(flock(holder, LOCK_EX | LOCK_NB), 0) << "no lock of ours stays behind";
  close(holder);
}

TEST_F(InputFileTest, ChangeAfterOpeningIsNoticed) {
  std::string name = folder_.write("run.nxs", "text");
  auto opened = nexus::InputFile::open(name, "");
  auto& file = std::get<nexus::InputFile>(opened);
  EXPECT_FALSE(file.changed());
  folder_.write("run.nxs", "longer text");
  ASSERT_TRUE(file.changed());
  EXPECT_EQ(file.changed()->code, "growing");
}

TEST_F(InputFileTest, FirstNonzeroByteIsFoundBehindAHole) {
  std::string name = folder_.write("run.nxs", "");
  int writer = open(name.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(pwrite(writer, "x", 1, 5'000'000), 1);
  close(writer);
  auto opened = nexus::InputFile::open(name, "");
  EXPECT_EQ(std::get<nexus::InputFile>(opened).first_nonzero(), 5'000'000u);
  EXPECT_EQ(outcome("run.nxs"), "not yet: preallocated");
}

}  // namespace
