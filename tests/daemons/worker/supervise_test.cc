// runledger-supervise with real processes. Nothing here sleeps: every wait is for an end of file or an exit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "base/program.h"
#include "daemons/worker/supervised.h"
#include "tests/support/temporary_folder.h"

namespace {

using daemons::LogCapture;
using daemons::Printed;
using daemons::Supervised;
using daemons::SupervisedEnd;
using daemons::SupervisedProgram;
using How = SupervisedEnd::How;
using testing::HasSubstr;
using testing::Not;

class SuperviseTest : public testing::Test {
 protected:
  SupervisedProgram program(std::string path, std::vector<std::string> arguments) {
    SupervisedProgram wanted;
    wanted.supervisor = base::companion_program("runledger-supervise");
    wanted.program = std::move(path);
    wanted.arguments = std::move(arguments);
    wanted.environment = {"PATH=/usr/bin:/bin"};
    wanted.working_directory = folder.path();
    return wanted;
  }
  SupervisedProgram shell(std::string script) { return program("/bin/sh", {"-c", std::move(script)}); }
  SupervisedProgram python(std::string script) { return program("/usr/bin/python3", {"-u", "-c", std::move(script)}); }

  kj::Own<Supervised> start(const SupervisedProgram& wanted) {
    auto started = Supervised::start(*launcher, loop.timer(), wanted, printed);
    EXPECT_TRUE(started.is_ok()) << started.status().message();
    return kj::mv(*started);
  }
  SupervisedEnd run(const SupervisedProgram& wanted) {
    auto child = start(wanted);
    return loop.wait(child->end());
  }
  void await_lines(long lines) {
    for (std::string text; std::count(text.begin(), text.end(), '\n') < lines; text = log.text()) {
      loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
    }
  }
  static bool is_alive(int pid) { return ::kill(pid, 0) == 0; }

  support::TemporaryFolder folder;
  rpc::Loop loop;
  std::unique_ptr<daemons::ProcessLauncher> launcher = daemons::make_process_launcher(loop);
  Printed printed;
  LogCapture& log = printed.all;
};

TEST_F(SuperviseTest, ExitStatusOutputAndUsageAreReported) {
  SupervisedEnd end = run(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(end.how, How::kExited);
  EXPECT_EQ(end.number, 3);
  EXPECT_EQ(end.wait_status(), 3 << 8);
  EXPECT_GT(end.max_resident_bytes, 0u);
  EXPECT_EQ(end.left_behind, 0u);
  EXPECT_EQ(log.text(), "out\nerr\n");
}

TEST_F(SuperviseTest, SignalIsReported) {
  SupervisedEnd end = run(shell("kill -SEGV $$"));
  EXPECT_EQ(end.how, How::kSignaled);
  EXPECT_EQ(end.number, SIGSEGV);
  EXPECT_EQ(end.wait_status(), SIGSEGV);
}

TEST_F(SuperviseTest, MissingProgramIsReportedWithItsErrorNumber) {
  SupervisedEnd end = run(program("/no/such/python3", {}));
  EXPECT_EQ(end.how, How::kNotStarted);
  EXPECT_EQ(end.number, ENOENT);
  EXPECT_EQ(end.wait_status(), 0);
}

TEST_F(SuperviseTest, InputIsEmptyAndThereIsNoOtherDescriptor) {
  run(shell("cat; for f in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && echo open $f; done; ulimit -c"));
  EXPECT_EQ(log.text(), "0\n");
}

TEST_F(SuperviseTest, WhatTheProgramLeavesBehindIsEnded) {
  SupervisedEnd end = run(shell("sleep 1000 & echo $!; setsid sleep 1000 & echo $!"));
  EXPECT_EQ(end.how, How::kExited);
  EXPECT_EQ(end.left_behind, 2u);
  std::istringstream pids(log.text());
  for (int pid; pids >> pid;) EXPECT_FALSE(is_alive(pid)) << pid;
}

TEST_F(SuperviseTest, TreeThatEscapesIntoItsOwnSessionsIsEnded) {
  auto child = start(python(R"(
import os, time
for depth in range(5):
    if os.fork() == 0:
        os.setsid()
        continue
    break
print("pid", os.getpid())
time.sleep(1000)
)"));
  await_lines(6);
  child->kill_tree();
  SupervisedEnd end = loop.wait(child->end());
  EXPECT_EQ(end.how, How::kSignaled);
  EXPECT_EQ(end.number, SIGKILL);
  EXPECT_EQ(end.left_behind, 5u);
  std::istringstream lines(log.text());
  std::string word;
  for (int pid; lines >> word >> pid;) EXPECT_FALSE(is_alive(pid)) << pid;
}

TEST_F(SuperviseTest, DaemonThatForkedTwiceIsEnded) {
  SupervisedEnd end = run(python(R"(
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 10)
        time.sleep(1000)
    os._exit(0)
os.wait()
)"));
  EXPECT_EQ(end.how, How::kExited);
  EXPECT_EQ(end.left_behind, 1u);
}

TEST_F(SuperviseTest, DroppingItEndsTheTreeAsTheDeathOfTheWorkerWould) {
  int pid = 0;
  {
    auto child = start(shell("setsid sleep 1000 & echo pid $!; wait"));
    await_lines(1);
    pid = std::stoi(log.text().substr(4));
    EXPECT_TRUE(is_alive(pid));
  }
  while (is_alive(pid)) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
}

TEST_F(SuperviseTest, MemoryLimitIsFeltAsMemoryError) {
  SupervisedProgram wanted = python("x = bytearray(300 << 20)");
  wanted.memory_limit_bytes = 200u << 20;
  SupervisedEnd end = run(wanted);
  EXPECT_EQ(end.number, 1);
  EXPECT_THAT(log.text(), HasSubstr("MemoryError"));
}

TEST_F(SuperviseTest, KilledSupervisorTakesTheProgramWithIt) {
  auto child = start(shell("echo $PPID; echo pid $$; exec sleep 1000"));
  await_lines(2);
  std::istringstream words(log.text());
  int supervisor = 0, pid = 0;
  std::string word;
  words >> supervisor >> word >> pid;
  ::kill(supervisor, SIGKILL);
  EXPECT_EQ(loop.wait(child->end()).how, How::kSupervisorLost);
  while (is_alive(pid)) loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS));
}

TEST_F(SuperviseTest, StatusLineIsReadAndNothingElseIs) {
  auto end = SupervisedEnd::parse("signaled 11 rss 4096 user 12 system 3 left 2\n");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->how, How::kSignaled);
  EXPECT_EQ(end->number, 11);
  EXPECT_EQ(end->user_ms, 12u);
  EXPECT_FALSE(SupervisedEnd::parse(""));
  EXPECT_FALSE(SupervisedEnd::parse("exited"));
  EXPECT_FALSE(SupervisedEnd::parse("danced 1 rss 1 user 1 system 1 left 0"));
}

}  // namespace
