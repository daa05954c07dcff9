// The program runledger-read-raw as its caller meets it: a child with two pipes.
#include <capnp/serialize.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <kj/io.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/program.h"
#include "tests/nexus/report_fixture.h"

namespace {

using nexus_test::Report;
using nexus_test::TemporaryFolder;

class ReadRawTest : public ::testing::Test {
 protected:
  void SetUp() override { start(); }
  void TearDown() override {
    close_input();
    if (from_ >= 0) close(from_);
    if (child_ > 0) waitpid(child_, nullptr, 0);
  }

  void start() {
    int to_child[2], from_child[2];
    ASSERT_EQ(pipe2(to_child, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(from_child, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    std::string program = base::companion_program("runledger-read-raw").string();
    char* arguments[] = {program.data(), nullptr};
    ASSERT_EQ(posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments, environ), 0) << program;
    posix_spawn_file_actions_destroy(&actions);
    close(to_child[0]);
    close(from_child[1]);
    to_ = to_child[1];
    from_ = from_child[0];
  }

  void ask(std::string_view path, std::string_view root = {}) {
    capnp::MallocMessageBuilder message;
    auto request = message.initRoot<schema::RawFileRequest>();
    request.setPath(kj::arrayPtr(reinterpret_cast<const kj::byte*>(path.data()), path.size()));
    request.setRoot(kj::arrayPtr(reinterpret_cast<const kj::byte*>(root.data()), root.size()));
    capnp::writeMessageToFd(to_, message);
  }
  Report answer() {
    capnp::StreamFdMessageReader message(from_);
    return Report(message.getRoot<schema::RawFileReport>());
  }
  void send(std::string_view bytes) { ASSERT_EQ(write(to_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())); }
  void close_input() {
    if (to_ >= 0) close(to_);
    to_ = -1;
  }
  int exit_status() {
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  TemporaryFolder folder_;
  pid_t child_ = -1;
  int to_ = -1, from_ = -1;
};

TEST_F(ReadRawTest, AnswersRequestsInOrderUntilTheInputEnds) {
  ask(folder_.write("text.nxs", "This is a note"), folder_.path().string());
  ask(folder_.write("empty.nxs", ""));
  ask("/dev/null");
  EXPECT_EQ(answer().outcome(), "refused: not_hdf5");
  EXPECT_EQ(answer().outcome(), "not yet: empty");
  EXPECT_EQ(answer().outcome(), "refused: not_regular");
  close_input();
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(ReadRawTest, GarbageEndsIt) {
  send("this is no Cap'n Proto message at all, and the length it claims is beyond every limit");
  EXPECT_EQ(exit_status(), 2);  // while its input is still open
}

TEST_F(ReadRawTest, HalfARequestEndsItWithItsInput) {
  send(std::string_view("\0\0\0\0\x10\0\0\0half", 12));
  close_input();
  EXPECT_EQ(exit_status(), 2);
}

TEST_F(ReadRawTest, BadPointerInARequestIsAnsweredWithAnError) {
  // One segment of one word, which points far outside.
  send(std::string_view("\0\0\0\0\x01\0\0\0\xfc\xff\xff\x7f\x01\0\x02\0", 16));
  Report report = answer();
  EXPECT_TRUE(report.reader().getOutcome().isRefused()) << report.outcome();
  ask("/dev/null");
  EXPECT_EQ(answer().outcome(), "refused: not_regular") << "it goes on";
}

}  // namespace
